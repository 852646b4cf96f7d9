/**
 * Pages of events in MySQL, by the time they were received. A page walks an index: of all events, or of each source and
 * state that fits; what no index knows (types, reasons) is looked for among a bounded number of rows.
 */

import type { EventFilter, EventRecord } from "@webhook-inbox/core";
import {
  cursorAt,
  everyState,
  forever,
  matches,
  placeOf,
  type Place,
} from "@webhook-inbox/core/records";
import type { Run } from "./pool.ts";
import { eventColumns, eventOf } from "./rows.ts";
import { givenSeqs, literal, seqsOf, type Tables } from "./tables.ts";
import { numberOf, textOf } from "./values.ts";

const lookedAtMax = 20_000;
/** Rows looked at first, where no index knows what fits; then eight times as many, and so on. */
const lookedAtFirst = 512;
const lookedAtGrowth = 8;

export interface Page {
  readonly events: readonly EventRecord[];
  /** Where the next page begins; undefined when there is none. */
  readonly cursor: string | undefined;
}

export interface PageAsk {
  readonly filter: EventFilter;
  readonly order: "newest" | "oldest";
  readonly cursor: string | undefined;
  readonly limit: number;
  /** Given to lock what is found; gets each event that was locked, also if it fits no longer. */
  readonly onLocked?: (event: EventRecord) => void;
}

/** Events that fit, beyond the cursor. */
export async function pageOf(run: Run, tables: Tables, ask: PageAsk): Promise<Page> {
  const { filter, order, limit } = ask;
  const isUp = order === "oldest";
  const ways = await waysOf(run, tables, filter);
  const isKnown = filter.type === undefined && filter.reason === undefined;
  // What an index knows wholly is looked at no further than needed.
  const looksMost = isKnown ? limit + 1 : Math.ceil(lookedAtMax / ways.length) + limit;
  const found: Place[] = [];
  let from = placeOf(ask.cursor, isUp, filter);
  let looks = isKnown ? looksMost : Math.max(limit + 1, Math.ceil(lookedAtFirst / ways.length));
  for (let looked = 0; ;) {
    const places = await look(run, tables, ask, { from, looks, ways });
    found.push(...places.filter(({ fits }) => fits));
    looked += looks;
    const end = places.length < looks ? undefined : places.at(-1);
    const isFull = found.length > limit;
    if (isFull || end === undefined || looked >= looksMost) {
      const last = isFull ? found[limit - 1] : end;
      const events = await read(run, tables, ask, found.slice(0, limit));
      return { events, cursor: last === undefined ? undefined : cursorAt(last) };
    }
    from = end;
    looks = Math.min(looks * lookedAtGrowth, looksMost - looked);
  }
}

interface Way {
  readonly source: string;
  readonly state: string;
}

/** Parts of the index to walk; undefined is all events. */
async function waysOf(
  run: Run,
  tables: Tables,
  { source, state }: EventFilter,
): Promise<readonly (Way | undefined)[]> {
  if (source === undefined && state === undefined) return [undefined];
  const sources = source === undefined ? await sourcesOf(run, tables) : [source];
  const states = state === undefined ? everyState : [state];
  const ways = sources.flatMap((one) => states.map((other) => ({ source: one, state: other })));
  return ways.length === 0 ? [undefined] : ways;
}

interface Looking {
  readonly from: Place;
  readonly looks: number;
  readonly ways: readonly (Way | undefined)[];
}

/** The next rows in order, and whether each fits. */
async function look(
  run: Run,
  { events, prefix }: Tables,
  { filter, order }: PageAsk,
  { from, looks, ways }: Looking,
): Promise<readonly (Place & { readonly fits: boolean })[]> {
  const { receivedFrom = -forever, receivedBefore = forever, ...rest } = filter;
  const isUp = order === "oldest";
  const [beyond, direction] = isUp ? [">", "ASC"] : ["<", "DESC"];
  const at = Math.ceil(from.receivedAt);
  const range = `e.received_at ${beyond}= ${at} AND (e.received_at ${beyond} ${at} OR e.seq ${beyond} ${from.seq})
    AND e.received_at >= ${Math.ceil(receivedFrom)} AND e.received_at < ${Math.ceil(receivedBefore)}`;
  const walks = ways.map((way) => {
    const index = way === undefined ? "events_received" : "events_listed";
    const where =
      way === undefined
        ? "TRUE"
        : `e.source = ${literal(way.source)} AND e.state = ${literal(way.state)}`;
    return `(SELECT e.received_at, e.seq, ${fitting(rest)} AS fits
      FROM ${events} AS e FORCE INDEX (${prefix}_${index})
      WHERE ${where} AND ${range} ORDER BY e.received_at ${direction}, e.seq ${direction} LIMIT ${looks})`;
  });
  const { rows } = await run(
    `SELECT received_at, seq, fits FROM (${walks.join(" UNION ALL ")}) AS walks
     ORDER BY received_at ${direction}, seq ${direction} LIMIT ${looks}`,
  );
  return rows.map((row) => ({
    receivedAt: numberOf(row["received_at"]),
    seq: numberOf(row["seq"]),
    fits: numberOf(row["fits"]) === 1,
  }));
}

/** What an event has to be, of itself. */
function fitting(filter: EventFilter): string {
  const conditions = (["source", "state", "type", "reason"] as const).flatMap((name) => {
    const value = filter[name];
    return value === undefined ? [] : [`COALESCE(e.${name} = ${literal(value)}, FALSE)`];
  });
  return conditions.length === 0 ? "TRUE" : `(${conditions.join(" AND ")})`;
}

async function read(
  run: Run,
  { events }: Tables,
  { filter, onLocked }: PageAsk,
  places: readonly Place[],
): Promise<readonly EventRecord[]> {
  if (places.length === 0) return [];
  const seqs = places.map(({ seq }) => seq);
  // In one order, so that those who want the same events do not wait for one another in a circle.
  const { rows } = await run(
    `SELECT STRAIGHT_JOIN ${eventColumns} FROM ${givenSeqs.table} JOIN ${events} AS e ON e.seq = g.seq
     ${onLocked === undefined ? "" : "FOR UPDATE"}`,
    [seqsOf(seqs.toSorted((a, b) => a - b))],
  );
  const found = new Map(rows.map((row) => [numberOf(row["seq"]), eventOf(row)]));
  for (const event of found.values()) onLocked?.(event);
  // While its lock was waited for, one may have become another.
  return seqs.flatMap((seq) => found.get(seq) ?? []).filter((event) => matches(event, filter));
}

/** Sources that have events, found by leaping from one to the next. */
export async function sourcesOf(run: Run, { events, prefix }: Tables): Promise<readonly string[]> {
  const found: string[] = [];
  for (let after = "TRUE"; ;) {
    const { rows } = await run(
      `SELECT e.source FROM ${events} AS e FORCE INDEX (${prefix}_events_listed)
       WHERE ${after} ORDER BY e.source LIMIT 1`,
    );
    const [row] = rows;
    if (row === undefined) return found;
    const source = textOf(row["source"]);
    found.push(source);
    after = `e.source > ${literal(source)}`;
  }
}
