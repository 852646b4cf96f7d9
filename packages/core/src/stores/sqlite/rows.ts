/** Between rows and records: the only place where column values are read. */

import { decodeKey, encodeKey } from "../../event-key.ts";
import type { Kept } from "../../contracts/store.ts";
import type { Delivery } from "../../model/delivery.ts";
import type { AttemptRecord, EventRecord, EventState, Note } from "../../model/event.ts";
import type { InterventionRecord } from "../../model/intervention.ts";
import { listOf, rareIn } from "../records.ts";
import { laneOf } from "./lanes.ts";

/** A row as `node:sqlite` gives it. */
export type Row = Record<string, null | number | bigint | string | Uint8Array>;

/** Columns of an event, without those of its delivery. */
export const eventColumns = `e.key, e.source, e.id, e.type, e.identified, e.state, e.reason, e.content_hash,
  e.occurred_at, e.received_at, e.due_at, e.replayed, e.generation, e.attempts, e.crashes, e.duplicates, e.finished,
  e.gave_up, e.history, e.interventions, e.notes, e.lane, e.lane_max, e.lane_head`;

/** Columns of a delivery, joined to its event. */
export const deliveryColumns = `d.method, d.target, d.account, d.segment, d.headers, d.verified_with, d.sealed, d.trace, d.reconstructed, d.body,
  d.received_at AS delivered_at`;

export function eventOf(row: Row): EventRecord {
  return {
    key: encodeKey(row["key"] as Uint8Array),
    source: row["source"] as string,
    id: row["id"] as string,
    type: row["type"] as string,
    identified: row["identified"] === 1,
    state: row["state"] as EventState,
    reason: (row["reason"] ?? undefined) as EventRecord["reason"],
    occurredAt: (row["occurred_at"] ?? undefined) as number | undefined,
    receivedAt: row["received_at"] as number,
    dueAt: row["due_at"] as number,
    lane: laneOf(row),
    replayed: row["replayed"] === 1,
    generation: row["generation"] as number,
    attempts: row["attempts"] as number,
    crashes: row["crashes"] as number,
    duplicates: row["duplicates"] as number,
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
    account: (row["account"] ?? undefined) as string | undefined,
    segment: (row["segment"] ?? undefined) as string | undefined,
    headers: listOf(row["headers"] as string) as string[],
    verifiedWith: row["verified_with"] as string,
    reconstructed: row["reconstructed"] === 1,
    ...rareIn(row["sealed"], row["trace"]),
    contentHash: row["content_hash"] as string,
    body: row["body"] as Uint8Array,
    receivedAt: row["delivered_at"] as number,
  };
}

/** An event, joined to its delivery if that is still there. */
export function keptOf(row: Row): Kept {
  return { event: eventOf(row), delivery: row["method"] === null ? undefined : deliveryOf(row) };
}

/** The bytes of a public key; 16 zeros, which no event has, for a text that is none. */
export function keyBytes(key: string): Uint8Array {
  return decodeKey(key) ?? new Uint8Array(16);
}
