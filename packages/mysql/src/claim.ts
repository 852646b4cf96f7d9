/**
 * `claim` in MySQL: looks first, without a lock; then locks what it has chosen, leaves aside what others are just claiming,
 * and takes it.
 */

import type { Claim, ClaimAnswer, ClaimAsk } from "@webhook-inbox/core";
import { Room } from "@webhook-inbox/core/records";
import type { Connection, Writing } from "./connection.ts";
import { isSuspect, pending, running, untilDue, waitingTypes, type Waiting } from "./due.ts";
import type { MysqlConnection, Row, Run } from "./pool.ts";
import {
  deliveryColumns,
  deliveryOf,
  eventColumns,
  eventOf,
  numberOf,
  ofEvent,
  textOf,
} from "./rows.ts";
import { Given, givenSeqs, literal, seqsOf, type Tables } from "./tables.ts";

/** A row that may be claimed. */
interface Candidate {
  readonly seq: number;
  readonly source: string;
  readonly type: string;
  readonly size: number;
  readonly crashes: number;
  readonly replayed: number;
  readonly dueAt: number;
  /** Whether its lease has ended. */
  readonly lapsed: boolean;
}

export async function claimDue<Client extends MysqlConnection>(
  connection: Connection<Client>,
  tables: Tables,
  ask: ClaimAsk,
  walks: Map<string, string>,
): Promise<ClaimAnswer> {
  const whole = new Room(ask);
  const limited = Object.keys(ask.slots).filter((source) => whole.isLimited(source));
  const types = await waitingTypes(connection.run, tables, limited, walks);
  const soonest = await untilDue(connection.run, tables, ask, whole, types);
  if (soonest !== 0) return { claims: [], nextDueInMs: soonest };
  return await connection.moving(tables, async (on) => {
    const room = new Room(ask);
    const claims = await claimNow(on, ask, room, types);
    const suspects = claims.filter(({ event }) => event.crashes > 0).length;
    const left = { ...ask, suspectsMax: ask.suspectsMax - suspects };
    // Types of which something was due have moved on.
    const now = await waitingTypes(on.run, tables, limited, new Map(walks));
    return { claims, nextDueInMs: await untilDue(on.run, tables, left, room, now) };
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

const isOfSuspect = ({ crashes, lapsed }: Candidate): boolean => lapsed || crashes > 0;
const crashesOf = ({ crashes, lapsed }: Candidate): number => crashes + (lapsed ? 1 : 0);

/** Rows of them that nobody else has in hand, and that are still what they were. */
async function lock(
  { run, tables, now }: Writing,
  wanted: readonly Candidate[],
): Promise<ReadonlySet<number>> {
  const known = new Map(wanted.map((one) => [one.seq, one]));
  const { rows } = await run(
    `SELECT STRAIGHT_JOIN e.seq, e.crashes, e.state FROM ${givenSeqs.table} JOIN ${tables.events} AS e ON e.seq = g.seq
     WHERE (e.state = ${pending} AND e.due_at <= ?) OR (e.state = ${running} AND e.lease_ends_at <= ?)
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
    `UPDATE ${givenChosen.table} JOIN ${events} AS e ON e.seq = g.seq
     SET e.crashes = e.crashes + g.lapsed, e.attempts = e.attempts + 1, e.state = ${running}, e.fence = ${literal(fence)},
       e.lease_ends_at = ?`,
    [
      givenChosen.of(chosen.map(({ seq, lapsed }) => ({ seq, lapsed: lapsed ? 1 : 0 }))),
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

/** How many more are looked for than are wanted: others may be claiming the first ones. */
const spare = 8;
const lookedForMax = 1000;

/** Suspects first, those with the most crashes before others; then those that were not replayed, the oldest due first. */
async function candidatesOf(
  { run, tables, now }: Writing,
  ask: ClaimAsk,
  room: Room,
  types: Waiting,
): Promise<readonly Candidate[]> {
  const looks = Object.entries(ask.slots)
    .filter(([, slots]) => slots > 0)
    .flatMap(([source, slots]) => looksOf(tables, source, slots, room, types, now));
  const sources = Object.keys(ask.slots).filter((source) => (ask.slots[source] ?? 0) > 0);
  const suspects = ask.suspectsMax > 0 ? await suspectsOf(run, tables, sources, ask, now) : [];
  const found: Candidate[] = [];
  for (const part of chunksOf(looks)) {
    const { rows } = await run(part.join(" UNION ALL "));
    found.push(...rows.map(candidateOf));
  }
  found.sort((a, b) => a.replayed - b.replayed || a.dueAt - b.dueAt || a.seq - b.seq);
  return [...suspects, ...found];
}

const looksAtOnce = 200;

function chunksOf(looks: readonly string[]): readonly (readonly string[])[] {
  const count = Math.ceil(looks.length / looksAtOnce);
  return Array.from({ length: count }, (_, n) =>
    looks.slice(n * looksAtOnce, (n + 1) * looksAtOnce),
  );
}

const columns = "e.seq, e.source, e.type, e.size, e.crashes, e.replayed";

/** Statements that look for what is due of a source; where its types are limited, of each by itself. */
function looksOf(
  { events, prefix }: Tables,
  source: string,
  slots: number,
  room: Room,
  types: Waiting,
  now: number,
): readonly string[] {
  const look = (index: string, where: string, replayed: number, most: number): string => `
    (SELECT ${columns}, e.due_at AS at, 0 AS lapsed FROM ${events} AS e FORCE INDEX (${prefix}_${index})
     WHERE e.source = ${literal(source)} AND e.state = ${pending} AND ${where} AND e.crashes = 0
       AND e.replayed = ${replayed} AND e.due_at <= ${now}
     ORDER BY e.due_at LIMIT ${Math.min(most * spare, lookedForMax)})`;
  const limited = types.get(source);
  if (limited === undefined) {
    return [0, 1].map((replayed) => look("events_due", "TRUE", replayed, slots));
  }
  return ([0, 1] as const).flatMap((replayed) =>
    limited
      .filter(({ type, at }) => at[replayed] <= now && room.left(source, type) > 0)
      // The oldest of all are among the types whose first ones are the oldest.
      .toSorted((a, b) => a.at[replayed] - b.at[replayed])
      .slice(0, slots)
      .map(({ type }) => {
        const most = Math.min(slots, room.left(source, type));
        return look("events_due_by_type", `e.type = ${literal(type)}`, replayed, most);
      }),
  );
}

async function suspectsOf(
  run: Run,
  { events, prefix }: Tables,
  sources: readonly string[],
  { crashesMax }: ClaimAsk,
  now: number,
): Promise<readonly Candidate[]> {
  if (sources.length === 0) return [];
  const { rows } = await run(
    `SELECT ${columns}, e.state = ${running} AS lapsed,
       CASE e.state WHEN ${running} THEN e.lease_ends_at ELSE e.due_at END AS at
     FROM ${events} AS e FORCE INDEX (${prefix}_events_due)
     WHERE e.source IN (${sources.map(literal).join(", ")}) AND ${isSuspect(crashesMax)}
       AND CASE e.state WHEN ${running} THEN e.lease_ends_at ELSE e.due_at END <= ${now}
     ORDER BY crashes + lapsed DESC, at, seq LIMIT ${lookedForMax}`,
  );
  return rows
    .map(candidateOf)
    .sort((a, b) => crashesOf(b) - crashesOf(a) || a.dueAt - b.dueAt || a.seq - b.seq);
}

function candidateOf(row: Row): Candidate {
  return {
    seq: numberOf(row["seq"]),
    source: textOf(row["source"]),
    type: textOf(row["type"]),
    size: numberOf(row["size"]),
    crashes: numberOf(row["crashes"]),
    replayed: numberOf(row["replayed"]),
    dueAt: numberOf(row["at"]),
    lapsed: numberOf(row["lapsed"]) === 1,
  };
}
