/** `take` in SQLite: inserts what is new, counts what is not, keeps variants. Runs inside one transaction. */

import { conflictsMax, type TakeAsk, type Taken } from "../../contracts/store.ts";
import type { Delivery } from "../../model/delivery.ts";
import type { NewEvent } from "../../model/event.ts";
import { bornRecord, isBornClaimed, isSameContent, Room, variantOf, listText } from "../records.ts";
import type { Prepare } from "./connection.ts";
import { newPlace, widthOf } from "./lanes.ts";
import { eventColumns, eventOf, keyBytes, type Row } from "./rows.ts";
import type { Writing } from "./writing.ts";

/** What one call of `take` works with. */
export interface Taking extends Writing {
  readonly ask: TakeAsk;
  /** Rows of the deliveries that are there already. */
  readonly deliveries: Map<Delivery, number | bigint>;
}

/** Answers in the order asked. */
export function takeAll(on: Taking, events: readonly NewEvent[]): readonly Taken[] {
  const room = new Room(on.ask);
  return events.map((event): Taken => {
    const held = heldUnder(on, event.key);
    return held === undefined
      ? insert(on, event, isBornClaimed(event, room))
      : takeAgain(on, event, held);
  });
}

/** Inserts an event and, before its first one, its delivery. */
function insert(on: Taking, event: NewEvent, isClaimed: boolean, ofSeq?: number): Taken {
  const { prepare, keys, ask, now, moves, deliveries } = on;
  let delivery = deliveries.get(event.delivery);
  if (delivery === undefined) {
    delivery = insertDelivery(prepare, event.delivery);
    deliveries.set(event.delivery, delivery);
  }
  const record = bornRecord(event, now, isClaimed);
  const { source, type, state } = record;
  const { lastInsertRowid } = prepare(`
    INSERT INTO webhook_inbox_events (key, source, id, type, identified, state, reason, delivery, content_hash, variant_of,
      occurred_at, received_at, due_at, replayed, generation, fence, lease_ends_at, attempts, crashes, duplicates,
      conflicts, finished, gave_up, history, interventions, notes, lane, lane_max)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?, ?, 0, ?, 0, '[]', '[]', '[]', '[]', ?, ?, ?)`).run(
    keyBytes(record.key),
    source,
    record.id,
    type,
    record.identified ? 1 : 0,
    state,
    record.reason ?? null,
    delivery,
    event.delivery.contentHash,
    ofSeq ?? null,
    record.occurredAt ?? null,
    record.receivedAt,
    record.dueAt,
    isClaimed ? ask.fence : null,
    isClaimed ? now + ask.leaseMs : null,
    record.attempts,
    record.duplicates,
    listText(record.notes),
    record.lane?.key ?? null,
    widthOf(record),
  );
  const seq = Number(lastInsertRowid);
  keys.add(record.key, seq);
  if (record.lane !== undefined) {
    prepare(`UPDATE webhook_inbox_events SET lane_place = ${newPlace} WHERE seq = ?`).run(seq);
    moves.touch(record.lane.key);
  }
  moves.add({ source, type, from: undefined, to: state });
  if (record.duplicates > 0) countMore(on, event, "duplicate", record.duplicates);
  return isClaimed
    ? { kind: "taken", claim: { event: record, delivery: event.delivery, fence: ask.fence } }
    : { kind: "taken" };
}

function insertDelivery(prepare: Prepare, delivery: Delivery): number | bigint {
  return prepare(`
    INSERT INTO webhook_inbox_deliveries
      (received_at, method, target, account, segment, headers, verified_with, sealed, trace, reconstructed, body)
    -- Node 22 binds bytes that are none as NULL.
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ifnull(?, x''))`).run(
    delivery.receivedAt,
    delivery.method,
    delivery.target,
    delivery.account ?? null,
    delivery.segment ?? null,
    listText(delivery.headers),
    delivery.verifiedWith,
    delivery.sealed === undefined ? null : JSON.stringify(delivery.sealed),
    delivery.trace ?? null,
    delivery.reconstructed ? 1 : 0,
    delivery.body,
  ).lastInsertRowid;
}

/** The key is held: by this very call made before, by the same content, or by other bytes. */
function takeAgain(on: Taking, event: NewEvent, { seq, row }: HeldRow): Taken {
  const { prepare, ask } = on;
  if (row["fence"] === ask.fence) {
    const claim = { event: eventOf(row), delivery: event.delivery, fence: ask.fence };
    return { kind: "taken", claim };
  }
  const isSame =
    row["state"] === "erased" ||
    isSameContent(String(row["content_hash"]), event.delivery.contentHash);
  if (isSame || event.conflictKey === undefined) {
    countDuplicates(on, seq, event);
    return { kind: "duplicate" };
  }
  const variant = heldUnder(on, event.conflictKey);
  if (variant !== undefined) {
    countDuplicates(on, variant.seq, event);
    return { kind: "conflict", kept: true };
  }
  addTo(prepare, "conflicts", seq, 1);
  if (Number(row["conflicts"]) >= conflictsMax) {
    countMore(on, event, "conflict", event.copies);
    return { kind: "conflict", kept: false };
  }
  insert(on, variantOf(event, event.conflictKey), false, seq);
  return { kind: "conflict", kept: true };
}

function countDuplicates(on: Taking, seq: number, event: NewEvent): void {
  addTo(on.prepare, "duplicates", seq, event.copies);
  countMore(on, event, "duplicate", event.copies);
}

function countMore(
  { moves }: Taking,
  { source, type }: NewEvent,
  to: "duplicate" | "conflict",
  count: number,
): void {
  moves.add({ source, type, from: undefined, to }, count);
}

interface HeldRow {
  readonly seq: number;
  readonly row: Row;
}

function heldUnder({ prepare, keys }: Taking, key: string): HeldRow | undefined {
  const seq = keys.find(key);
  if (seq === undefined) return undefined;
  const row = prepare(selectHeld).get(seq) as Row | undefined;
  return row && { seq, row };
}

const selectHeld = `SELECT ${eventColumns}, e.fence, e.conflicts FROM webhook_inbox_events e WHERE e.seq = ?`;

function addTo(
  prepare: Prepare,
  column: "duplicates" | "conflicts",
  seq: number,
  count: number,
): void {
  prepare(`UPDATE webhook_inbox_events SET ${column} = ${column} + ? WHERE seq = ?`).run(
    count,
    seq,
  );
}
