/**
 * `prune` in SQLite. Rows are in the order of their commit, which is nearly that of their age: a round looks at the oldest
 * and ends at the first one that is young, so that it needs no index and reads little that stays.
 */

import type { PruneAnswer, PruneAsk } from "../../contracts/store.ts";
import { prunable } from "../../model/transitions.ts";
import type { Prepare } from "./connection.ts";
import { sourcesOf } from "./page.ts";
import type { Row } from "./rows.ts";
import { foldTallies } from "./tallies.ts";
import type { Writing } from "./writing.ts";

const isOver = `state IN (${prunable.map((state) => `'${state}'`).join(", ")})`;

/** Free pages that stay, for what comes next: 4 MiB. */
const freePagesKept = 1024;

/** Gives pages that nothing is in any more back to the disk, a few in a call. Answers whether there are more. */
function giveBack(prepare: Prepare, limit: number): boolean {
  const free = Number(prepare("PRAGMA freelist_count").get()?.["freelist_count"]);
  const pages = Math.min(limit, free - freePagesKept);
  if (pages <= 0) return false;
  prepare(`PRAGMA incremental_vacuum(${pages})`).all();
  return Number(prepare("PRAGMA freelist_count").get()?.["freelist_count"]) < free;
}

/** Deliveries, then keys, then what was refused too often, then tallies, then space; the cursor says which of them, and after which row. */
export function pruneNow(on: Writing, ask: PruneAsk): PruneAnswer {
  const { prepare, now } = on;
  const [part = "payloads", after = "0"] = ask.cursor?.split(" ") ?? [];
  if (part === "payloads") {
    const { removed, last } = prunePayloads(prepare, Number(after), ask, now);
    const cursor = last === undefined ? "keys 0" : `payloads ${last}`;
    return { payloads: removed, keys: 0, cursor };
  }
  if (part === "keys") {
    const { removed, last } = pruneKeys(on, Number(after), ask);
    return { payloads: 0, keys: removed, cursor: last === undefined ? "refused" : `keys ${last}` };
  }
  if (part === "refused") {
    const { payloads, keys } = pruneRefused(on, ask);
    return { payloads, keys, cursor: keys === ask.limit ? "refused" : "tallies" };
  }
  const isMore = part === "tallies" && foldTallies(prepare, ask, now);
  const cursor = isMore ? "tallies" : giveBack(prepare, ask.limit) ? "space" : undefined;
  return { payloads: 0, keys: 0, cursor };
}

interface Part {
  readonly removed: number;
  /** The last row looked at; undefined when no further one is old. */
  readonly last: number | undefined;
}

function prunePayloads(prepare: Prepare, after: number, ask: PruneAsk, now: number): Part {
  const { old, last } = oldest(prepare, "deliveries", after, ask.limit, ask.payloadMs, now);
  // What has an event that is not over is needed still.
  const remove = prepare(`
    DELETE FROM webhook_inbox_deliveries
    WHERE seq = ?1 AND NOT EXISTS (
      SELECT 1 FROM webhook_inbox_events e
      WHERE e.received_at = webhook_inbox_deliveries.received_at AND e.delivery = ?1 AND NOT e.${isOver})`);
  const removed = old.filter((seq) => remove.run(seq).changes === 1).length;
  return { removed, last };
}

function pruneKeys(on: Writing, after: number, ask: PruneAsk): Part {
  const { prepare, now } = on;
  const { old, last } = oldest(prepare, "events", after, ask.limit, ask.keyMs, now);
  const remove = prepare(`
    DELETE FROM webhook_inbox_events
    WHERE seq = ? AND ${isOver}
      AND NOT EXISTS (SELECT 1 FROM webhook_inbox_deliveries d WHERE d.seq = webhook_inbox_events.delivery)
    RETURNING key, source, type, state`);
  let removed = 0;
  for (const seq of old) {
    const row = remove.get(seq);
    if (row === undefined) continue;
    forget(on, row);
    removed += 1;
  }
  return { removed, last };
}

function forget({ keys, moves }: Writing, row: Row): void {
  const { source, type, state } = row as { source: string; type: string; state: "done" };
  keys.remove(row["key"] as Uint8Array);
  moves.add({ source, type, from: state, to: "pruned" });
}

/**
 * Of each source all refused ones but the newest. A delivery that was refused is that of one event, and may be gone for its age
 * already.
 */
function pruneRefused(
  on: Writing,
  { refusedMax, limit }: PruneAsk,
): { readonly payloads: number; readonly keys: number } {
  const { prepare } = on;
  const empty = prepare("DELETE FROM webhook_inbox_deliveries WHERE seq = ?");
  let [payloads, keys] = [0, 0];
  for (const source of sourcesOf(prepare)) {
    const rows = prepare(`
      DELETE FROM webhook_inbox_events WHERE seq IN (
        SELECT seq FROM webhook_inbox_events WHERE source = ?1 AND state = 'refused'
        ORDER BY received_at DESC, seq DESC LIMIT ?2 OFFSET ?3)
      RETURNING key, source, type, state, delivery`).all(source, limit - keys, refusedMax);
    for (const row of rows) {
      payloads += Number(empty.run(row["delivery"] as number).changes);
      forget(on, row);
    }
    keys += rows.length;
  }
  return { payloads, keys };
}

/** Rows after `after` that are older than `ageMs`. What a clock that was ahead has written is passed by, and ends no round. */
function oldest(
  prepare: Prepare,
  table: "deliveries" | "events",
  after: number,
  limit: number,
  ageMs: number,
  now: number,
): { readonly old: readonly number[]; readonly last: number | undefined } {
  const rows = prepare(
    `SELECT seq, received_at FROM webhook_inbox_${table} WHERE seq > ? ORDER BY seq LIMIT ?`,
  )
    .all(after, limit)
    .map((row) => ({ seq: Number(row["seq"]), receivedAt: Number(row["received_at"]) }));
  const isOld = (receivedAt: number): boolean => receivedAt < now - ageMs;
  const isYoung = (receivedAt: number): boolean => !isOld(receivedAt) && receivedAt <= now;
  const end = rows.findIndex(({ receivedAt }) => isYoung(receivedAt));
  const looked = end === -1 ? rows : rows.slice(0, end);
  return {
    old: looked.filter(({ receivedAt }) => isOld(receivedAt)).map(({ seq }) => seq),
    last: end === -1 && rows.length === limit ? rows.at(-1)?.seq : undefined,
  };
}
