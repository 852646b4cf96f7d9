/**
 * `prune` in PostgreSQL: whole days of deliveries, then single ones that belong to no day, then keys, then what was refused too
 * often, then tallies.
 */

import { prunable, type PruneAnswer, type PruneAsk } from "@webhook-inbox/core";
import { badCursor } from "@webhook-inbox/core/records";
import type { Connection, Session } from "./connection.ts";
import { daysOf, dropDay, makeDays } from "./days.ts";
import { sourcesOf } from "./page.ts";
import { pruneRefused } from "./refused.ts";
import type { PostgresClient, Row, Run } from "./pool.ts";
import { isAnswered } from "./unavailable.ts";
import { nowMs, type Tables } from "./tables.ts";
import { foldTallies, tallyPruned } from "./tallies.ts";

const isOver = `state IN (${prunable.map((state) => `'${state}'`).join(", ")})`;

/** The cursor says which part of the round it is, and where in it to go on. */
export async function prune<Client extends PostgresClient>(
  connection: Connection<Client>,
  tables: Tables,
  ask: PruneAsk,
): Promise<PruneAnswer> {
  const { run } = connection;
  const [row] = await run(`SELECT ${nowMs} AS now`);
  const now = Number(row?.["now"]);
  const [part = "days", at = "-9e15", place = "0"] = ask.cursor?.split(" ") ?? [];
  const after = [at, place].map(Number);
  if (after.some(Number.isNaN)) throw badCursor();
  if (part === "days") return await pruneDay(connection, tables, ask, now, Number(at));
  if (part === "payloads") {
    const { removed, last } = await connection.transaction(({ run: within }) =>
      prunePayloads(within, tables, ask, now, after),
    );
    return { payloads: removed, keys: 0, cursor: last === undefined ? "keys" : `payloads ${last}` };
  }
  if (part === "keys") {
    const { removed, last } = await connection.transaction((session) =>
      pruneKeys(session, tables, ask, now, after),
    );
    return { payloads: 0, keys: removed, cursor: last === undefined ? "refused" : `keys ${last}` };
  }
  if (part === "refused") {
    const sources = await sourcesOf(run, tables);
    const { payloads, keys } = await connection.transaction((session) =>
      pruneRefused(session, tables, ask, now, sources),
    );
    return { payloads, keys, cursor: keys === ask.limit ? "refused" : "tallies" };
  }
  const isMore = await foldTallies(run, tables, ask, now);
  return { payloads: 0, keys: 0, cursor: isMore ? "tallies" : undefined };
}

const dropMs = 60_000;

/** The next day that is wholly old. A day that others use just now is left for the next round. */
async function pruneDay<Client extends PostgresClient>(
  connection: Connection<Client>,
  tables: Tables,
  ask: PruneAsk,
  now: number,
  after: number,
): Promise<PruneAnswer> {
  if (ask.cursor === undefined) await makeDays(connection, tables, now);
  const days = await daysOf(connection.run, tables);
  const day = days.find(
    ({ from, before }) => from > after && before < instantBefore(now, ask.payloadMs),
  );
  if (day === undefined) return { payloads: 0, keys: 0, cursor: "payloads" };
  const payloads = await connection
    .transaction(({ run }) => dropDay(run, tables, day), dropMs)
    .catch((error: unknown) => {
      // Somebody uses it just now, or only its owner may drop it: what is to be forgotten goes one by one.
      if (isAnswered((error as Error).cause)) return undefined;
      throw error;
    });
  return { payloads: payloads ?? 0, keys: 0, cursor: `days ${day.from}` };
}

interface Part {
  readonly removed: number;
  /** The last row looked at; undefined when no further one is old. */
  readonly last: string | undefined;
}

/** Instant and number of the last row, if there may be more. */
const lastOf = (rows: readonly Row[], limit: number): string | undefined => {
  const last = rows.length < limit ? undefined : rows.at(-1);
  return last === undefined
    ? undefined
    : `${String(last["received_at"])} ${String(last["number"])}`;
};

/** The instant so long ago; where nothing ever grows old, one before all others. */
const instantBefore = (now: number, ms: number): number =>
  Number.isFinite(ms) ? Math.max(-9e15, Math.ceil(now - ms)) : -9e15;

/**
 * Deliveries one by one: those of no day, and those of days from which too much is needed still. Their events are locked,
 * so that none of them is replayed meanwhile; what somebody else has locked stays. Runs in a transaction.
 */
async function prunePayloads(
  run: Run,
  tables: Tables,
  { limit, payloadMs }: PruneAsk,
  now: number,
  after: readonly number[],
): Promise<Part> {
  const { deliveries, events } = tables;
  const before = instantBefore(now, payloadMs);
  // The day in which retention ends goes as a whole, later; unless retention is shorter than a day.
  const horizon = payloadMs < dayMs ? before : before - (((before % dayMs) + dayMs) % dayMs);
  const rows = await run(
    `SELECT d.received_at, d.id AS number FROM ${deliveries} AS d
     WHERE (d.received_at, d.id) > ($1, $2) AND d.received_at < $3 ORDER BY d.received_at, d.id LIMIT $4`,
    [...after, horizon, limit],
  );
  const old = [rows.map((row) => row["received_at"]), rows.map((row) => row["number"])];
  const locked = await run(
    `SELECT e.key FROM ${events} AS e JOIN unnest($1::bigint[], $2::bigint[]) AS o (at, id)
       ON e.received_at = o.at AND e.delivery = o.id
     WHERE e.${isOver} ORDER BY e.key FOR UPDATE OF e SKIP LOCKED`,
    old,
  );
  const removed = await run(
    `DELETE FROM ${deliveries} AS d USING unnest($1::bigint[], $2::bigint[]) AS o (at, id)
     WHERE d.received_at = o.at AND d.id = o.id AND NOT EXISTS (
       SELECT FROM ${events} AS e
       WHERE e.received_at = d.received_at AND e.delivery = d.id AND NOT (e.key = ANY ($3::uuid[]) AND e.${isOver})
     ) RETURNING d.id`,
    [...old, locked.map((row) => row["key"])],
  );
  return { removed: removed.length, last: lastOf(rows, limit) };
}

const dayMs = 86_400_000;

/** Runs in a transaction. */
async function pruneKeys(
  session: Session,
  tables: Tables,
  { limit, keyMs }: PruneAsk,
  now: number,
  after: readonly number[],
): Promise<Part> {
  const { events, deliveries } = tables;
  const rows = await session.run(
    `WITH old AS (
       SELECT e.key, e.received_at, e.seq FROM ${events} AS e
       WHERE (e.received_at, e.seq) > ($1, $2) AND e.received_at < $3 ORDER BY e.received_at, e.seq LIMIT $4
     ),
     locked AS (
       SELECT e.key FROM ${events} AS e JOIN old USING (key)
       WHERE e.${isOver} AND NOT EXISTS (
         SELECT FROM ${deliveries} AS d WHERE d.received_at = e.received_at AND d.id = e.delivery
       ) FOR UPDATE OF e SKIP LOCKED
     ),
     removed AS (
       DELETE FROM ${events} AS e USING locked AS l WHERE e.key = l.key RETURNING e.key, e.source, e.type, e.state
     )
     SELECT o.received_at, o.seq AS number, r.source, r.type, r.state
     FROM old AS o LEFT JOIN removed AS r USING (key) ORDER BY 1, 2`,
    [...after, instantBefore(now, keyMs), limit],
  );
  const gone = rows.filter((row) => row["state"] !== null);
  await tallyPruned(session, tables, gone, now);
  return { removed: gone.length, last: lastOf(rows, limit) };
}
