/** What is due in SQLite: which events may be claimed, in which order, and when there will be more. */

import type { StatementSync } from "node:sqlite";
import type { ClaimAsk } from "../../contracts/store.ts";
import { forever, type Room } from "../records.ts";
import type { Prepare } from "./connection.ts";

/** What one call of `claim` works with, and what it may still give. */
export interface Claiming {
  readonly prepare: Prepare;
  readonly ask: ClaimAsk;
  readonly now: number;
  readonly room: Room;
  suspects: number;
  /** Types of which something waits, by source, as far as they were looked for in this call. */
  readonly types: Map<string, readonly string[]>;
  /** Where the look for types goes on, by source, from call to call. */
  readonly walks: Map<string, string>;
}

export interface Candidate {
  readonly seq: number;
  readonly type: string;
  readonly crashes: number;
  readonly dueAt: number;
  readonly lapsed: 0 | 1;
  readonly suspect: 0 | 1;
}

const candidateColumns = `e.seq, e.type, e.crashes, e.due_at AS dueAt, e.state = 'running' AS lapsed,
  e.state = 'running' OR e.crashes > 0 AS suspect`;

const isDue = "e.state = 'pending' AND e.crashes = 0";
const suspectWays = [
  ["e.state = 'running' AND e.crashes < ?", "lease_ends_at"],
  ["e.state = 'pending' AND e.crashes > 0 AND e.crashes <= ?", "due_at"],
] as const;

/** Due rows of a source, those replayed last, oldest due first; before them suspects, if any may run. Reads no body. */
export function candidates(on: Claiming, source: string, count: number): readonly Candidate[] {
  const suspects = suspectsOf(on, source, Math.min(count, on.suspects));
  const left = count - suspects.length;
  if (left <= 0) return suspects;
  return [...suspects, ...(on.room.isLimited(source) ? dueByType : due)(on, source, left)];
}

/** Suspects that may run, of most crashes. There are few of them: as many as were in hand when a worker died. */
function suspectsOf(
  { prepare, ask, now, room }: Claiming,
  source: string,
  count: number,
): readonly Candidate[] {
  if (count <= 0) return [];
  const all = suspectWays.flatMap(([where, dueAt]) => {
    const statement = prepare(`
      SELECT ${candidateColumns} FROM webhook_inbox_events e WHERE ${where} AND e.source = ? AND e.${dueAt} <= ?`);
    return statement.all(ask.crashesMax, source, now) as unknown as Candidate[];
  });
  return all
    .filter(({ type }) => room.left(source, type) > 0)
    .sort((a, b) => b.crashes - a.crashes || a.dueAt - b.dueAt || a.seq - b.seq)
    .slice(0, count);
}

function due({ prepare, now }: Claiming, source: string, count: number): readonly Candidate[] {
  const found: Candidate[] = [];
  for (const replayed of [0, 1]) {
    if (found.length === count) break;
    const statement = prepare(`
      SELECT ${candidateColumns} FROM webhook_inbox_events e
      WHERE ${isDue} AND e.source = ? AND e.replayed = ? AND e.due_at <= ? ORDER BY e.due_at LIMIT ?`);
    const rows = statement.all(source, replayed, now, count - found.length);
    found.push(...(rows as unknown as Candidate[]));
  }
  return found;
}

/** The same where types are limited: of each its own, so that the backlog of a full one is not walked through. */
function dueByType(on: Claiming, source: string, count: number): readonly Candidate[] {
  const { prepare, now, room } = on;
  const types = typesOf(on, source).filter((type) => room.left(source, type) > 0);
  const found: Candidate[] = [];
  for (const replayed of [0, 1]) {
    const rows = types.flatMap((type) => {
      const most = Math.min(count - found.length, room.left(source, type));
      const statement = prepare(`
        SELECT ${candidateColumns} FROM webhook_inbox_events e
        WHERE ${isDue} AND e.source = ? AND e.type = ? AND e.replayed = ? AND e.due_at <= ?
        ORDER BY e.due_at LIMIT ?`);
      return statement.all(source, type, replayed, now, most) as unknown as Candidate[];
    });
    rows.sort((a, b) => a.dueAt - b.dueAt || a.seq - b.seq);
    found.push(...rows.slice(0, count - found.length));
  }
  return found;
}

/** Types looked at in one call: a sender may think of any number of them. */
const typesMax = 1000;

/** Types of which something waits, found by leaping from one to the next; where there are too many, each call goes on. */
function typesOf({ prepare, walks, types }: Claiming, source: string): readonly string[] {
  const known = types.get(source);
  if (known !== undefined) return known;
  const from = walks.get(source) ?? "";
  const found = [...walk(prepare, source, from, typesMax)];
  if (found.length < typesMax)
    found.push(...walk(prepare, source, "", typesMax - found.length, from));
  walks.set(source, found.length < typesMax ? "" : (found.at(-1) ?? ""));
  types.set(source, found);
  return found;
}

/** Types of a source after `from`, at most `most` of them, up to `until` where that is given. */
function* walk(
  prepare: Prepare,
  source: string,
  from: string,
  most: number,
  until?: string,
): Generator<string> {
  if (until === "") return;
  const after = (operator: ">" | ">="): StatementSync =>
    prepare(`
      SELECT min(e.type) AS type FROM webhook_inbox_events e
      WHERE ${isDue} AND e.source = ? AND e.type ${operator} ?`);
  let type = after(from === "" ? ">=" : ">").get(source, from)?.["type"];
  for (let count = 0; typeof type === "string" && count < most; count++) {
    if (until !== undefined && type > until) return;
    yield type;
    type = after(">").get(source, type)?.["type"];
  }
}

/** Milliseconds until something of some sources may be claimed; suspects count only while one may run. */
export function untilDue(on: Claiming, sources: readonly string[]): number | undefined {
  const { prepare, ask, now, room, suspects } = on;
  const first = (where: string, dueAt: string, ...values: readonly string[]): number => {
    const statement = prepare(
      `SELECT e.${dueAt} AS at FROM webhook_inbox_events e WHERE ${where} ORDER BY e.${dueAt} LIMIT 1`,
    );
    return Number(statement.get(...values)?.["at"] ?? Infinity);
  };
  const instants = sources.flatMap((source) => {
    const types = room.isLimited(source)
      ? typesOf(on, source).filter((type) => !room.isFull(source, type))
      : undefined;
    const ofSource = `${isDue} AND e.source = ?`;
    const waiting = [0, 1].flatMap((replayed) =>
      types === undefined
        ? [first(`${ofSource} AND e.replayed = ${replayed}`, "due_at", source)]
        : types.map((type) =>
            first(
              `${ofSource} AND e.type = ? AND e.replayed = ${replayed}`,
              "due_at",
              source,
              type,
            ),
          ),
    );
    if (suspects <= 0) return waiting;
    return [...waiting, ...suspectTimes({ prepare, ask, room }, source)];
  });
  const soonest = Math.min(Infinity, ...instants);
  return soonest >= forever ? undefined : Math.max(0, soonest - now);
}

/** When suspects of a source may be claimed, those of full types left out. */
function suspectTimes(
  { prepare, ask, room }: Pick<Claiming, "prepare" | "ask" | "room">,
  source: string,
): readonly number[] {
  return suspectWays.flatMap(([where, dueAt]) => {
    const rows = `FROM webhook_inbox_events e WHERE ${where} AND e.source = ?`;
    // What runs is as much as is in hand: only where types matter is all of it looked at.
    const statement = room.isLimited(source)
      ? prepare(`SELECT e.type, min(e.${dueAt}) AS at ${rows} GROUP BY e.type`)
      : prepare(`SELECT e.type, e.${dueAt} AS at ${rows} ORDER BY e.${dueAt} LIMIT 1`);
    return statement
      .all(ask.crashesMax, source)
      .filter((row) => !room.isFull(source, String(row["type"])))
      .map((row) => Number(row["at"]));
  });
}
