/** What waits in MySQL: types of which there is something, and when something will be due. */

import type { ClaimAsk } from "@webhook-inbox/core";
import { forever, type Room } from "@webhook-inbox/core/records";
import type { Run } from "./pool.ts";
import { Given, literal, nowMs, type Tables } from "./tables.ts";
import { numberOf, textOf } from "./values.ts";

/** Types looked at in one call: a sender may think of any number of them. */
const typesMax = 1000;

export const pending: string = literal("pending");
export const running: string = literal("running");

/** Of each source whose types are limited: types of which something waits, and since when, replayed or not. */
export type Waiting = ReadonlyMap<string, readonly WaitingType[]>;

export interface WaitingType {
  readonly type: string;
  /** When the first one is due: of those that were not replayed, and of the others. */
  readonly at: readonly [number, number];
}

export async function waitingTypes(
  run: Run,
  tables: Tables,
  sources: readonly string[],
  walks: Map<string, string>,
): Promise<Waiting> {
  const found = new Map<string, readonly WaitingType[]>();
  for (const source of sources) found.set(source, await typesOf(run, tables, source, walks));
  return found;
}

const givenTypes = new Given({ type: "text" });

/** Found by leaping from one type to the next; where there are too many, each call goes on. */
async function typesOf(
  run: Run,
  { events, prefix }: Tables,
  source: string,
  walks: Map<string, string>,
): Promise<readonly WaitingType[]> {
  const ofSource = `e.source = ${literal(source)} AND e.state = ${pending}`;
  const walk = async (from: string, most: number): Promise<readonly string[]> => {
    const first = (after: string): string => `
      SELECT e.type FROM ${events} AS e FORCE INDEX (${prefix}_events_due_by_type)
      WHERE ${ofSource} AND ${after} ORDER BY e.type LIMIT 1`;
    const { rows } = await run(
      `WITH RECURSIVE walk AS (
         SELECT (${first(from === "" ? "TRUE" : `e.type > ${literal(from)}`)}) AS type, 1 AS place
         UNION ALL
         SELECT (${first("e.type > walk.type")}), place + 1 FROM walk WHERE walk.type IS NOT NULL AND place < ${most}
       ) SELECT type FROM walk WHERE type IS NOT NULL`,
    );
    return rows.map((row) => textOf(row["type"]));
  };
  const from = walks.get(source) ?? "";
  const types = [...(await walk(from, typesMax))];
  if (from !== "" && types.length < typesMax) {
    const more = await walk("", typesMax - types.length);
    types.push(...more.filter((type) => !types.includes(type)));
  }
  walks.set(source, types.length < typesMax ? "" : (types.at(-1) ?? ""));
  if (types.length === 0) return [];
  const first = (replayed: 0 | 1): string => `(
    SELECT e.due_at FROM ${events} AS e FORCE INDEX (${prefix}_events_due_by_type)
    WHERE ${ofSource} AND e.type = ${givenTypes.sql("type")} AND e.crashes = 0 AND e.replayed = ${replayed}
    ORDER BY e.due_at LIMIT 1)`;
  const { rows } = await run(
    `SELECT ${givenTypes.sql("type")} AS type, ${first(0)} AS at_first, ${first(1)} AS at_replayed
     FROM ${givenTypes.table}`,
    [givenTypes.of(types.map((type) => ({ type })))],
  );
  return rows.map((row) => ({
    type: textOf(row["type"]),
    at: [instantOf(row["at_first"]), instantOf(row["at_replayed"])],
  }));
}

/** What waits in its lane is due when others make room, and is found then. */
const instantOf = (value: unknown): number =>
  value === null || numberOf(value) >= forever ? Infinity : numberOf(value);

const givenSources = new Given({ source: "text" });

/** Milliseconds until something of the sources may be claimed; suspects count only while one may run. */
export async function untilDue(
  run: Run,
  { events, prefix }: Tables,
  { slots, suspectsMax, crashesMax }: ClaimAsk,
  room: Room,
  types: Waiting,
): Promise<number | undefined> {
  const sources = Object.keys(slots);
  const ofSources = givenSources.of(sources.map((source) => ({ source })));
  const first = (replayed: 0 | 1): string => `(
    SELECT e.due_at FROM ${events} AS e FORCE INDEX (${prefix}_events_due)
    WHERE e.source = ${givenSources.sql("source")} AND e.state = ${pending} AND e.crashes = 0 AND e.replayed = ${replayed}
    ORDER BY e.due_at LIMIT 1)`;
  const waiting = await run(
    `SELECT ${nowMs} AS now, ${givenSources.sql("source")} AS source, ${first(0)} AS at_first, ${first(1)} AS at_replayed
     FROM ${givenSources.table}`,
    [ofSources],
  );
  const now = numberOf(waiting.rows[0]?.["now"] ?? 0);
  const instants = waiting.rows.flatMap((row) => {
    const ofTypes = types.get(textOf(row["source"]));
    return ofTypes === undefined
      ? [instantOf(row["at_first"]), instantOf(row["at_replayed"])]
      : ofTypes
          .filter(({ type }) => !room.isFull(textOf(row["source"]), type))
          .flatMap(({ at }) => at);
  });
  if (suspectsMax > 0) {
    // There are as many as are in hand.
    const { rows } = await run(
      `SELECT STRAIGHT_JOIN e.source, e.type, MIN(CASE e.state WHEN ${running} THEN e.lease_ends_at ELSE e.due_at END) AS at
       FROM ${givenSources.table} JOIN ${events} AS e FORCE INDEX (${prefix}_events_due)
         ON e.source = ${givenSources.sql("source")} AND ${isSuspect(crashesMax)}
       GROUP BY e.source, e.type`,
      [ofSources],
    );
    const open = rows.filter((row) => !room.isFull(textOf(row["source"]), textOf(row["type"])));
    instants.push(...open.map((row) => instantOf(row["at"])));
  }
  const soonest = Math.min(Infinity, ...instants);
  return soonest === Infinity ? undefined : Math.max(0, soonest - now);
}

const crashesMost = 1_000_000;

/** Events with a crash, those counted whose lease ends. */
export function isSuspect(crashesMax: number): string {
  const most = Math.min(crashesMax, crashesMost);
  return `((e.state = ${running} AND e.crashes < ${most})
    OR (e.state = ${pending} AND e.crashes > 0 AND e.crashes <= ${most}))`;
}
