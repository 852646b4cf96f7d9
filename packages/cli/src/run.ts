/** The command line: its commands, and how they end. */

import { visible } from "@webhook-inbox/core";
import { createRequire } from "node:module";
import { Command, CommanderError } from "commander";
import { defineLooks } from "./commands/looks.ts";
import { defineActs } from "./commands/acts.ts";
import { defineDoctor } from "./commands/doctor.ts";
import { definePages } from "./commands/pages.ts";
import { defineSend } from "./commands/send.ts";
import { defineUpkeep } from "./commands/upkeep.ts";
import type { Console } from "./console.ts";
import { exitCodeOf, exitCodes } from "./exit.ts";
import { storeVariable } from "./open.ts";

const { version } = createRequire(import.meta.url)("../package.json") as {
  readonly version: string;
};

const help = `
Which inbox: --store, or --inbox, or ${storeVariable}, or ./webhooks.sqlite. With --inbox a command knows your sources: it masks
what is personal by their word, and can verify refused deliveries again.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 refused (add --yes), 5 the store cannot be used.`;

/** Runs a command line, without the names of the program. Resolves with the exit code; never rejects. */
export async function run(args: readonly string[], console: Console): Promise<number> {
  const program = new Command("webhook-inbox")
    .description("Look at the webhooks that were kept, and steer them.")
    .version(version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void console.out.write(text),
      writeErr: (text) => void console.err.write(text),
    })
    .addHelpText("after", help);
  defineLooks(program, console);
  defineActs(program, console);
  defineSend(program, console);
  defineUpkeep(program, console);
  definePages(program, console);
  defineDoctor(program, console);
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof CommanderError) {
      // It has said so itself.
      return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    }
    const message = error instanceof Error ? error.message : String(error);
    console.err.write(`${visible(message.replace(/^\[webhook-inbox\] /, ""))}\n`);
    return exitCodeOf(error);
  }
}
