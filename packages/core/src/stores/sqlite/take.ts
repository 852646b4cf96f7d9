/** `take` in SQLite: inserts what is new, counts what is not, keeps variants. Runs inside one transaction. */

import { conflictsMax, type NewEvent, type TakeAsk, type Taken } from "../../contracts/store.ts";
import type { Delivery } from "../../model/delivery.ts";
import { bornRecord, isBornClaimed, variantOf } from "../records.ts";
import type { Prepare } from "./connection.ts";
import { eventColumns, eventOf, keyBytes, type Row } from "./rows.ts";

/** Answers in the order asked. */
export function takeAll(
  prepare: Prepare,
  events: readonly NewEvent[],
  ask: TakeAsk,
  now: number,
): readonly Taken[] {
  const deliveries = new Map<Delivery, number | bigint>();
  let claimed = 0;
  return events.map((event): Taken => {
    const isClaimed = isBornClaimed(event, ask, claimed);
    const taken = insert(prepare, event, ask, now, isClaimed, deliveries);
    if (taken === undefined) return takeAgain(prepare, event, ask, now, deliveries);
    if (isClaimed) claimed += 1;
    return taken;
  });
}

/** Inserts an event and, before its first one, its delivery; undefined when its key is there. */
function insert(
  prepare: Prepare,
  event: NewEvent,
  { fence, leaseMs }: TakeAsk,
  now: number,
  isClaimed: boolean,
  deliveries: Map<Delivery, number | bigint>,
): Taken | undefined {
  if (find(prepare, event.key) !== undefined) return undefined;
  let delivery = deliveries.get(event.delivery);
  if (delivery === undefined) {
    delivery = insertDelivery(prepare, event.delivery);
    deliveries.set(event.delivery, delivery);
  }
  const record = bornRecord(event, now, isClaimed);
  prepare(`
    INSERT INTO webhook_inbox_events (key, source, id, type, state, reason, delivery, occurred_at, received_at, due_at,
      fence, lease_ends_at, attempts, crashes, duplicates, conflicts, finished, history, notes)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, 0, '[]', '[]', ?)`).run(
    keyBytes(record.key),
    record.source,
    record.id,
    record.type,
    record.state,
    record.reason ?? null,
    delivery,
    record.occurredAt ?? null,
    record.receivedAt,
    record.dueAt,
    isClaimed ? fence : null,
    isClaimed ? now + leaseMs : null,
    record.attempts,
    record.duplicates,
    record.notes.length === 0 ? "[]" : JSON.stringify(record.notes),
  );
  return isClaimed
    ? { kind: "taken", claim: { event: record, delivery: event.delivery, fence } }
    : { kind: "taken" };
}

function insertDelivery(prepare: Prepare, delivery: Delivery): number | bigint {
  return prepare(`
    INSERT INTO webhook_inbox_deliveries (received_at, method, target, segment, headers, verified_with, reconstructed,
      content_hash, body)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`).run(
    delivery.receivedAt,
    delivery.method,
    delivery.target,
    delivery.segment ?? null,
    JSON.stringify(delivery.headers),
    delivery.verifiedWith,
    delivery.reconstructed ? 1 : 0,
    delivery.contentHash,
    delivery.body,
  ).lastInsertRowid;
}

/** The key is held: by this very call made before, by the same content, or by other bytes. */
function takeAgain(
  prepare: Prepare,
  event: NewEvent,
  ask: TakeAsk,
  now: number,
  deliveries: Map<Delivery, number | bigint>,
): Taken {
  const row = prepare(`
    SELECT ${eventColumns}, e.fence, e.conflicts, d.content_hash
    FROM webhook_inbox_events e JOIN webhook_inbox_deliveries d ON d.seq = e.delivery
    WHERE e.key = ?`).get(keyBytes(event.key)) as Row;
  if (row["fence"] === ask.fence) {
    const claim = { event: eventOf(row), delivery: event.delivery, fence: ask.fence };
    return { kind: "taken", claim };
  }
  const isSame = row["content_hash"] === event.delivery.contentHash;
  if (isSame || event.conflictKey === undefined) {
    addTo(prepare, "duplicates", event.key, event.copies);
    return { kind: "duplicate" };
  }
  if (find(prepare, event.conflictKey) !== undefined) {
    addTo(prepare, "duplicates", event.conflictKey, event.copies);
    return { kind: "conflict", kept: true };
  }
  addTo(prepare, "conflicts", event.key, 1);
  if (Number(row["conflicts"]) >= conflictsMax) return { kind: "conflict", kept: false };
  insert(prepare, variantOf(event, event.conflictKey), ask, now, false, deliveries);
  return { kind: "conflict", kept: true };
}

function find(prepare: Prepare, key: string): unknown {
  return prepare("SELECT 1 FROM webhook_inbox_events WHERE key = ?").get(keyBytes(key));
}

function addTo(
  prepare: Prepare,
  column: "duplicates" | "conflicts",
  key: string,
  count: number,
): void {
  prepare(`UPDATE webhook_inbox_events SET ${column} = ${column} + ? WHERE key = ?`).run(
    count,
    keyBytes(key),
  );
}
