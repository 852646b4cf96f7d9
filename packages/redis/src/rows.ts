/** Between replies and records: the only place where fields are read. */

import type {
  AttemptRecord,
  Delivery,
  EventRecord,
  EventState,
  InterventionRecord,
  Kept,
  NewEvent,
  Note,
  TakeAsk,
} from "@webhook-inbox/core";
import { listText, rareIn } from "@webhook-inbox/core/records";
import type { Wake } from "./client.ts";

/** Fields of a hash. */
export type Fields = ReadonlyMap<string, Buffer>;

/** A hash as Redis answers it: name, value, name, value. */
export function fieldsOf(reply: unknown): Fields {
  const list = reply as readonly Buffer[];
  const fields = new Map<string, Buffer>();
  for (let at = 0; at + 1 < list.length; at += 2) {
    fields.set(String(list[at]), list[at + 1] as Buffer);
  }
  return fields;
}

/** A list that a script has written; it has one way to write both an empty list and an empty object. */
function listOf(value: Buffer | undefined): readonly unknown[] {
  const list = JSON.parse(String(value ?? "[]")) as unknown;
  return Array.isArray(list) ? list : [];
}

export function eventOf(fields: Fields): EventRecord {
  const text = (name: string): string => String(fields.get(name) ?? "");
  const number = (name: string): number => Number(text(name));
  return {
    key: text("key"),
    source: text("source"),
    id: text("id"),
    type: text("type"),
    identified: text("identified") === "1",
    state: text("state") as EventState,
    reason: fields.has("reason") ? (text("reason") as EventRecord["reason"]) : undefined,
    occurredAt: fields.has("occurred_at") ? number("occurred_at") : undefined,
    receivedAt: number("received_at"),
    dueAt: number("due_at"),
    lane: laneOf(fields),
    replayed: text("replayed") === "1",
    generation: number("generation"),
    attempts: number("attempts"),
    crashes: number("crashes"),
    duplicates: number("duplicates"),
    finished: listOf(fields.get("finished")) as string[],
    gaveUp: listOf(fields.get("gave_up")) as string[],
    history: listOf(fields.get("history")) as AttemptRecord[],
    interventions: listOf(fields.get("interventions")) as InterventionRecord[],
    notes: listOf(fields.get("notes")) as Note[],
  };
}

/** An ordered lane is kept as one of no width: a head that waits for its next attempt keeps its place. */
function laneOf(fields: Fields): EventRecord["lane"] {
  const key = fields.get("lane");
  if (key === undefined) return undefined;
  const width = Number(String(fields.get("lane_max")));
  const isHead = String(fields.get("lane_head")) === "1";
  return { key: String(key), isOrdered: width === 0, max: Math.max(1, width), isHead };
}

export function deliveryOf(fields: Fields): Delivery {
  const text = (name: string): string => String(fields.get(name) ?? "");
  return {
    method: text("method"),
    target: text("target"),
    account: fields.has("account") ? text("account") : undefined,
    segment: fields.has("segment") ? text("segment") : undefined,
    headers: listOf(fields.get("headers")) as string[],
    verifiedWith: text("verified_with"),
    reconstructed: text("reconstructed") === "1",
    ...rareIn(fields.get("sealed")?.toString(), fields.get("trace")?.toString()),
    contentHash: text("content_hash"),
    body: fields.get("body") ?? Buffer.alloc(0),
    receivedAt: Number(text("received_at")),
  };
}

/** An event with its delivery, if that is still there. */
export function keptOf(reply: unknown): Kept | undefined {
  const [event, delivery] = (reply as readonly unknown[]).map(fieldsOf);
  if (event === undefined || event.size === 0) return undefined;
  const isThere = delivery !== undefined && delivery.size > 0;
  return { event: eventOf(event), delivery: isThere ? deliveryOf(delivery) : undefined };
}

/** What `take` is told, but for the bodies; and these. */
export function takeInput(
  events: readonly NewEvent[],
  { fence, leaseMs, slots, typesMax = {} }: TakeAsk,
  wake: Wake,
): { readonly ask: object; readonly bodies: readonly Buffer[] } {
  const places = new Map<Delivery, number>();
  for (const { delivery } of events) {
    if (!places.has(delivery)) places.set(delivery, places.size + 1);
  }
  const deliveries = [...places.keys()];
  const ask = {
    fence,
    leaseMs,
    slots,
    typesMax,
    wake,
    events: events.map(({ delivery, notes, ...event }) => ({
      ...event,
      notes: listText(notes),
      delivery: places.get(delivery),
    })),
    deliveries: deliveries.map((delivery) => ({
      ...delivery,
      headers: JSON.stringify(delivery.headers),
      sealed: delivery.sealed && JSON.stringify(delivery.sealed),
      body: undefined,
    })),
  };
  return {
    ask,
    bodies: deliveries.map(({ body }) => Buffer.from(body.buffer, body.byteOffset, body.length)),
  };
}
