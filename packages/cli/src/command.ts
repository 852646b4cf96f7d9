/** What the commands share: which inbox, and JSON. */

import type { Command } from "commander";
import type { Inbox } from "@webhook-inbox/core";
import type { Console } from "./console.ts";
import { openInbox, type Where } from "./open.ts";
import type { Selecting } from "./select.ts";

export interface Common extends Where, Selecting {
  readonly json?: boolean;
}

export function command(program: Command, usage: string, description: string): Command {
  return program
    .command(usage)
    .description(description)
    .option("--store <url>", "sqlite:<file>, postgres://…, mysql://… or redis://…")
    .option("--inbox <module>", "a module that exports your inbox")
    .option("--json", "JSON, one value a line");
}

/** Opens the inbox for as long as it is used. */
export async function withInbox(
  where: Where,
  console: Console,
  use: (inbox: Inbox) => Promise<void>,
): Promise<void> {
  const { inbox, close } = await openInbox(where, console);
  try {
    await use(inbox);
  } finally {
    await close();
  }
}
