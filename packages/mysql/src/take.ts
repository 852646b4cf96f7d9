/**
 * `take` in MySQL: inserts what is new, counts what is not, keeps variants. Whoever takes the same event at the same moment
 * waits at its key until the other one has committed.
 */

import { randomBytes } from "node:crypto";
import {
  conflictsMax,
  type Delivery,
  type EventRecord,
  type NewEvent,
  type TakeAsk,
  type Taken,
} from "@webhook-inbox/core";
import {
  bornRecord,
  isBornClaimed,
  isSameContent,
  listText,
  Room,
  variantOf,
} from "@webhook-inbox/core/records";
import type { Writing } from "./connection.ts";
import { newPlace, widthOf } from "./lanes.ts";
import type { Row } from "./pool.ts";
import { eventColumns, eventOf, keyBytes, keyOf, numberOf, optional, textOf } from "./rows.ts";
import { Given, givenKeys } from "./tables.ts";

/** What one call of `take` works with. */
export interface Taking extends Writing {
  readonly ask: TakeAsk;
  /** Deliveries that are there already, of which more events are taken. */
  readonly known: ReadonlyMap<Delivery, Uint8Array>;
}

/** An event as it would be inserted. */
interface Birth {
  readonly event: NewEvent;
  readonly record: EventRecord;
  /** Key of the event whose id came with these other bytes. */
  readonly of: string | undefined;
}

/** Answers in the order asked. Runs in a transaction. */
export async function takeAll(on: Taking, events: readonly NewEvent[]): Promise<readonly Taken[]> {
  const room = new Room(on.ask);
  const births = events.map((event) => birthOf(on, event, isBornClaimed(event, room)));
  const held = await insert(on, births);
  const answers: Taken[] = [];
  for (const birth of births) {
    const row = held.get(birth.event.key);
    answers.push(row === undefined ? bornAs(on, birth) : await takeAgain(on, birth.event, row));
  }
  return answers;
}

function birthOf({ now }: Taking, event: NewEvent, isClaimed: boolean, of?: string): Birth {
  return { event, record: bornRecord(event, now, isClaimed), of };
}

function bornAs({ ask }: Taking, { event, record }: Birth): Taken {
  if (record.state !== "running") return { kind: "taken" };
  return {
    kind: "taken",
    claim: { event: record, delivery: event.delivery, fence: ask.fence },
  };
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
const given = [
  ...["event_key", "received_at", "due_at", "lease_ends_at", "occurred_at", "delivery"],
  ...["taken_by", "size", "attempts", "duplicates", "identified", "source", "id", "type", "state"],
  ...["reason", "content_hash", "variant_of", "fence", "notes", "lane", "lane_max"],
] as const;

/** Inserts events whose key is new, with their deliveries; answers the rows of the others, which stay locked. */
async function insert(on: Taking, births: readonly Birth[]): Promise<ReadonlyMap<string, Row>> {
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
    `INSERT INTO ${events} (${given.join(", ")}, generation, crashes, conflicts, replayed, finished, gave_up, history,
       interventions)
     SELECT ${givenEvents.list(...given)}, 0, 0, 0, 0, '[]', '[]', '[]', '[]' FROM ${givenEvents.table}
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
  for (const row of found.rows) {
    if (!call.equals(row["taken_by"] as Uint8Array)) held.set(keyOf(row["event_key"]), row);
  }
  const born = births.filter(({ event }) => !held.has(event.key));
  const fresh = new Set(born.map(({ event }) => event.delivery));
  await insertDeliveries(
    on,
    [...deliveries].filter(([delivery]) => fresh.has(delivery) && !on.known.has(delivery)),
  );
  for (const { record } of born) {
    const { source, type, state, duplicates, lane } = record;
    moves.add({ source, type, from: undefined, to: state });
    if (duplicates > 0) moves.add({ source, type, from: undefined, to: "duplicate" }, duplicates);
    moves.touch(lane?.key);
  }
  if (born.some(({ record }) => record.lane !== undefined)) {
    await run(
      `UPDATE ${givenKeys.table} JOIN ${events} AS e ON e.event_key = ${givenKeys.sql("event_key")}
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
const givenOfDelivery = [
  ...["id", "received_at", "method", "target", "account", "segment", "headers"],
  ...["verified_with", "sealed", "trace", "reconstructed"],
] as const;

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
    `INSERT INTO ${tables.deliveries} (${givenOfDelivery.join(", ")}, body)
     SELECT ${givenDeliveries.list(...givenOfDelivery)}, SUBSTRING(?, g.place, g.size) FROM ${givenDeliveries.table}`,
    [Buffer.concat(deliveries.map(([{ body }]) => body)), givenDeliveries.of(rows)],
  );
}

/** The key is held: by this very call made before, by the same content, or by other bytes. */
async function takeAgain(on: Taking, event: NewEvent, row: Row): Promise<Taken> {
  const { run, tables, ask, moves } = on;
  const { source, type, copies, delivery, conflictKey } = event;
  if (optional(row["fence"], textOf) === ask.fence) {
    return { kind: "taken", claim: { event: eventOf(row), delivery, fence: ask.fence } };
  }
  const isSame =
    textOf(row["state"]) === "erased" ||
    isSameContent(textOf(row["content_hash"]), delivery.contentHash);
  if (isSame || conflictKey === undefined) {
    await countAgain(on, row, event);
    return { kind: "duplicate" };
  }
  const conflicts = numberOf(row["conflicts"]);
  const variant = birthOf(on, variantOf(event, conflictKey), false, event.key);
  const { rows } = await run(
    `SELECT e.seq FROM ${tables.events} AS e WHERE e.event_key = ? FOR UPDATE`,
    [keyBytes(conflictKey)],
  );
  const known = rows[0];
  if (known !== undefined) {
    await countAgain(on, known, event);
    return { kind: "conflict", kept: true };
  }
  await run(`UPDATE ${tables.events} SET conflicts = conflicts + 1 WHERE seq = ?`, [row["seq"]]);
  if (conflicts >= conflictsMax) {
    moves.add({ source, type, from: undefined, to: "conflict" }, copies);
    return { kind: "conflict", kept: false };
  }
  const held = await insert(on, [variant]);
  const other = held.get(conflictKey);
  if (other !== undefined) await countAgain(on, other, event);
  return { kind: "conflict", kept: true };
}

async function countAgain(
  { run, tables, moves }: Taking,
  row: Row,
  event: NewEvent,
): Promise<void> {
  const { source, type, copies } = event;
  await run(`UPDATE ${tables.events} SET duplicates = duplicates + ? WHERE seq = ?`, [
    copies,
    row["seq"],
  ]);
  moves.add({ source, type, from: undefined, to: "duplicate" }, copies);
}
