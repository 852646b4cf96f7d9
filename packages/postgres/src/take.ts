/**
 * `take` in PostgreSQL. One statement inserts what is new, with its delivery and its tallies; a second one, only where
 * something was not new, asks about the rest: in one statement a duplicate of an event that is being taken elsewhere at
 * the same moment would have no answer.
 */

import type { Delivery, EventRecord, NewEvent, TakeAsk, Taken } from "@webhook-inbox/core";
import { conflictsMax, WebhookInboxError } from "@webhook-inbox/core";
import { bornRecord, isBornClaimed, Room, variantOf } from "@webhook-inbox/core/records";
import type { Session } from "./connection.ts";
import type { Row } from "./pool.ts";
import { columnsOf, eventColumns, eventOf, keyOf, listText, uuidOf } from "./rows.ts";
import { addingMoves } from "./tallies.ts";
import { nowMs, type Tables } from "./tables.ts";

/** What one call of `take` works with. */
export interface Taking extends Session {
  readonly tables: Tables;
  readonly ask: TakeAsk;
  /** Deliveries that are there already, of which more events are taken. */
  readonly known: Map<Delivery, Known>;
}

export interface Known {
  readonly id: string;
  readonly receivedAt: number;
}

/** An event as it would be inserted. */
interface Birth {
  readonly event: NewEvent;
  readonly record: EventRecord;
  readonly variantOf: string | undefined;
}

/** An event can vanish between two statements, when it is forgotten just now. */
const triesMax = 5;

/** Answers in the order asked. */
export async function takeAll(on: Taking, events: readonly NewEvent[]): Promise<readonly Taken[]> {
  const room = new Room(on.ask);
  let left: readonly Birth[] = events.map((event) => birthOf(event, isBornClaimed(event, room)));
  const answers = new Map<string, Taken>();
  for (let tries = 1; left.length > 0; tries++) {
    if (tries > triesMax) {
      throw new WebhookInboxError(
        "STORE_UNAVAILABLE",
        "events come and go while they are taken: try again.",
      );
    }
    await insert(on, left, answers);
    const held = left.filter(({ event }) => !answers.has(event.key));
    if (held.length > 0) await meet(on, held, answers);
    left = held.filter(({ event }) => !answers.has(event.key));
  }
  return events.map(({ key }) => answers.get(key) as Taken);
}

function birthOf(event: NewEvent, isClaimed: boolean, of?: string): Birth {
  return { event, record: bornRecord(event, 0, isClaimed), variantOf: of };
}

const eventParameters = `$1::uuid[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::text[], $7::text[], $8::integer[],
  $9::uuid[], $10::bigint[], $11::integer[], $12::text[]`;
const deliveryParameters = `$13::bigint[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[], $19::boolean[],
  $20::text[], $21::integer[], $22::bigint[]`;

function insertSql(tables: Tables): string {
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
        AS d (received_at, method, target, segment, headers, verified_with, reconstructed, content_hash, size, known, place)
    ),
    born AS MATERIALIZED (
      SELECT nextval('${named("event_seq")}') AS seq, e.*
      FROM unnest(${eventParameters}) AS e
        (key, source, id, type, identified, state, reason, place, variant_of, occurred_at, duplicates, notes)
    ),
    inserted AS (
      INSERT INTO ${events} (key, seq, received_at, due_at, lease_ends_at, occurred_at, delivery, size, generation, attempts,
        crashes, duplicates, conflicts, identified, replayed, source, id, type, state, reason, content_hash, variant_of,
        fence, finished, gave_up, history, interventions, notes)
      SELECT key, seq, received_at, now, CASE state WHEN 'running' THEN now + $24::bigint END, occurred_at, delivery, size, 0,
        CASE state WHEN 'running' THEN 1 ELSE 0 END, 0, duplicates, 0, identified, false, source, id, type, state, reason,
        content_hash, variant_of, CASE state WHEN 'running' THEN $25::text END, '[]', '[]', '[]', '[]', notes
      FROM born JOIN given USING (place), instant
      ORDER BY key -- Whoever takes the same events at the same moment meets them in the same order.
      ON CONFLICT (key) DO NOTHING
      RETURNING key, source, type, state, delivery, duplicates
    ),
    kept AS (
      INSERT INTO ${deliveries}
      SELECT delivery, received_at, method, target, segment, headers, verified_with, reconstructed,
        substring($23::bytea FROM first::integer FOR size)
      FROM given WHERE is_new AND delivery IN (SELECT delivery FROM inserted)
    ),
    tallied AS (${addingMoves(tables, moved, "$26")})
    SELECT key, delivery, now FROM inserted, instant`;
}

async function insert(
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

function takenAs(event: NewEvent, record: EventRecord, { fence }: TakeAsk): Taken {
  if (record.state !== "running") return { kind: "taken" };
  return { kind: "taken", claim: { event: record, delivery: event.delivery, fence } };
}

/** Counts further deliveries of the same content; answers, of those that say something else, what is there. */
const meetSql = (tables: Tables): string => `
  WITH given AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::boolean[], $4::integer[], $7::text[], $8::text[])
      AS g (key, content_hash, may_conflict, copies, source, type)
  ),
  counted AS (
    UPDATE ${tables.events} AS e SET duplicates = e.duplicates + g.copies
    FROM given AS g
    WHERE e.key = g.key AND e.fence IS DISTINCT FROM $5
      AND (e.state = 'erased' OR e.content_hash = g.content_hash OR NOT g.may_conflict)
    RETURNING e.key, g.source, g.type, g.copies
  ),
  tallied AS (${addingMoves(
    tables,
    "SELECT source, type, '' AS from_state, 'duplicate' AS to_state, copies AS count FROM counted",
    "$6",
  )})
  SELECT ${eventColumns}, c.key IS NOT NULL AS is_counted, e.fence IS NOT DISTINCT FROM $5 AS is_mine
  FROM given AS g JOIN ${tables.events} AS e ON e.key = g.key LEFT JOIN counted AS c ON c.key = g.key`;

/** The key is held: by this very call made before, by the same content, or by other bytes. */
async function meet(
  on: Taking,
  births: readonly Birth[],
  answers: Map<string, Taken>,
): Promise<void> {
  const { ask } = on;
  const rows = await on.run(meetSql(on.tables), [
    ...columnsOf(births, [
      ({ event }) => uuidOf(event.key),
      ({ event }) => event.delivery.contentHash,
      ({ event, variantOf: of }) => event.conflictKey !== undefined && of === undefined,
      ({ event }) => event.copies,
    ]),
    ask.fence,
    on.owner,
    ...columnsOf(births, [({ event }) => event.source, ({ event }) => event.type]),
  ]);
  const found = new Map<string, Row>(rows.map((row) => [keyOf(row["key"]), row]));
  for (const { event } of births) {
    const row = found.get(event.key);
    if (row === undefined) continue;
    if (row["is_mine"] === true) answers.set(event.key, takenAs(event, eventOf(row), ask));
    else if (row["is_counted"] === true) answers.set(event.key, { kind: "duplicate" });
    else answers.set(event.key, await keepVariant(on, event));
  }
}

/** Makes room for one more variant, unless it is there already. */
const variantSql = ({ events }: Tables): string => `
  UPDATE ${events} SET conflicts = conflicts + 1
  WHERE key = $1 AND NOT EXISTS (SELECT FROM ${events} WHERE key = $2)
  RETURNING conflicts`;

const refusedSql = (tables: Tables): string =>
  `WITH tallied AS (${addingMoves(
    tables,
    "SELECT $1::text AS source, $2::text AS type, '' AS from_state, 'conflict' AS to_state, $3::bigint AS count",
    "$4",
  )}) SELECT`;

/** Keeps an event whose key is held by other bytes under its own key, for a person to judge. */
async function keepVariant(on: Taking, event: NewEvent): Promise<Taken> {
  const { conflictKey = "", source, type, copies } = event;
  const [row] = await on.run(variantSql(on.tables), [uuidOf(event.key), uuidOf(conflictKey)]);
  if (Number(row?.["conflicts"] ?? 0) > conflictsMax) {
    await on.run(refusedSql(on.tables), [source, type, copies, on.owner]);
    return { kind: "conflict", kept: false };
  }
  const birth = birthOf(variantOf(event, conflictKey), false, event.key);
  const answers = new Map<string, Taken>();
  await insert(on, [birth], answers);
  if (answers.size === 0) await meet(on, [birth], answers);
  return { kind: "conflict", kept: true };
}
