/** Inserts what is new in PostgreSQL: events, with their deliveries and tallies, in one statement. */

import type { Delivery, EventRecord, NewEvent, TakeAsk, Taken } from "@webhook-inbox/core";
import { bornRecord, forever, listText } from "@webhook-inbox/core/records";
import type { Session } from "./connection.ts";
import { widthOf } from "./lanes.ts";
import { columnsOf, keyOf, uuidOf } from "./rows.ts";
import { addingMoves } from "./tallies.ts";
import { nowMs, textOf, type Tables } from "./tables.ts";

/** What one call of `take` works with. */
export interface Taking extends Session {
  readonly tables: Tables;
  readonly ask: TakeAsk;
  /** Deliveries that are there already, of which more events are taken. */
  readonly known: Map<Delivery, Known>;
  /** Lanes of events that were there already. */
  readonly met: Set<string | undefined>;
}

export interface Known {
  readonly id: string;
  readonly receivedAt: number;
}

/** An event as it would be inserted. */
export interface Birth {
  readonly event: NewEvent;
  readonly record: EventRecord;
  readonly variantOf: string | undefined;
}

export function birthOf(event: NewEvent, isClaimed: boolean, of?: string): Birth {
  return { event, record: bornRecord(event, 0, isClaimed), variantOf: of };
}

const eventParameters = `$1::uuid[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::text[], $7::text[], $8::integer[],
  $9::uuid[], $10::bigint[], $11::integer[], $12::text[], $28::bigint[], $29::text[], $30::integer[]`;
const deliveryParameters = `$13::bigint[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[],
  $19::text[], $20::boolean[], $21::text[], $22::integer[], $23::bigint[], $31::text[], $32::text[]`;

const insertSql = textOf((tables) => {
  const { events, deliveries, named } = tables;
  const moved = `
    SELECT source, type, '' AS from_state, state AS to_state, 1 AS count FROM inserted
    UNION ALL SELECT source, type, '', 'duplicate', duplicates FROM inserted WHERE duplicates > 0`;
  return `
    WITH instant AS MATERIALIZED (SELECT ${nowMs} AS now),
    given AS MATERIALIZED (
      SELECT coalesce(known, nextval('${named("delivery_seq")}')) AS delivery, known IS NULL AS is_new, d.*,
        1 + sum(size) FILTER (WHERE known IS NULL) OVER (ORDER BY place) - size AS first
      FROM unnest(${deliveryParameters}) WITH ORDINALITY
        AS d (received_at, method, target, account, segment, headers, verified_with, reconstructed, content_hash, size, known,
          sealed, trace, place)
    ),
    born AS MATERIALIZED (
      SELECT nextval('${named("event_seq")}') AS seq, e.*
      FROM unnest(${eventParameters}) WITH ORDINALITY AS e
        (key, source, id, type, identified, state, reason, place, variant_of, occurred_at, duplicates, notes, due_after, lane,
          lane_max, nth)
    ),
    -- Of those that come together, places in the order in which they are given.
    lanes AS MATERIALIZED (
      SELECT nextval('${named("lane_seq")}') * 1048576 AS first WHERE EXISTS (SELECT FROM born WHERE lane IS NOT NULL)
    ),
    inserted AS (
      INSERT INTO ${events} (key, seq, received_at, due_at, lease_ends_at, occurred_at, delivery, size, generation, attempts,
        crashes, duplicates, conflicts, identified, replayed, source, id, type, state, reason, content_hash, variant_of,
        fence, finished, gave_up, history, interventions, notes, lane, lane_max, lane_place)
      SELECT key, seq, received_at, CASE WHEN lane IS NULL THEN now + due_after ELSE ${forever} END, CASE state WHEN 'running' THEN now + $25::bigint END, occurred_at, delivery, size, 0,
        CASE state WHEN 'running' THEN 1 ELSE 0 END, 0, duplicates, 0, identified, false, source, id, type, state, reason,
        content_hash, variant_of, CASE state WHEN 'running' THEN $26::text END, '[]', '[]', '[]', '[]', notes,
        lane, lane_max, CASE WHEN lane IS NOT NULL THEN (SELECT first FROM lanes) + nth END
      FROM born JOIN given USING (place), instant
      ORDER BY key -- Whoever takes the same events at the same moment meets them in the same order.
      ON CONFLICT (key) DO NOTHING
      RETURNING key, source, type, state, delivery, duplicates
    ),
    kept AS (
      INSERT INTO ${deliveries}
      SELECT delivery, received_at, method, target, account, segment, headers, verified_with, sealed, trace,
        reconstructed, substring($24::bytea FROM first::integer FOR size)
      FROM given WHERE is_new AND delivery IN (SELECT delivery FROM inserted)
    ),
    tallied AS (${addingMoves(tables, moved, "$27")})
    SELECT key, delivery, now FROM inserted, instant`;
});

/** Answers what was new; of the rest nothing is known yet. */
export async function insert(
  on: Taking,
  births: readonly Birth[],
  answers: Map<string, Taken>,
): Promise<void> {
  const { ask, known } = on;
  const deliveries = new Map<Delivery, number>();
  for (const { event } of births) {
    if (!deliveries.has(event.delivery)) deliveries.set(event.delivery, deliveries.size + 1);
  }
  const kept = [...deliveries.keys()];
  const rows = await on.run(insertSql(on.tables), [
    ...columnsOf(births, [
      ({ event }) => uuidOf(event.key),
      ({ event }) => event.source,
      ({ record }) => record.id,
      ({ event }) => event.type,
      ({ record }) => record.identified,
      ({ record }) => record.state,
      ({ record }) => record.reason ?? null,
      ({ event }) => deliveries.get(event.delivery),
      ({ variantOf: of }) => (of === undefined ? null : uuidOf(of)),
      ({ record }) => record.occurredAt ?? null,
      ({ record }) => record.duplicates,
      ({ record }) => listText(record.notes),
    ]),
    ...columnsOf(kept, [
      (delivery) => known.get(delivery)?.receivedAt ?? delivery.receivedAt,
      ({ method }) => method,
      ({ target }) => target,
      ({ account }) => account ?? null,
      ({ segment }) => segment ?? null,
      ({ headers }) => listText(headers),
      ({ verifiedWith }) => verifiedWith,
      ({ reconstructed }) => reconstructed,
      ({ contentHash }) => contentHash,
      ({ body }) => body.length,
      (delivery) => known.get(delivery)?.id ?? null,
    ]),
    // One value for all bodies: drivers write lists of bytes as text, twice as long.
    Buffer.concat(kept.filter((delivery) => !known.has(delivery)).map(({ body }) => body)),
    ask.leaseMs,
    ask.fence,
    on.owner,
    births.map(({ event }) => Math.round(event.dueAfterMs ?? 0)),
    births.map(({ record }) => record.lane?.key ?? null),
    births.map(({ record }) => widthOf(record)),
    kept.map(({ sealed }) => (sealed === undefined ? null : JSON.stringify(sealed))),
    kept.map(({ trace }) => trace ?? null),
  ]);
  const now = Number(rows[0]?.["now"]);
  const inserted = new Map(rows.map((row) => [keyOf(row["key"]), String(row["delivery"])]));
  for (const { event, record } of births) {
    const id = inserted.get(event.key);
    if (id === undefined) continue;
    answers.set(event.key, takenAs(event, { ...record, dueAt: now }, ask));
    const { delivery } = event;
    if (!known.has(delivery)) known.set(delivery, { id, receivedAt: delivery.receivedAt });
  }
}

export function takenAs(event: NewEvent, record: EventRecord, { fence }: TakeAsk): Taken {
  if (record.state !== "running") return { kind: "taken" };
  return { kind: "taken", claim: { event: record, delivery: event.delivery, fence } };
}
