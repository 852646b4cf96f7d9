/** Between rows and records: the only place where column values are read. */

import { decodeKey, encodeKey } from "../../event-key.ts";
import type { Delivery } from "../../model/delivery.ts";
import type { AttemptRecord, EventRecord, EventState, Note } from "../../model/event.ts";

/** A row as `node:sqlite` gives it. */
export type Row = Record<string, null | number | bigint | string | Uint8Array>;

/** Columns of an event, without those of its delivery. */
export const eventColumns = `e.key, e.source, e.id, e.type, e.state, e.reason, e.occurred_at, e.received_at, e.due_at,
  e.attempts, e.crashes, e.duplicates, e.finished, e.history, e.notes`;

export const deliveryColumns = `d.method, d.target, d.segment, d.headers, d.verified_with, d.reconstructed,
  d.content_hash, d.body, d.received_at AS delivered_at`;

export function eventOf(row: Row): EventRecord {
  return {
    key: encodeKey(row["key"] as Uint8Array),
    source: row["source"] as string,
    id: row["id"] as string,
    type: row["type"] as string,
    state: row["state"] as EventState,
    reason: (row["reason"] ?? undefined) as EventRecord["reason"],
    occurredAt: (row["occurred_at"] ?? undefined) as number | undefined,
    receivedAt: row["received_at"] as number,
    dueAt: row["due_at"] as number,
    attempts: row["attempts"] as number,
    crashes: row["crashes"] as number,
    duplicates: row["duplicates"] as number,
    finished: JSON.parse(row["finished"] as string) as string[],
    history: JSON.parse(row["history"] as string) as AttemptRecord[],
    notes: JSON.parse(row["notes"] as string) as Note[],
  };
}

export function deliveryOf(row: Row): Delivery {
  return {
    method: row["method"] as string,
    target: row["target"] as string,
    segment: (row["segment"] ?? undefined) as string | undefined,
    headers: JSON.parse(row["headers"] as string) as string[],
    verifiedWith: row["verified_with"] as string,
    reconstructed: row["reconstructed"] === 1,
    contentHash: row["content_hash"] as string,
    body: row["body"] as Uint8Array,
    receivedAt: row["delivered_at"] as number,
  };
}

/** The bytes of a public key; 16 zeros, which no event has, for a text that is none. */
export function keyBytes(key: string): Uint8Array {
  return decodeKey(key) ?? new Uint8Array(16);
}
