/** Between rows and records: the only place where column values are read. */

import {
  decodeKey,
  encodeKey,
  type AttemptRecord,
  type Delivery,
  type EventRecord,
  type EventState,
  type InterventionRecord,
  type Kept,
  type Note,
} from "@webhook-inbox/core";
import { listOf, rareIn } from "@webhook-inbox/core/records";
import { laneOf } from "./lanes.ts";
import type { Row } from "./pool.ts";

/** Columns of an event, without those of its delivery. */
export const eventColumns = `e.key, e.source, e.id, e.type, e.identified, e.state, e.reason, e.content_hash,
  e.occurred_at, e.received_at, e.due_at, e.replayed, e.generation, e.attempts, e.crashes, e.duplicates, e.finished,
  e.gave_up, e.history, e.interventions, e.notes, e.lane, e.lane_max, e.lane_head`;

/** Columns of a delivery, joined to its event. */
export const deliveryColumns =
  "d.method, d.target, d.account, d.segment, d.headers, d.verified_with, d.sealed, d.trace, d.reconstructed, d.body";

/** How a delivery is found from its event: `received_at` says in which partition. */
export const ofEvent = "d.received_at = e.received_at AND d.id = e.delivery";

/** What drivers give for a `bigint` differs: a text, a number, a bigint. */
const numberOf = (value: unknown): number => Number(value);

const optional = <T>(value: unknown, read: (value: unknown) => T): T | undefined =>
  value === null || value === undefined ? undefined : read(value);

export function eventOf(row: Row): EventRecord {
  return {
    key: keyOf(row["key"]),
    source: row["source"] as string,
    id: row["id"] as string,
    type: row["type"] as string,
    identified: row["identified"] === true,
    state: row["state"] as EventState,
    reason: optional(row["reason"], (value) => value as EventRecord["reason"]),
    occurredAt: optional(row["occurred_at"], numberOf),
    receivedAt: numberOf(row["received_at"]),
    dueAt: numberOf(row["due_at"]),
    lane: laneOf(row),
    replayed: row["replayed"] === true,
    generation: numberOf(row["generation"]),
    attempts: numberOf(row["attempts"]),
    crashes: numberOf(row["crashes"]),
    duplicates: numberOf(row["duplicates"]),
    finished: listOf(row["finished"] as string) as string[],
    gaveUp: listOf(row["gave_up"] as string) as string[],
    history: listOf(row["history"] as string) as AttemptRecord[],
    interventions: listOf(row["interventions"] as string) as InterventionRecord[],
    notes: listOf(row["notes"] as string) as Note[],
  };
}

export function deliveryOf(row: Row): Delivery {
  return {
    method: row["method"] as string,
    target: row["target"] as string,
    account: optional(row["account"], String),
    segment: optional(row["segment"], String),
    headers: listOf(row["headers"] as string) as string[],
    verifiedWith: row["verified_with"] as string,
    reconstructed: row["reconstructed"] === true,
    ...rareIn(row["sealed"], row["trace"]),
    contentHash: row["content_hash"] as string,
    body: row["body"] as Uint8Array,
    receivedAt: numberOf(row["received_at"]),
  };
}

/** An event, joined to its delivery if that is still there. */
export function keptOf(row: Row): Kept {
  return { event: eventOf(row), delivery: row["method"] === null ? undefined : deliveryOf(row) };
}

/** A public key as the text of a `uuid`; for a text that is none, one that no event has. */
export function uuidOf(key: string): string {
  return Buffer.from(decodeKey(key) ?? new Uint8Array(16)).toString("hex");
}

/** The public key of a `uuid`. */
export function keyOf(uuid: unknown): string {
  return encodeKey(Buffer.from(String(uuid).replaceAll("-", ""), "hex"));
}

/** Columns of many rows, for `unnest`: one list for each. */
export function columnsOf<T>(
  rows: readonly T[],
  columns: readonly ((row: T, index: number) => unknown)[],
): readonly unknown[][] {
  return columns.map((column) => rows.map((row, index) => column(row, index)));
}
