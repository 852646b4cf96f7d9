/**
 * Pages of events in PostgreSQL, by the time they were received. A page walks an index: of all events, or of each source
 * and state that fits; what no index knows (types, reasons) is looked for among a bounded number of rows.
 */

import type { EventFilter, EventRecord } from "@webhook-inbox/core";
import { cursorAt, everyState, forever, placeOf, type Place } from "@webhook-inbox/core/records";
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

/** Rows looked at first, where no index knows what fits; then eight times as many, and so on. */
const lookedAtFirst = 512;
const lookedAtGrowth = 8;

/** Events that fit, beyond the cursor. */
export async function pageOf(run: Run, tables: Tables, ask: PageAsk): Promise<Page> {
  const { filter, order, limit } = ask;
  const { source, state, type, reason } = filter;
  const isIndexed = source !== undefined || state !== undefined;
  const sources = source === undefined && isIndexed ? await sourcesOf(run, tables) : [source];
  const ways = isIndexed ? sources.length * (state === undefined ? everyState.length : 1) : 1;
  // What an index knows wholly is looked at no further than needed.
  const isKnown = type === undefined && reason === undefined;
  const looksMost = isKnown ? limit + 1 : Math.ceil(lookedAtMax / ways) + limit;
  const found: Row[] = [];
  let from: Place = placeOf(ask.cursor, order === "oldest", filter);
  let looks = isKnown ? looksMost : Math.max(limit + 1, Math.ceil(lookedAtFirst / ways));
  for (let looked = 0; ;) {
    const { rows, end } = await look(run, tables, ask, {
      from,
      looks,
      most: limit + 1 - found.length,
      sources: isIndexed ? sources : undefined,
    });
    found.push(...rows);
    looked += looks;
    const events = found.slice(0, limit).map(eventOf);
    const last = found[limit - 1];
    if (found.length > limit && last !== undefined) {
      return { events, cursor: cursorAt(placeIn(last, "received_at", "seq")) };
    }
    if (end === undefined) return { events, cursor: undefined };
    if (looked >= looksMost) return { events, cursor: cursorAt(end) };
    from = end;
    looks = Math.min(looks * lookedAtGrowth, looksMost - looked);
  }
}

interface Looking {
  readonly from: Place;
  readonly looks: number;
  readonly most: number;
  /** Undefined to walk all events. */
  readonly sources: readonly (string | undefined)[] | undefined;
}

/** What fits among the next rows, and where the looking ended; undefined when there is no more. */
async function look(
  run: Run,
  tables: Tables,
  { filter, order, locks = false }: PageAsk,
  { from, looks, most, sources }: Looking,
): Promise<{ readonly rows: readonly Row[]; readonly end: Place | undefined }> {
  const { state, type, reason, receivedFrom = -forever, receivedBefore = forever } = filter;
  const isIndexed = sources !== undefined;
  const rows = await run(walkSql(tables, order === "oldest", isIndexed, locks), [
    Math.ceil(from.receivedAt),
    from.seq,
    Math.ceil(receivedFrom),
    Math.ceil(receivedBefore),
    type ?? null,
    reason ?? null,
    most,
    looks,
    ...(isIndexed ? [sources, state === undefined ? everyState : [state]] : []),
  ]);
  const [first] = rows;
  const isOver = first === undefined || first["end_at"] === null;
  return {
    rows: rows.filter((row) => row["key"] !== null),
    end: isOver ? undefined : placeIn(first, "end_at", "end_seq"),
  };
}

const placeIn = (row: Row, at: string, seq: string): Place => ({
  receivedAt: Number(row[at]),
  seq: Number(row[seq]),
});

/**
 * Looks at up to $8 rows beyond ($1, $2) and between the instants $3 and $4, and answers up to $7 of them that fit;
 * `end_at` and `end_seq` say where it stopped to look, if there may be more. One row without a key says that alone.
 */
function walkSql({ events }: Tables, isUp: boolean, isIndexed: boolean, locks: boolean): string {
  const beyond = isUp ? ">" : "<";
  const order = (name: string, nulls = ""): string =>
    ["received_at", "seq"]
      .map((column) => `${name}${column} ${isUp ? "ASC" : "DESC"}${nulls}`)
      .join(", ");
  const range = `(e.received_at, e.seq) ${beyond} ($1, $2) AND e.received_at >= $3 AND e.received_at < $4`;
  const walk = (where: string, by: string): string => `
    SELECT e.key, e.received_at, e.seq FROM ${events} AS e WHERE ${where} ORDER BY ${by} LIMIT $8`;
  // There are no nulls: only the index of sources and states has this order. Else the planner may walk all events by time,
  // expecting soon to meet one that fits.
  const listed = order("e.", isUp ? " NULLS FIRST" : " NULLS LAST");
  const ways = `
    SELECT f.* FROM unnest($9::text[]) AS s, unnest($10::text[]) AS t,
      LATERAL (${walk(`e.source = s AND e.state = t AND ${range}`, listed)}) AS f`;
  // Asked of the row itself: while its lock was waited for, it may have become another. Of expressions, which no index
  // knows: the row is to be found by its key, never by a walk through all that fit.
  const fits = `($5::text IS NULL OR e.type = $5) AND ($6::text IS NULL OR e.reason = $6)
    ${isIndexed ? "AND (e.source || '') = ANY ($9) AND (e.state || '') = ANY ($10)" : ""}`;
  return `
    WITH looked AS (
      SELECT * FROM (${isIndexed ? ways : walk(range, order("e."))}) AS all_ways ORDER BY ${order("")} LIMIT $8
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
