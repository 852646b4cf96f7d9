/** What waits in MySQL: types of which there is something, and when something will be due. */

import type { ClaimAsk } from "@webhook-inbox/core";
import { forever, type Room } from "@webhook-inbox/core/records";
import type { Row, Run } from "./pool.ts";
import { literal, type Tables } from "./tables.ts";
import { numberOf, textOf } from "./values.ts";

/** Types looked at in one call: a sender may think of any number of them. */
const typesMax = 1000;

export const pending: string = literal("pending");
export const running: string = literal("running");

/** Of each source whose types are limited: types of which something waits, and since when, replayed or not. */
export type Waiting = ReadonlyMap<string, readonly WaitingType[]>;

interface WaitingType {
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

/** Found by leaping from one type to the next; where there are too many, each call goes on. */
async function typesOf(
  run: Run,
  tables: Tables,
  source: string,
  walks: Map<string, string>,
): Promise<readonly WaitingType[]> {
  const { events, prefix } = tables;
  const ofSource = `e.source = ${literal(source)} AND e.state = ${pending}`;
  const index = `FORCE INDEX (${prefix}_events_due_by_type)`;
  const walk = async (from: string, most: number): Promise<readonly string[]> => {
    const found: string[] = [];
    for (let after = from === "" ? "TRUE" : `e.type > ${literal(from)}`; found.length < most;) {
      const { rows } = await run(
        `SELECT e.type FROM ${events} AS e ${index} WHERE ${ofSource} AND ${after} ORDER BY e.type LIMIT 1`,
      );
      const [row] = rows;
      if (row === undefined) break;
      const type = textOf(row["type"]);
      found.push(type);
      after = `e.type > ${literal(type)}`;
    }
    return found;
  };
  const from = walks.get(source) ?? "";
  const types = [...(await walk(from, typesMax))];
  if (from !== "" && types.length < typesMax) {
    const more = await walk("", typesMax - types.length);
    types.push(...more.filter((type) => !types.includes(type)));
  }
  walks.set(source, types.length < typesMax ? "" : (types.at(-1) ?? ""));
  const firsts = await firstDue(
    run,
    types.flatMap((type, place) =>
      replays.map(
        (replayed) => `(
          SELECT ${place} AS place, ${replayed} AS replayed, e.due_at AS at FROM ${events} AS e ${index}
          WHERE ${ofSource} AND e.type = ${literal(type)} AND e.crashes = 0 AND e.replayed = ${replayed}
          ORDER BY e.due_at LIMIT 1)`,
      ),
    ),
  );
  return types.map((type, place) => ({ type, at: firsts.get(place) ?? never }));
}

const replays = [0, 1] as const;
const never = [Infinity, Infinity] as const;

/** When the first ones are due, by `place`. */
async function firstDue(
  run: Run,
  looks: readonly string[],
): Promise<ReadonlyMap<number, readonly [number, number]>> {
  const found = new Map<number, [number, number]>();
  for (const row of await lookAll(run, looks)) {
    const place = numberOf(row["place"]);
    const at = found.get(place) ?? [...never];
    at[numberOf(row["replayed"]) as 0 | 1] = instantOf(row["at"]);
    found.set(place, at);
  }
  return found;
}

/** Looks in one statement, of a length that servers like. */
const looksAtOnce = 200;

/**
 * Rows of many looks. Each has its values in its text: servers follow an index to the first row only for what is constant
 * there.
 */
export async function lookAll(run: Run, looks: readonly string[]): Promise<readonly Row[]> {
  const found: Row[] = [];
  for (let from = 0; from < looks.length; from += looksAtOnce) {
    const { rows } = await run(looks.slice(from, from + looksAtOnce).join(" UNION ALL "));
    found.push(...rows);
  }
  return found;
}

/** What waits in its lane is due when others make room, and is found then. */
const instantOf = (value: unknown): number =>
  value === null || numberOf(value) >= forever ? Infinity : numberOf(value);

/** Milliseconds from `now` until something of the sources may be claimed; suspects count only while one may run. */
export async function untilDue(
  run: Run,
  { events, prefix }: Tables,
  { slots, suspectsMax, crashesMax }: ClaimAsk,
  room: Room,
  types: Waiting,
  now: number,
): Promise<number | undefined> {
  const sources = Object.keys(slots);
  const index = `FORCE INDEX (${prefix}_events_due)`;
  const whole = sources.filter((source) => !types.has(source));
  const firsts = await firstDue(
    run,
    whole.flatMap((source, place) =>
      replays.map(
        (replayed) => `(
          SELECT ${place} AS place, ${replayed} AS replayed, e.due_at AS at FROM ${events} AS e ${index}
          WHERE e.source = ${literal(source)} AND e.state = ${pending} AND e.crashes = 0 AND e.replayed = ${replayed}
          ORDER BY e.due_at LIMIT 1)`,
      ),
    ),
  );
  const ofTypes = [...types].flatMap(([source, waiting]) =>
    waiting.filter(({ type }) => !room.isFull(source, type)).flatMap(({ at }) => at),
  );
  const instants = [...[...firsts.values()].flat(), ...ofTypes];
  if (suspectsMax > 0 && sources.length > 0) {
    // There are as many as are in hand.
    const { rows } = await run(
      `SELECT e.source, e.type, MIN(CASE e.state WHEN ${running} THEN e.lease_ends_at ELSE e.due_at END) AS at
       FROM ${events} AS e ${index}
       WHERE e.source IN (${sources.map(literal).join(", ")}) AND ${isSuspect(crashesMax)}
       GROUP BY e.source, e.type`,
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
