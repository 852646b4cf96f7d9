/** `settle` and `extend` in MySQL: both write only where the fence is still the claim's. */

import type { Hold, Settlement } from "@webhook-inbox/core";
import { forever, headsAfter, listOf, listText, waitsAfter } from "@webhook-inbox/core/records";
import type { Writing } from "./writing.ts";
import { laneOf } from "./lanes.ts";
import type { Row, Run } from "./pool.ts";
import { keyBytes, keyOf } from "./rows.ts";
import { takeAll } from "./take.ts";
import { Given, givenKeys, givenSeqs, literal, nowMs, seqsOf, type Tables } from "./tables.ts";
import { numberOf, textOf } from "./values.ts";

/**
 * Rows that are held under these fences, by key and fence. They are locked in the order of their keys, so that those who
 * want the same events do not wait for one another in a circle.
 */
async function heldRows(
  run: Run,
  { events }: Tables,
  holds: readonly Hold[],
): Promise<ReadonlyMap<string, Row>> {
  const keys = [...new Set(holds.map(({ key }) => key))].sort();
  const { rows } = await run(
    `SELECT STRAIGHT_JOIN e.seq, e.event_key, e.fence, e.source, e.type, e.delivery, e.attempts, e.crashes, e.due_at,
       e.finished, e.lane, e.lane_max, e.lane_head
     FROM ${givenKeys.table} JOIN ${events} AS e ON e.event_key = ${givenKeys.sql("event_key")}
     WHERE e.state = ${literal("running")} FOR UPDATE`,
    [givenKeys.of(keys.map((key) => ({ event_key: keyBytes(key) })))],
  );
  return new Map(rows.map((row) => [`${keyOf(row["event_key"])} ${textOf(row["fence"])}`, row]));
}

export async function extendAll(
  run: Run,
  tables: Tables,
  holds: readonly Hold[],
  leaseMs: number,
): Promise<readonly boolean[]> {
  const held = await heldRows(run, tables, holds);
  const found = holds.map(({ key, fence }) => held.get(`${key} ${fence}`));
  const seqs = found.flatMap((row) => (row === undefined ? [] : [numberOf(row["seq"])]));
  if (seqs.length > 0) {
    await run(
      `UPDATE ${givenSeqs.table} STRAIGHT_JOIN ${tables.events} AS e ON e.seq = g.seq SET e.lease_ends_at = ${nowMs} + ?`,
      [seqsOf(seqs), Math.round(leaseMs)],
    );
  }
  return found.map((row) => row !== undefined);
}

const given = new Given({
  seq: "number",
  state: "text",
  reason: "text",
  due_at: "number",
  attempts: "number",
  crashes: "number",
  finished: "text",
  gave_up: "text",
  history: "text",
  lane_head: "number",
});

export async function settleAll(
  on: Writing,
  settlements: readonly Settlement[],
): Promise<readonly boolean[]> {
  const { run, tables, now, moves } = on;
  const held = new Map(await heldRows(run, tables, settlements));
  const ended: Parameters<typeof given.of>[0][number][] = [];
  const answers: boolean[] = [];
  const becoming: { readonly settlement: Settlement; readonly row: Row }[] = [];
  for (const settlement of settlements) {
    const name = `${settlement.key} ${settlement.fence}`;
    const row = held.get(name);
    // Of two settlements of one claim the first holds.
    held.delete(name);
    answers.push(row !== undefined);
    if (row === undefined) continue;
    const { outcome } = settlement;
    const [source, type] = [textOf(row["source"]), textOf(row["type"])];
    ended.push(endOf(row, settlement, now));
    moves.add({ source, type, from: "running", to: outcome.state });
    moves.touch(laneOf(row)?.key);
    if (outcome.state === "done" && outcome.became !== undefined)
      becoming.push({ settlement, row });
  }
  if (ended.length === 0) return answers;
  await run(
    `UPDATE ${given.table} STRAIGHT_JOIN ${tables.events} AS e ON e.seq = g.seq
     SET e.state = ${given.sql("state")}, e.reason = ${given.sql("reason")}, e.due_at = g.due_at, e.attempts = g.attempts,
       e.crashes = g.crashes, e.finished = ${given.sql("finished")}, e.gave_up = ${given.sql("gave_up")},
       e.history = ${given.sql("history")}, e.lane_head = g.lane_head, e.fence = NULL, e.lease_ends_at = NULL`,
    [given.of(ended)],
  );
  for (const { settlement, row } of becoming) await takeBecome(on, settlement, row);
  return answers;
}

/** What an event is once its attempt has ended. */
function endOf(
  row: Row,
  { outcome, finished, gaveUp, history, holdsLane = false }: Settlement,
  now: number,
): Parameters<typeof given.of>[0][number] {
  const lane = laneOf(row);
  const isPending = outcome.state === "pending";
  const isBack = isPending && outcome.handedBack;
  const waits = lane !== undefined && waitsAfter(lane, outcome);
  // Among those that are there may be what a transaction has finished.
  const names = new Set([...(listOf(textOf(row["finished"])) as string[]), ...finished]);
  return {
    seq: numberOf(row["seq"]),
    state: outcome.state,
    reason: "reason" in outcome ? outcome.reason : null,
    due_at: waits
      ? forever
      : isPending
        ? Math.min(forever, now + Math.round(outcome.afterMs))
        : numberOf(row["due_at"]),
    attempts: numberOf(row["attempts"]) - (isBack ? 1 : 0),
    crashes: isPending && !isBack ? 0 : numberOf(row["crashes"]),
    finished: listText([...names]),
    gave_up: listText(gaveUp),
    history: listText(history),
    lane_head: lane !== undefined && headsAfter(lane, { outcome, holdsLane }) ? 1 : 0,
  };
}

async function takeBecome(on: Writing, { outcome }: Settlement, row: Row): Promise<void> {
  const became = outcome.state === "done" ? (outcome.became ?? []) : [];
  const id = row["delivery"] as Uint8Array;
  const known = new Map(became.map(({ delivery }) => [delivery, id]));
  await takeAll({ ...on, ask: { fence: "", leaseMs: 0, slots: {} }, known }, became);
}
