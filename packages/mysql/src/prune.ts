/** `prune` in MySQL: deliveries, then keys, then what was refused too often, then tallies. */

import { prunable, type PruneAnswer, type PruneAsk } from "@webhook-inbox/core";
import { badCursor } from "@webhook-inbox/core/records";
import type { Connection } from "./connection.ts";
import type { Writing } from "./writing.ts";
import { sourcesOf } from "./page.ts";
import type { MysqlConnection, Row } from "./pool.ts";
import { ofEvent } from "./rows.ts";
import { foldTallies } from "./tallies.ts";
import { Given, givenSeqs, literal, seqsOf, type Tables } from "./tables.ts";
import { numberOf, textOf } from "./values.ts";

const isOver = `state IN (${prunable.map(literal).join(", ")})`;

/** The cursor says which part of the round it is, and where in it to go on. */
export async function prune<Client extends MysqlConnection>(
  connection: Connection<Client>,
  tables: Tables,
  ask: PruneAsk,
): Promise<PruneAnswer> {
  const [part = "payloads", at = "-9000000000000000", place = ""] = ask.cursor?.split(" ") ?? [];
  const after: Place = { at: Number(at), place };
  if (!Number.isSafeInteger(after.at) || !/^[0-9a-f]*$/.test(place)) throw badCursor();
  return await connection.moving(tables, async (on) => {
    switch (part) {
      case "payloads": {
        const { removed, last } = await prunePayloads(on, ask, after);
        return { payloads: removed, keys: 0, cursor: cursorOf("payloads", last, "keys") };
      }
      case "keys": {
        const { removed, last } = await pruneKeys(on, ask, after);
        return { payloads: 0, keys: removed, cursor: cursorOf("keys", last, "refused") };
      }
      case "refused": {
        const { payloads, keys } = await pruneRefused(on, ask);
        return { payloads, keys, cursor: keys === ask.limit ? "refused" : "tallies" };
      }
      case "tallies": {
        const isMore = await foldTallies(on.run, tables, ask, on.now);
        return { payloads: 0, keys: 0, cursor: isMore ? "tallies" : undefined };
      }
      default:
        throw badCursor();
    }
  });
}

/** An instant, and a number as digits. */
interface Place {
  readonly at: number;
  readonly place: string;
}

const cursorOf = (part: string, last: Place | undefined, next: string): string =>
  last === undefined ? next : `${part} ${last.at} ${last.place}`;

interface Part {
  readonly removed: number;
  /** The last row looked at; undefined when no further one is old. */
  readonly last: Place | undefined;
}

/** The instant so long ago; where nothing ever grows old, one before all others. */
const instantBefore = (now: number, ms: number): number => Math.max(-9e15, Math.ceil(now - ms));

const givenIds = new Given({ id: "key", received_at: "number" });

/**
 * Deliveries whose events are all over. These are locked, so that none of them is replayed meanwhile; what somebody else has
 * locked stays.
 */
async function prunePayloads(
  { run, tables, now }: Writing,
  { limit, payloadMs }: PruneAsk,
  { at, place }: Place,
): Promise<Part> {
  const { deliveries, events, prefix } = tables;
  const { rows: old } = await run(
    `SELECT d.id, d.received_at FROM ${deliveries} AS d FORCE INDEX (${prefix}_deliveries_received)
     WHERE d.received_at >= ${at} AND (d.received_at > ${at} OR d.id > X'${place}')
       AND d.received_at < ${instantBefore(now, payloadMs)}
     ORDER BY d.received_at, d.id LIMIT ${limit}`,
  );
  const ids = old.map((row) => ({
    id: row["id"] as Uint8Array,
    received_at: numberOf(row["received_at"]),
  }));
  const last = lastOf(ids, limit, ({ id }) => Buffer.from(id).toString("hex"));
  if (ids.length === 0) return { removed: 0, last };
  const ofThem = `FROM ${givenIds.table} JOIN ${events} AS e
    ON e.received_at = g.received_at AND e.delivery = ${givenIds.sql("id")}`;
  const locked = await run(
    `SELECT STRAIGHT_JOIN e.seq ${ofThem} WHERE e.${isOver} FOR UPDATE SKIP LOCKED`,
    [givenIds.of(ids)],
  );
  // After the locks: what came of those events meanwhile is seen.
  const all = await run(`SELECT STRAIGHT_JOIN e.delivery, e.seq ${ofThem}`, [givenIds.of(ids)]);
  const free = new Set(locked.rows.map((row) => numberOf(row["seq"])));
  const needed = new Set(
    all.rows
      .filter((row) => !free.has(numberOf(row["seq"])))
      .map((row) => Buffer.from(row["delivery"] as Uint8Array).toString("hex")),
  );
  const unneeded = ids.filter(({ id }) => !needed.has(Buffer.from(id).toString("hex")));
  if (unneeded.length === 0) return { removed: 0, last };
  const { found } = await run(
    `DELETE d FROM ${givenIds.table} STRAIGHT_JOIN ${deliveries} AS d ON d.id = ${givenIds.sql("id")}`,
    [givenIds.of(unneeded)],
  );
  return { removed: found, last };
}

/** The last of the rows, if there may be more. */
function lastOf<T extends { readonly received_at: number }>(
  rows: readonly T[],
  limit: number,
  placeOf: (row: T) => string,
): Place | undefined {
  const last = rows.length < limit ? undefined : rows.at(-1);
  return last === undefined ? undefined : { at: last.received_at, place: placeOf(last) };
}

async function pruneKeys(
  on: Writing,
  { limit, keyMs }: PruneAsk,
  { at, place }: Place,
): Promise<Part> {
  const { run, tables, now } = on;
  const { events, deliveries, prefix } = tables;
  const seq = place === "" ? -1 : Number.parseInt(place, 16);
  const { rows } = await run(
    `SELECT e.seq, e.received_at FROM ${events} AS e FORCE INDEX (${prefix}_events_received)
     WHERE e.received_at >= ${at} AND (e.received_at > ${at} OR e.seq > ${seq})
       AND e.received_at < ${instantBefore(now, keyMs)}
     ORDER BY e.received_at, e.seq LIMIT ${limit}`,
  );
  const old = rows.map((row) => ({
    seq: numberOf(row["seq"]),
    received_at: numberOf(row["received_at"]),
  }));
  const last = lastOf(old, limit, (row) => row.seq.toString(16));
  if (old.length === 0) return { removed: 0, last };
  const locked = await run(
    `SELECT STRAIGHT_JOIN e.seq, e.source, e.type, e.state FROM ${givenSeqs.table} JOIN ${events} AS e ON e.seq = g.seq
     WHERE e.${isOver} AND NOT EXISTS (SELECT 1 FROM ${deliveries} AS d WHERE ${ofEvent}) FOR UPDATE SKIP LOCKED`,
    [seqsOf(old.map((row) => row.seq))],
  );
  await forget(on, locked.rows);
  return { removed: locked.rows.length, last };
}

/** Removes events, and tallies that. */
async function forget(
  { run, tables: { events }, moves }: Writing,
  rows: readonly Row[],
): Promise<void> {
  if (rows.length === 0) return;
  await run(`DELETE e FROM ${givenSeqs.table} STRAIGHT_JOIN ${events} AS e ON e.seq = g.seq`, [
    seqsOf(rows.map((row) => numberOf(row["seq"]))),
  ]);
  for (const row of rows) {
    const [source, type] = [textOf(row["source"]), textOf(row["type"])];
    moves.add({ source, type, from: textOf(row["state"]) as "done", to: "pruned" });
  }
}

/**
 * Of each source all refused ones but the newest. A delivery that was refused is that of one event, and may be gone for its
 * age already.
 */
async function pruneRefused(
  on: Writing,
  { refusedMax, limit }: PruneAsk,
): Promise<{ readonly payloads: number; readonly keys: number }> {
  const { run, tables } = on;
  const { events, deliveries, prefix } = tables;
  const refused = literal("refused");
  const surplus: number[] = [];
  for (const source of await sourcesOf(run, tables)) {
    const { rows } = await run(
      `SELECT e.seq FROM ${events} AS e FORCE INDEX (${prefix}_events_listed)
       WHERE e.source = ${literal(source)} AND e.state = ${refused}
       ORDER BY e.received_at DESC, e.seq DESC LIMIT ${limit - surplus.length} OFFSET ${refusedMax}`,
    );
    surplus.push(...rows.map((row) => numberOf(row["seq"])));
    if (surplus.length >= limit) break;
  }
  if (surplus.length === 0) return { payloads: 0, keys: 0 };
  const locked = await run(
    `SELECT STRAIGHT_JOIN e.seq, e.source, e.type, e.state FROM ${givenSeqs.table} JOIN ${events} AS e ON e.seq = g.seq
     WHERE e.state = ${refused} FOR UPDATE SKIP LOCKED`,
    [seqsOf(surplus)],
  );
  const { found } = await run(
    `DELETE d FROM ${givenSeqs.table} STRAIGHT_JOIN ${events} AS e ON e.seq = g.seq JOIN ${deliveries} AS d ON ${ofEvent}`,
    [seqsOf(locked.rows.map((row) => numberOf(row["seq"])))],
  );
  await forget(on, locked.rows);
  return { payloads: found, keys: locked.rows.length };
}
