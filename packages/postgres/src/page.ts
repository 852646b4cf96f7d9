/**
 * Pages of events in PostgreSQL, by the time they were received. A page walks an index: of all events, or of each source
 * and state that fits; what no index knows (types, reasons) is looked for among a bounded number of rows.
 */

import type { EventFilter, EventRecord, EventState } from "@webhook-inbox/core";
import { badCursor } from "@webhook-inbox/core/records";
import type { Row, Run } from "./pool.ts";
import { eventColumns, eventOf } from "./rows.ts";
import type { Tables } from "./tables.ts";

const lookedAtMax = 20_000;

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
  /** A further condition on `e`, and whether to lock what is found. */
  readonly more?: string;
  readonly locks?: boolean;
}

const every: readonly EventState[] = [
  "pending",
  "running",
  "done",
  "dead",
  "quarantined",
  "unhandled",
  "cancelled",
  "erased",
];

/** Events that fit, beyond the cursor. */
export async function pageOf(run: Run, tables: Tables, ask: PageAsk): Promise<Page> {
  const { filter, order, limit, more = "true", locks = false } = ask;
  const isUp = order === "oldest";
  const [at, seq] = positionOf(ask.cursor, isUp);
  const { source, state, type, reason, receivedFrom, receivedBefore } = filter;
  const isIndexed = source !== undefined || state !== undefined;
  const rows = await run(walkSql(tables, isUp, isIndexed, more, locks), [
    at,
    seq,
    receivedFrom === undefined ? lowest : Math.ceil(receivedFrom),
    receivedBefore === undefined ? highest : Math.ceil(receivedBefore),
    type ?? null,
    reason ?? null,
    limit + 1,
    ...(isIndexed
      ? [
          source === undefined ? await sourcesOf(run, tables) : [source],
          state === undefined ? every : [state],
        ]
      : []),
  ]);
  const fitting = rows.filter((row) => row["key"] !== null);
  const events = fitting.slice(0, limit).map(eventOf);
  if (fitting.length > limit) return { events, cursor: cursorOf(fitting[limit - 1]) };
  const end = rows[0]?.["end_at"];
  return {
    events,
    cursor:
      end === null || end === undefined
        ? undefined
        : `${String(end)}.${String(rows[0]?.["end_seq"])}`,
  };
}

const lowest = -8.64e15;
const highest = 8.64e15;

/** Instant and sequence number to go on from. */
function positionOf(cursor: string | undefined, isUp: boolean): readonly [string, string] {
  if (cursor === undefined) return isUp ? [String(lowest), "0"] : [String(highest), "0"];
  const [, at, seq] = /^(-?\d{1,16})\.(\d{1,18})$/.exec(cursor) ?? [];
  if (at === undefined || seq === undefined) throw badCursor();
  return [at, seq];
}

const cursorOf = (row: Row | undefined): string =>
  `${String(row?.["received_at"])}.${String(row?.["seq"])}`;

/**
 * Looks at up to 20,000 rows beyond ($1, $2) and between the instants $3 and $4, and answers up to $7 of them that fit;
 * `end_at` and `end_seq` say where it stopped to look, if there may be more. One row without a key says that alone.
 */
function walkSql(
  { events }: Tables,
  isUp: boolean,
  isIndexed: boolean,
  more: string,
  locks: boolean,
): string {
  const beyond = isUp ? ">" : "<";
  const order = (name: string): string =>
    `${name}received_at ${isUp ? "ASC" : "DESC"}, ${name}seq ${isUp ? "ASC" : "DESC"}`;
  const range = `(e.received_at, e.seq) ${beyond} ($1, $2) AND e.received_at >= $3 AND e.received_at < $4`;
  const walk = (where: string): string => `
    SELECT e.key, e.received_at, e.seq, e.type, e.reason FROM ${events} AS e
    WHERE ${where} AND ${range} ORDER BY ${order("e.")} LIMIT ${lookedAtMax}`;
  const ways = `
    SELECT f.* FROM unnest($8::text[]) AS s, unnest($9::text[]) AS t,
      LATERAL (${walk("e.source = s AND e.state = t")}) AS f`;
  const fits = `($5::text IS NULL OR l.type = $5) AND ($6::text IS NULL OR l.reason = $6)`;
  return `
    WITH looked AS (
      SELECT * FROM (${isIndexed ? ways : walk("true")}) AS all_ways ORDER BY ${order("")} LIMIT ${lookedAtMax}
    ),
    fitting AS (
      SELECT ${eventColumns}, e.seq FROM looked AS l JOIN ${events} AS e USING (key)
      WHERE ${fits} AND ${more} ORDER BY ${order("e.")} LIMIT $7 ${locks ? "FOR UPDATE OF e" : ""}
    ),
    stopped AS (
      SELECT received_at AS end_at, seq AS end_seq FROM looked ORDER BY ${order("")} OFFSET ${lookedAtMax - 1} LIMIT 1
    )
    SELECT f.*, end_at, end_seq FROM (SELECT true) AS one LEFT JOIN fitting AS f ON true LEFT JOIN stopped ON true
    ORDER BY ${order("f.")}`;
}

/** Sources that have events, found by leaping from one to the next. */
async function sourcesOf(run: Run, { events }: Tables): Promise<readonly string[]> {
  const rows = await run(`
    WITH RECURSIVE walk AS (
      SELECT (SELECT min(source) FROM ${events}) AS source
      UNION ALL
      SELECT (SELECT min(e.source) FROM ${events} AS e WHERE e.source > walk.source) FROM walk WHERE walk.source IS NOT NULL
    ) SELECT source FROM walk WHERE source IS NOT NULL`);
  return rows.map((row) => row["source"] as string);
}
