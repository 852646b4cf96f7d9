/**
 * `prune` in SQLite. Rows are in the order of their commit, which is nearly that of their age: a round looks at the oldest
 * and ends at the first one that is young, so that it needs no index and reads little that stays.
 */

import type { PruneAnswer, PruneAsk } from "../../contracts/store.ts";
import { prunable } from "../../model/transitions.ts";
import type { Moves } from "../records.ts";
import type { Prepare } from "./connection.ts";
import { foldTallies } from "./tallies.ts";

const isOver = `state IN (${prunable.map((state) => `'${state}'`).join(", ")})`;

/** First deliveries, then keys; the cursor says which, and after which row. */
export function pruneNow(prepare: Prepare, ask: PruneAsk, now: number, moves: Moves): PruneAnswer {
  const [part = "payloads", after = "0"] = ask.cursor?.split(" ") ?? [];
  if (part === "payloads") {
    const { removed, last } = prunePayloads(prepare, Number(after), ask, now);
    return {
      payloads: removed,
      keys: 0,
      cursor: last === undefined ? "keys 0" : `payloads ${last}`,
    };
  }
  const { removed, last } = pruneKeys(prepare, Number(after), ask, now, moves);
  if (last === undefined) foldTallies(prepare, ask, now);
  return { payloads: 0, keys: removed, cursor: last === undefined ? undefined : `keys ${last}` };
}

interface Part {
  readonly removed: number;
  /** The last row looked at; undefined when no further one is old. */
  readonly last: number | undefined;
}

function prunePayloads(prepare: Prepare, after: number, ask: PruneAsk, now: number): Part {
  const before = now - ask.payloadMs;
  const old = oldest(prepare, "deliveries", after, ask.limit, before);
  // What has an event that is not over is needed still.
  const remove = prepare(`
    DELETE FROM webhook_inbox_deliveries
    WHERE seq = ? AND NOT EXISTS (SELECT 1 FROM webhook_inbox_events e WHERE e.delivery = ?1 AND NOT e.${isOver})`);
  const removed = old.filter((seq) => remove.run(seq).changes === 1).length;
  return { removed, last: old.length < ask.limit ? undefined : old.at(-1) };
}

function pruneKeys(
  prepare: Prepare,
  after: number,
  ask: PruneAsk,
  now: number,
  moves: Moves,
): Part {
  const old = oldest(prepare, "events", after, ask.limit, now - ask.keyMs);
  const remove = prepare(`
    DELETE FROM webhook_inbox_events
    WHERE seq = ? AND ${isOver}
      AND NOT EXISTS (SELECT 1 FROM webhook_inbox_deliveries d WHERE d.seq = webhook_inbox_events.delivery)
    RETURNING source, type, state`);
  let removed = 0;
  for (const seq of old) {
    const row = remove.get(seq);
    if (row === undefined) continue;
    const { source, type, state } = row as { source: string; type: string; state: "done" };
    moves.add({ source, type, from: state, to: "pruned" });
    removed += 1;
  }
  return { removed, last: old.length < ask.limit ? undefined : old.at(-1) };
}

/** Rows after `after`, as long as they were received before `before`. */
function oldest(
  prepare: Prepare,
  table: "deliveries" | "events",
  after: number,
  limit: number,
  before: number,
): readonly number[] {
  const rows = prepare(
    `SELECT seq, received_at FROM webhook_inbox_${table} WHERE seq > ? ORDER BY seq LIMIT ?`,
  ).all(after, limit);
  const young = rows.findIndex((row) => Number(row["received_at"]) >= before);
  return (young === -1 ? rows : rows.slice(0, young)).map((row) => Number(row["seq"]));
}
