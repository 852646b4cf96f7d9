/**
 * `take` in PostgreSQL. One statement inserts what is new, with its delivery and its tallies; a second one, only where
 * something was not new, asks about the rest: in one statement a duplicate of an event that is being taken elsewhere at
 * the same moment would have no answer.
 */

import { conflictsMax, WebhookInboxError, type NewEvent, type Taken } from "@webhook-inbox/core";
import { isBornClaimed, Room, variantOf } from "@webhook-inbox/core/records";
import { birthOf, insert, takenAs, type Birth, type Taking } from "./insert.ts";
import { advance } from "./lanes.ts";
import type { Row } from "./pool.ts";
import { columnsOf, eventColumns, eventOf, keyOf, uuidOf } from "./rows.ts";
import { addingMoves } from "./tallies.ts";
import { textOf, type Tables } from "./tables.ts";

/** An event can vanish between two statements, when it is forgotten just now. */
const triesMax = 5;

/** Answers in the order asked. In a transaction where one of the events has a lane. */
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
  await advance(on.run, on.tables, [...events.map(({ lane }) => lane?.key), ...on.met]);
  return events.map(({ key }) => answers.get(key) as Taken);
}

/** Counts further deliveries of the same content; answers, of those that say something else, what is there. */
const meetSql = textOf(
  (tables) => `
  WITH given AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::boolean[], $4::integer[], $7::text[], $8::text[])
      AS g (key, content_hash, may_conflict, copies, source, type)
  ),
  locked AS MATERIALIZED (
    -- In the order of the keys, so that those who want the same events do not wait for one another in a circle.
    SELECT e.key FROM ${tables.events} AS e JOIN given AS g ON e.key = g.key ORDER BY e.key FOR UPDATE OF e
  ),
  counted AS (
    UPDATE ${tables.events} AS e SET duplicates = e.duplicates + g.copies
    FROM given AS g
    WHERE e.key = g.key AND e.key IN (SELECT key FROM locked) AND e.fence IS DISTINCT FROM $5
      AND (e.state = 'erased' OR e.content_hash IN (g.content_hash, '') OR NOT g.may_conflict)
    RETURNING e.key, g.source, g.type, g.copies
  ),
  tallied AS (${addingMoves(
    tables,
    "SELECT source, type, '' AS from_state, 'duplicate' AS to_state, copies AS count FROM counted",
    "$6",
  )})
  SELECT ${eventColumns}, c.key IS NOT NULL AS is_counted, e.fence IS NOT DISTINCT FROM $5 AS is_mine
  FROM given AS g JOIN ${tables.events} AS e ON e.key = g.key LEFT JOIN counted AS c ON c.key = g.key`,
);

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
    // Who wanted to let it be a head while its row was held by us has left that to us.
    on.met.add(eventOf(row).lane?.key);
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
