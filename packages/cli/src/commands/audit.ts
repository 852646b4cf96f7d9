/** `audit`: the ledger against what is there. */

import { type Inbox, visibleJson } from "@webhook-inbox/core";
import type { Console } from "../console.ts";
import { Exit } from "../exit.ts";
import { table } from "../text.ts";

/** Fails when events are missing: counts everything that is kept. */
export async function audit(inbox: Inbox, json: boolean, { out }: Console): Promise<void> {
  const found = await inbox.audit();
  const { standing, isBalanced, ...counts } = found;
  const rows = Object.entries({ ...counts, ...standing }).map(([name, count]) => [name, count]);
  out.write(json ? `${visibleJson(found)}\n` : `${table(["WHAT", "EVENTS"], rows)}\n`);
  if (found.missing !== 0) throw new Exit("failed", `${found.missing} events are missing.`);
  if (!isBalanced) throw new Exit("failed", "the ledger and what is there do not agree.");
}
