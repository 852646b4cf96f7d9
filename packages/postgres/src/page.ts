/**
 * Pages of events in PostgreSQL, by the time they were received. A page walks an index: of all events, or of each source
 * and state that fits; what no index knows (types, reasons) is looked for among a bounded number of rows.
 */

import type { EventFilter, EventRecord } from "@webhook-inbox/core";
import { cursorAt, everyState, placeOf } from "@webhook-inbox/core/records";
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
  /** Whether to lock what is found. */
  readonly locks?: boolean;
}

/** Events that fit, beyond the cursor. */
export async function pageOf(run: Run, tables: Tables, ask: PageAsk): Promise<Page> {
  const { filter, order, limit, locks = false } = ask;
  const isUp = order === "oldest";
  const from = placeOf(ask.cursor, isUp, filter);
  const { source, state, type, reason, receivedFrom = lowest, receivedBefore = highest } = filter;
  const isIndexed = source !== undefined || state !== undefined;
  const sources = source === undefined && isIndexed ? await sourcesOf(run, tables) : [source];
  // What an index knows wholly is looked at no further than needed.
  const isKnown = type === undefined && reason === undefined;
  const ways = isIndexed ? sources.length * (state === undefined ? everyState.length : 1) : 1;
  const looks = isKnown ? limit + 1 : Math.ceil(lookedAtMax / ways) + limit;
  const rows = await run(walkSql(tables, isUp, isIndexed, locks), [
    Math.ceil(from.receivedAt),
    from.seq,
    Math.ceil(receivedFrom),
    Math.ceil(receivedBefore),
    type ?? null,
    reason ?? null,
    limit + 1,
    looks,
    ...(isIndexed ? [sources, state === undefined ? everyState : [state]] : []),
  ]);
  const fitting = rows.filter((row) => row["key"] !== null);
  const events = fitting.slice(0, limit).map(eventOf);
  if (fitting.length > limit)
    return { events, cursor: cursorOf(fitting[limit - 1], "received_at", "seq") };
  const isOver = rows[0]?.["end_at"] === null;
  return { events, cursor: isOver ? undefined : cursorOf(rows[0], "end_at", "end_seq") };
}

const lowest = -8.64e15;
const highest = 8.64e15;

const cursorOf = (row: Row | undefined, at: string, seq: string): string =>
  cursorAt({ receivedAt: Number(row?.[at]), seq: Number(row?.[seq]) });

/**
 * Looks at up to $8 rows beyond ($1, $2) and between the instants $3 and $4, and answers up to $7 of them that fit;
 * `end_at` and `end_seq` say where it stopped to look, if there may be more. One row without a key says that alone.
 */
function walkSql({ events }: Tables, isUp: boolean, isIndexed: boolean, locks: boolean): string {
  const beyond = isUp ? ">" : "<";
  const order = (name: string): string =>
    `${name}received_at ${isUp ? "ASC" : "DESC"}, ${name}seq ${isUp ? "ASC" : "DESC"}`;
  const range = `(e.received_at, e.seq) ${beyond} ($1, $2) AND e.received_at >= $3 AND e.received_at < $4`;
  const walk = (where: string): string => `
    SELECT e.key, e.received_at, e.seq FROM ${events} AS e
    WHERE ${where} AND ${range} ORDER BY ${order("e.")} LIMIT $8`;
  const ways = `
    SELECT f.* FROM unnest($9::text[]) AS s, unnest($10::text[]) AS t,
      LATERAL (${walk("e.source = s AND e.state = t")}) AS f`;
  // Asked of the row itself: while its lock was waited for, it may have become another.
  const fits = `($5::text IS NULL OR e.type = $5) AND ($6::text IS NULL OR e.reason = $6)
    ${isIndexed ? "AND e.source = ANY ($9) AND e.state = ANY ($10)" : ""}`;
  return `
    WITH looked AS (
      SELECT * FROM (${isIndexed ? ways : walk("true")}) AS all_ways ORDER BY ${order("")} LIMIT $8
    ),
    fitting AS (
      SELECT ${eventColumns}, e.seq FROM looked AS l JOIN ${events} AS e USING (key)
      WHERE ${fits} ORDER BY ${order("e.")} LIMIT $7 ${locks ? "FOR UPDATE OF e" : ""}
    ),
    stopped AS (
      SELECT received_at AS end_at, seq AS end_seq FROM looked ORDER BY ${order("")} OFFSET $8 - 1 LIMIT 1
    )
    SELECT f.*, end_at, end_seq FROM (SELECT true) AS one LEFT JOIN fitting AS f ON true LEFT JOIN stopped ON true
    ORDER BY ${order("f.")}`;
}

/** Sources that have events, found by leaping from one to the next. */
export async function sourcesOf(run: Run, { events }: Tables): Promise<readonly string[]> {
  const rows = await run(`
    WITH RECURSIVE walk AS (
      SELECT (SELECT min(source) FROM ${events}) AS source
      UNION ALL
      SELECT (SELECT min(e.source) FROM ${events} AS e WHERE e.source > walk.source) FROM walk WHERE walk.source IS NOT NULL
    ) SELECT source FROM walk WHERE source IS NOT NULL`);
  return rows.map((row) => row["source"] as string);
}
