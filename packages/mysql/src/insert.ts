/** Inserts what is new in MySQL: events, and their deliveries. */

import { randomBytes } from "node:crypto";
import {
  WebhookInboxError,
  type Delivery,
  type EventRecord,
  type NewEvent,
  type TakeAsk,
} from "@webhook-inbox/core";
import { bornRecord, listText } from "@webhook-inbox/core/records";
import type { Writing } from "./writing.ts";
import { laneOf, newPlace, widthOf } from "./lanes.ts";
import type { Row } from "./pool.ts";
import { eventColumns, keyBytes, keyOf } from "./rows.ts";
import { Given, givenKeys } from "./tables.ts";

/** What one call of `take` works with. */
export interface Taking extends Writing {
  readonly ask: TakeAsk;
  /** Deliveries that are there already, of which more events are taken; those that come in are added. */
  readonly known: Map<Delivery, Uint8Array>;
}

/** An event as it would be inserted. */
export interface Birth {
  readonly event: NewEvent;
  readonly record: EventRecord;
  /** Key of the event whose id came with these other bytes. */
  readonly of: string | undefined;
}

export function birthOf({ now }: Taking, event: NewEvent, isClaimed: boolean, of?: string): Birth {
  return { event, record: bornRecord(event, now, isClaimed), of };
}

const givenEvents = new Given({
  event_key: "key",
  received_at: "number",
  due_at: "number",
  lease_ends_at: "number",
  occurred_at: "number",
  delivery: "key",
  taken_by: "key",
  size: "number",
  attempts: "number",
  duplicates: "number",
  identified: "number",
  source: "text",
  id: "text",
  type: "text",
  state: "text",
  reason: "text",
  content_hash: "text",
  variant_of: "key",
  fence: "text",
  notes: "text",
  lane: "text",
  lane_max: "number",
});
/** Inserts events whose key is new, with their deliveries; answers the rows of the others, which stay locked. */
export async function insert(
  on: Taking,
  births: readonly Birth[],
): Promise<ReadonlyMap<string, Row>> {
  const { run, tables, moves } = on;
  const { events } = tables;
  const deliveries = new Map<Delivery, Uint8Array>(on.known);
  const call = randomBytes(16);
  const rows = births.map(({ event, record, of }) => {
    const { delivery } = event;
    const id = deliveries.get(delivery) ?? newId();
    deliveries.set(delivery, id);
    return rowOf(on, { event, record, of }, id, call);
  });
  await run(
    `INSERT INTO ${events} (${givenEvents.names.join(", ")}, generation, crashes, conflicts, replayed, finished, gave_up, history,
       interventions)
     SELECT ${givenEvents.list(...givenEvents.names)}, 0, 0, 0, 0, '[]', '[]', '[]', '[]' FROM ${givenEvents.table}
     ON DUPLICATE KEY UPDATE conflicts = ${events}.conflicts`,
    [givenEvents.of(rows)],
  );
  const keys = givenKeys.of(births.map(({ event }) => ({ event_key: keyBytes(event.key) })));
  const found = await run(
    `SELECT STRAIGHT_JOIN ${eventColumns}, e.fence, e.conflicts, e.taken_by
     FROM ${givenKeys.table} JOIN ${events} AS e ON e.event_key = ${givenKeys.sql("event_key")}`,
    [keys],
  );
  const held = new Map<string, Row>();
  const ours = new Set<string>();
  for (const row of found.rows) {
    const key = keyOf(row["event_key"]);
    if (call.equals(row["taken_by"] as Uint8Array)) ours.add(key);
    else held.set(key, row);
    // Who wanted to let it be a head while its row was held by us has left that to us.
    moves.touch(laneOf(row)?.key);
  }
  const born = births.filter(({ event }) => ours.has(event.key));
  if (born.length + held.size < births.length) {
    throw new WebhookInboxError(
      "STORE_UNAVAILABLE",
      `of ${births.length} events some are neither new nor there: is AUTO_INCREMENT of ${events} behind its rows? Try again.`,
    );
  }
  const fresh = new Set(born.map(({ event }) => event.delivery));
  const kept = [...deliveries].filter(
    ([delivery]) => fresh.has(delivery) && !on.known.has(delivery),
  );
  await insertDeliveries(on, kept);
  for (const [delivery, id] of kept) on.known.set(delivery, id);
  for (const { record } of born) {
    const { source, type, state, duplicates } = record;
    moves.add({ source, type, from: undefined, to: state });
    if (duplicates > 0) moves.add({ source, type, from: undefined, to: "duplicate" }, duplicates);
  }
  if (born.some(({ record }) => record.lane !== undefined)) {
    await run(
      `UPDATE ${givenKeys.table} STRAIGHT_JOIN ${events} AS e ON e.event_key = ${givenKeys.sql("event_key")}
       SET e.lane_place = e.${newPlace} WHERE e.taken_by = ? AND e.lane IS NOT NULL`,
      [keys, call],
    );
  }
  return held;
}

function rowOf(
  { ask, now }: Taking,
  { event, record, of }: Birth,
  delivery: Uint8Array,
  call: Uint8Array,
): Parameters<typeof givenEvents.of>[0][number] {
  const isClaimed = record.state === "running";
  return {
    event_key: keyBytes(event.key),
    received_at: record.receivedAt,
    due_at: record.dueAt,
    lease_ends_at: isClaimed ? now + ask.leaseMs : null,
    occurred_at: record.occurredAt,
    delivery,
    taken_by: call,
    size: event.delivery.body.length,
    attempts: record.attempts,
    duplicates: record.duplicates,
    identified: record.identified ? 1 : 0,
    source: record.source,
    id: record.id,
    type: record.type,
    state: record.state,
    reason: record.reason,
    content_hash: event.delivery.contentHash,
    variant_of: of === undefined ? null : keyBytes(of),
    fence: isClaimed ? ask.fence : null,
    notes: listText(record.notes),
    lane: record.lane?.key,
    lane_max: widthOf(record),
  };
}

/** Ids of deliveries begin with their time, so that new ones stand side by side. */
function newId(): Uint8Array {
  const id = randomBytes(16);
  id.writeUIntBE(Date.now(), 0, 6);
  return id;
}

const givenDeliveries = new Given({
  id: "key",
  received_at: "number",
  method: "text",
  target: "text",
  account: "text",
  segment: "text",
  headers: "text",
  verified_with: "text",
  sealed: "text",
  trace: "text",
  reconstructed: "number",
  place: "number",
  size: "number",
});
/** Where a body is among all of them is no column. */
const deliveryNames = givenDeliveries.names.filter((name) => name !== "place" && name !== "size");

/** All bodies are one parameter, of which each takes its part. */
async function insertDeliveries(
  { run, tables }: Taking,
  deliveries: readonly (readonly [Delivery, Uint8Array])[],
): Promise<void> {
  if (deliveries.length === 0) return;
  let place = 1;
  const rows = deliveries.map(([delivery, id]) => {
    const { length } = delivery.body;
    place += length;
    return {
      id,
      received_at: delivery.receivedAt,
      method: delivery.method,
      target: delivery.target,
      account: delivery.account,
      segment: delivery.segment,
      headers: listText(delivery.headers),
      verified_with: delivery.verifiedWith,
      sealed: delivery.sealed === undefined ? null : JSON.stringify(delivery.sealed),
      trace: delivery.trace,
      reconstructed: delivery.reconstructed ? 1 : 0,
      place: place - length,
      size: length,
    };
  });
  await run(
    `INSERT INTO ${tables.deliveries} (${deliveryNames.join(", ")}, body)
     SELECT ${givenDeliveries.list(...deliveryNames)}, SUBSTRING(CAST(? AS BINARY), g.place, g.size) FROM ${givenDeliveries.table}`,
    [Buffer.concat(deliveries.map(([{ body }]) => body)), givenDeliveries.of(rows)],
  );
}
