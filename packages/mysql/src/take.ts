/**
 * `take` in MySQL: inserts what is new, counts what is not, keeps variants. Whoever takes the same event at the same moment
 * waits at its key until the other one has committed.
 */

import { conflictsMax, type NewEvent, type Taken } from "@webhook-inbox/core";
import { isBornClaimed, isSameContent, Room, variantOf } from "@webhook-inbox/core/records";
import { birthOf, insert, type Birth, type Taking } from "./insert.ts";
import { laneOf } from "./lanes.ts";
import type { Row } from "./pool.ts";
import { eventOf, keyBytes } from "./rows.ts";
import { numberOf, optional, textOf } from "./values.ts";

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

function bornAs({ ask }: Taking, { event, record }: Birth): Taken {
  if (record.state !== "running") return { kind: "taken" };
  return {
    kind: "taken",
    claim: { event: record, delivery: event.delivery, fence: ask.fence },
  };
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
    `SELECT e.seq, e.lane, e.lane_max, e.lane_head FROM ${tables.events} AS e WHERE e.event_key = ? FOR UPDATE`,
    [keyBytes(conflictKey)],
  );
  const known = rows[0];
  if (known !== undefined) {
    moves.touch(laneOf(known)?.key);
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
