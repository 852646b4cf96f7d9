/**
 * `claim` in MySQL: looks first, without a lock; then locks what it has chosen, leaves aside what others are just claiming,
 * and takes it.
 */

import type { Claim, ClaimAnswer, ClaimAsk } from "@webhook-inbox/core";
import { Room } from "@webhook-inbox/core/records";
import { candidatesOf, isOfSuspect, type Candidate } from "./candidates.ts";
import type { Connection } from "./connection.ts";
import type { Writing } from "./writing.ts";
import { pending, running, untilDue, waitingTypes, type Waiting } from "./due.ts";
import type { MysqlConnection, Row } from "./pool.ts";
import { deliveryColumns, deliveryOf, eventColumns, eventOf, ofEvent } from "./rows.ts";
import { Given, givenSeqs, nowOf, seqsOf, type Tables } from "./tables.ts";
import { numberOf, textOf } from "./values.ts";

export async function claimDue<Client extends MysqlConnection>(
  connection: Connection<Client>,
  tables: Tables,
  ask: ClaimAsk,
  walks: Map<string, string>,
): Promise<ClaimAnswer> {
  const whole = new Room(ask);
  const limited = Object.keys(ask.slots).filter((source) => whole.isLimited(source));
  const types = await waitingTypes(connection.run, tables, limited, walks);
  const soonest = await untilDue(
    connection.run,
    tables,
    ask,
    whole,
    types,
    await nowOf(connection.run),
  );
  if (soonest !== 0) return { claims: [], nextDueInMs: soonest };
  return await connection.moving(tables, async (on) => {
    const room = new Room(ask);
    const claims = await claimNow(on, ask, room, types);
    const suspects = claims.filter(({ event }) => event.crashes > 0).length;
    const left = { ...ask, suspectsMax: ask.suspectsMax - suspects };
    // Types of which something was due have moved on.
    const waiting = await waitingTypes(on.run, tables, limited, new Map(walks));
    return { claims, nextDueInMs: await untilDue(on.run, tables, left, room, waiting, on.now) };
  });
}

async function claimNow(
  on: Writing,
  ask: ClaimAsk,
  room: Room,
  types: Waiting,
): Promise<readonly Claim[]> {
  let candidates = await candidatesOf(on, ask, room, types);
  const chosen: Candidate[] = [];
  // Chosen anew where others were just claiming what was chosen.
  while (candidates.length > 0) {
    const wanted = choose(candidates, chosen, ask, room);
    if (wanted.length === 0) break;
    const free = await lock(on, wanted);
    for (const one of wanted) {
      if (!free.has(one.seq)) continue;
      room.use(one.source, one.type);
      chosen.push(one);
    }
    const tried = new Set(wanted);
    candidates = candidates.filter((one) => !tried.has(one));
  }
  return chosen.length === 0 ? [] : await takeInHand(on, ask, chosen);
}

/** Of what was found as much as may be given beside what was chosen already. */
function choose(
  candidates: readonly Candidate[],
  chosen: readonly Candidate[],
  { bytesMax, suspectsMax }: ClaimAsk,
  room: Room,
): readonly Candidate[] {
  const wanted: Candidate[] = [];
  const used = new Map<string, number>();
  let bytes = chosen.reduce((sum, { size }) => sum + size, 0);
  let suspects = suspectsMax - chosen.filter(isOfSuspect).length;
  for (const one of candidates) {
    const { source, type, size } = one;
    const names = [`${source}\0`, `${source}\0${type}`];
    const [ofSource = 0, ofType = 0] = names.map((name) => used.get(name) ?? 0);
    const isFull = room.left(source, "") <= ofSource || room.left(source, type) <= ofType;
    if (isFull || (isOfSuspect(one) && suspects <= 0)) continue;
    bytes += size;
    if (chosen.length + wanted.length > 0 && bytes > bytesMax) break;
    if (isOfSuspect(one)) suspects -= 1;
    wanted.push(one);
    for (const name of names) used.set(name, (used.get(name) ?? 0) + 1);
  }
  return wanted;
}

/** Rows of them that nobody else has in hand, and that are still what they were. */
async function lock(
  { run, tables, now }: Writing,
  wanted: readonly Candidate[],
): Promise<ReadonlySet<number>> {
  const known = new Map(wanted.map((one) => [one.seq, one]));
  const { rows } = await run(
    `SELECT STRAIGHT_JOIN e.seq, e.crashes, e.state FROM ${givenSeqs.table} JOIN ${tables.events} AS e ON e.seq = g.seq
     WHERE ((e.state = ${pending} AND e.due_at <= ?) OR (e.state = ${running} AND e.lease_ends_at <= ?))
       AND EXISTS (SELECT 1 FROM ${tables.deliveries} AS d WHERE ${ofEvent})
     FOR UPDATE SKIP LOCKED`,
    [seqsOf(wanted.map(({ seq }) => seq)), now, now],
  );
  const same = rows.filter((row) => {
    const one = known.get(numberOf(row["seq"]));
    const lapsed = textOf(row["state"]) === "running";
    return one?.lapsed === lapsed && one.crashes === numberOf(row["crashes"]);
  });
  return new Set(same.map((row) => numberOf(row["seq"])));
}

const givenChosen = new Given({ seq: "number", lapsed: "number" });

async function takeInHand(
  { run, tables, now }: Writing,
  { fence, leaseMs }: ClaimAsk,
  chosen: readonly Candidate[],
): Promise<readonly Claim[]> {
  const { events, deliveries } = tables;
  await run(
    `UPDATE ${givenChosen.table} STRAIGHT_JOIN ${events} AS e ON e.seq = g.seq
     SET e.crashes = e.crashes + g.lapsed, e.attempts = e.attempts + 1, e.state = ${running}, e.fence = ?,
       e.lease_ends_at = ?`,
    [
      givenChosen.of(chosen.map(({ seq, lapsed }) => ({ seq, lapsed: lapsed ? 1 : 0 }))),
      Buffer.from(fence),
      now + Math.round(leaseMs),
    ],
  );
  const seqs = seqsOf(chosen.map(({ seq }) => seq));
  const { rows } = await run(
    `SELECT STRAIGHT_JOIN ${eventColumns}, ${deliveryColumns}
     FROM ${givenSeqs.table} JOIN ${events} AS e ON e.seq = g.seq JOIN ${deliveries} AS d ON ${ofEvent}`,
    [seqs],
  );
  const found = new Map<number, Row>(rows.map((row) => [numberOf(row["seq"]), row]));
  return chosen.flatMap(({ seq }) => {
    const row = found.get(seq);
    return row === undefined ? [] : [{ event: eventOf(row), delivery: deliveryOf(row), fence }];
  });
}
