/** What may be claimed in MySQL, in the order in which it is: looked for without a lock. */

import type { ClaimAsk } from "@webhook-inbox/core";
import type { Room } from "@webhook-inbox/core/records";
import type { Writing } from "./writing.ts";
import { isSuspect, lookAll, pending, running, type Waiting } from "./due.ts";
import type { Row, Run } from "./pool.ts";
import { literal, type Tables } from "./tables.ts";
import { numberOf, textOf } from "./values.ts";

/** A row that may be claimed. */
export interface Candidate {
  readonly seq: number;
  readonly source: string;
  readonly type: string;
  readonly size: number;
  readonly crashes: number;
  readonly replayed: number;
  readonly dueAt: number;
  /** Whether its lease has ended. */
  readonly lapsed: boolean;
}

export const isOfSuspect = ({ crashes, lapsed }: Candidate): boolean => lapsed || crashes > 0;
const crashesOf = ({ crashes, lapsed }: Candidate): number => crashes + (lapsed ? 1 : 0);

/** How many more are looked for than are wanted: others may be claiming the first ones. */
const spare = 8;
const lookedForMax = 1000;

/** Suspects first, those with the most crashes before others; then those that were not replayed, the oldest due first. */
export async function candidatesOf(
  { run, tables, now }: Writing,
  ask: ClaimAsk,
  room: Room,
  types: Waiting,
): Promise<readonly Candidate[]> {
  const looks = Object.entries(ask.slots)
    .filter(([, slots]) => slots > 0)
    .flatMap(([source, slots]) => looksOf(tables, source, slots, room, types, now));
  const sources = Object.keys(ask.slots).filter((source) => (ask.slots[source] ?? 0) > 0);
  const suspects = ask.suspectsMax > 0 ? await suspectsOf(run, tables, sources, ask, now) : [];
  const found = (await lookAll(run, looks)).map(candidateOf);
  found.sort((a, b) => a.replayed - b.replayed || a.dueAt - b.dueAt || a.seq - b.seq);
  return [...suspects, ...found];
}

const columns = "e.seq, e.source, e.type, e.size, e.crashes, e.replayed";

/** Statements that look for what is due of a source; where its types are limited, of each by itself. */
function looksOf(
  { events, prefix }: Tables,
  source: string,
  slots: number,
  room: Room,
  types: Waiting,
  now: number,
): readonly string[] {
  const look = (index: string, where: string, replayed: number, most: number): string => `
    (SELECT ${columns}, e.due_at AS at, 0 AS lapsed FROM ${events} AS e FORCE INDEX (${prefix}_${index})
     WHERE e.source = ${literal(source)} AND e.state = ${pending} AND ${where} AND e.crashes = 0
       AND e.replayed = ${replayed} AND e.due_at <= ${now}
     ORDER BY e.due_at LIMIT ${Math.min(most * spare, lookedForMax)})`;
  const limited = types.get(source);
  if (limited === undefined) {
    return [0, 1].map((replayed) => look("events_due", "TRUE", replayed, slots));
  }
  return ([0, 1] as const).flatMap((replayed) =>
    limited
      .filter(({ type, at }) => at[replayed] <= now && room.left(source, type) > 0)
      // The oldest of all are among the types whose first ones are the oldest.
      .toSorted((a, b) => a.at[replayed] - b.at[replayed])
      .slice(0, slots)
      .map(({ type }) => {
        const most = Math.min(slots, room.left(source, type));
        return look("events_due_by_type", `e.type = ${literal(type)}`, replayed, most);
      }),
  );
}

async function suspectsOf(
  run: Run,
  { events, prefix }: Tables,
  sources: readonly string[],
  { crashesMax }: ClaimAsk,
  now: number,
): Promise<readonly Candidate[]> {
  if (sources.length === 0) return [];
  const { rows } = await run(
    `SELECT ${columns}, e.state = ${running} AS lapsed,
       CASE e.state WHEN ${running} THEN e.lease_ends_at ELSE e.due_at END AS at
     FROM ${events} AS e FORCE INDEX (${prefix}_events_due)
     WHERE e.source IN (${sources.map(literal).join(", ")}) AND ${isSuspect(crashesMax)}
       AND CASE e.state WHEN ${running} THEN e.lease_ends_at ELSE e.due_at END <= ${now}
     ORDER BY crashes + lapsed DESC, at, seq LIMIT ${lookedForMax}`,
  );
  return rows
    .map(candidateOf)
    .sort((a, b) => crashesOf(b) - crashesOf(a) || a.dueAt - b.dueAt || a.seq - b.seq);
}

function candidateOf(row: Row): Candidate {
  return {
    seq: numberOf(row["seq"]),
    source: textOf(row["source"]),
    type: textOf(row["type"]),
    size: numberOf(row["size"]),
    crashes: numberOf(row["crashes"]),
    replayed: numberOf(row["replayed"]),
    dueAt: numberOf(row["at"]),
    lapsed: numberOf(row["lapsed"]) === 1,
  };
}
