/** `stats`: how many events stand where, by the ledger. */

import {
  everyState,
  standings,
  visibleJson,
  type Inbox,
  type TallyQuery,
} from "@webhook-inbox/core";
import type { Console } from "../console.ts";
import { table } from "../text.ts";

/** Those that the ledger tells apart. */
const columns = everyState.filter((state) => state !== "running");

export async function stats(
  inbox: Inbox,
  query: TallyQuery,
  json: boolean,
  { out, err }: Console,
): Promise<void> {
  const rows = standings(await inbox.tally(query));
  if (json) {
    for (const row of rows) out.write(`${visibleJson(row)}\n`);
    return;
  }
  if (rows.length === 0) return void err.write("No events.\n");
  const shown = columns.filter((state) => rows.some(({ standing }) => standing[state] !== 0));
  const names = [
    "SOURCE",
    "TYPE",
    "TAKEN",
    "DUPLICATES",
    ...shown.map((state) => state.toUpperCase()),
  ];
  const cells = rows.map(({ source, type, taken, duplicates, standing }) => [
    source,
    type,
    taken,
    duplicates,
    ...shown.map((state) => standing[state]),
  ]);
  out.write(`${table(names, cells)}\n`);
}
