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
import { numberOf, optional, textOf } from "./values.ts";

/** Columns of an event, without those of its delivery. */
export const eventColumns = `e.seq, e.event_key, e.source, e.id, e.type, e.identified, e.state, e.reason, e.content_hash,
  e.occurred_at, e.received_at, e.due_at, e.replayed, e.generation, e.attempts, e.crashes, e.duplicates, e.finished,
  e.gave_up, e.history, e.interventions, e.notes, e.lane, e.lane_max, e.lane_head`;

/** Columns of a delivery, joined to its event. */
export const deliveryColumns =
  "d.method, d.target, d.account, d.segment, d.headers, d.verified_with, d.sealed, d.trace, d.reconstructed, d.body";

/** How a delivery is found from its event. */
export const ofEvent = "d.id = e.delivery";

export function eventOf(row: Row): EventRecord {
  return {
    key: keyOf(row["event_key"]),
    source: textOf(row["source"]),
    id: textOf(row["id"]),
    type: textOf(row["type"]),
    identified: numberOf(row["identified"]) === 1,
    state: textOf(row["state"]) as EventState,
    reason: optional(row["reason"], textOf) as EventRecord["reason"],
    occurredAt: optional(row["occurred_at"], numberOf),
    receivedAt: numberOf(row["received_at"]),
    dueAt: numberOf(row["due_at"]),
    lane: laneOf(row),
    replayed: numberOf(row["replayed"]) === 1,
    generation: numberOf(row["generation"]),
    attempts: numberOf(row["attempts"]),
    crashes: numberOf(row["crashes"]),
    duplicates: numberOf(row["duplicates"]),
    finished: listOf(textOf(row["finished"])) as string[],
    gaveUp: listOf(textOf(row["gave_up"])) as string[],
    history: listOf(textOf(row["history"])) as AttemptRecord[],
    interventions: listOf(textOf(row["interventions"])) as InterventionRecord[],
    notes: listOf(textOf(row["notes"])) as Note[],
  };
}

export function deliveryOf(row: Row): Delivery {
  return {
    method: textOf(row["method"]),
    target: textOf(row["target"]),
    account: optional(row["account"], textOf),
    segment: optional(row["segment"], textOf),
    headers: listOf(textOf(row["headers"])) as string[],
    verifiedWith: textOf(row["verified_with"]),
    reconstructed: numberOf(row["reconstructed"]) === 1,
    ...rareIn(optional(row["sealed"], textOf), optional(row["trace"], textOf)),
    contentHash: textOf(row["content_hash"]),
    body: row["body"] as Uint8Array,
    receivedAt: numberOf(row["received_at"]),
  };
}

/** An event, joined to its delivery if that is still there. */
export function keptOf(row: Row): Kept {
  return { event: eventOf(row), delivery: row["method"] === null ? undefined : deliveryOf(row) };
}

/** The bytes of a public key; 16 zeros, which no event has, for a text that is none. */
export const keyBytes = (key: string): Uint8Array => decodeKey(key) ?? new Uint8Array(16);

export const keyOf = (bytes: unknown): string => encodeKey(bytes as Uint8Array);
