/** `claim` in SQLite: looks first, and asks for the write lock only when something is due. */

import type { Claim, ClaimAnswer, ClaimAsk } from "../../contracts/store.ts";
import { Room } from "../records.ts";
import type { Prepare } from "./connection.ts";
import { deliveryColumns, deliveryOf, eventColumns, eventOf, type Row } from "./rows.ts";

type Write = <T>(work: (prepare: Prepare) => T) => Promise<T>;

/** What one call of `claim` works with, and what it may still give. */
interface Claiming {
  readonly prepare: Prepare;
  readonly ask: ClaimAsk;
  readonly now: number;
  readonly room: Room;
  suspects: number;
}

export async function claimDue(
  prepare: Prepare,
  write: Write,
  ask: ClaimAsk,
  now: () => number,
): Promise<ClaimAnswer> {
  const begin = (): Claiming => ({
    prepare,
    ask,
    now: now(),
    room: new Room(ask),
    suspects: ask.suspectsMax,
  });
  const nextDueInMs = untilDue(begin());
  if (nextDueInMs === undefined || nextDueInMs > 0) return { claims: [], nextDueInMs };
  return await write(() => {
    const on = begin();
    const claims = claimNow(on);
    return { claims, nextDueInMs: untilDue(on) };
  });
}

function claimNow(on: Claiming): Claim[] {
  const { ask, room, prepare, now } = on;
  const claims: Claim[] = [];
  let bytes = 0;
  for (const [source, count] of Object.entries(ask.slots)) {
    const before = claims.length;
    for (let isCut = true; isCut;) {
      isCut = false;
      for (const { seq, type, lapsed, suspect } of candidates(
        on,
        source,
        count - claims.length + before,
      )) {
        // A type that has just become full may hide others: they are looked for again, without it.
        isCut ||= !room.has(source, type);
        if (!room.has(source, type)) continue;
        bytes += sizeOf(prepare, seq);
        if (claims.length > 0 && bytes > ask.bytesMax) return claims;
        room.use(source, type);
        on.suspects -= suspect;
        claims.push(claimRow(prepare, seq, ask.fence, now + ask.leaseMs, lapsed));
      }
    }
  }
  return claims;
}

interface Candidate {
  readonly seq: number;
  readonly type: string;
  readonly lapsed: 0 | 1;
  readonly suspect: 0 | 1;
}

const isDue = "e.state = 'pending' AND e.crashes = 0";
const isSuspect = (max: number): string =>
  `e.state = 'pending' AND e.crashes > 0${max === Infinity ? "" : ` AND e.crashes <= ${max}`}`;
const isLapsed = (max: number): string =>
  `e.state = 'running'${max === Infinity ? "" : ` AND e.crashes < ${max}`}`;

/** Due rows of a source, oldest due first; before them suspects, if any may run, of most crashes. Reads no body. */
function candidates(
  { prepare, now, room, suspects, ask: { crashesMax } }: Claiming,
  source: string,
  count: number,
): readonly Candidate[] {
  const full = JSON.stringify(room.fullTypes(source));
  const rows = (where: string, due: string, most: number, order: string): readonly Candidate[] =>
    most <= 0
      ? []
      : (prepare(`
          SELECT e.seq, e.type, e.state = 'running' AS lapsed, e.state = 'running' OR e.crashes > 0 AS suspect
          FROM webhook_inbox_events e
          WHERE ${where} AND e.source = ? AND e.${due} <= ? ${full === "[]" ? "AND ? <> ''" : notIn}
          ORDER BY ${order} LIMIT ?`).all(source, now, full, most) as unknown as Candidate[]);
  const most = Math.min(count, suspects);
  const lapsed = rows(
    isLapsed(crashesMax),
    "lease_ends_at",
    most,
    "e.crashes DESC, e.lease_ends_at, e.seq",
  );
  const crashed = rows(
    isSuspect(crashesMax),
    "due_at",
    most - lapsed.length,
    "e.crashes DESC, e.due_at, e.seq",
  );
  const found = [...lapsed, ...crashed];
  for (const replayed of [0, 1]) {
    const where = `${isDue} AND e.replayed = ${replayed}`;
    found.push(...rows(where, "due_at", count - found.length, "e.due_at"));
  }
  return found;
}

const notIn = "AND e.type NOT IN (SELECT value FROM json_each(?))";

function sizeOf(prepare: Prepare, seq: number): number {
  const row = prepare(`
    SELECT length(d.body) AS size
    FROM webhook_inbox_events e JOIN webhook_inbox_deliveries d ON d.seq = e.delivery WHERE e.seq = ?`).get(
    seq,
  );
  return Number(row?.["size"] ?? 0);
}

function claimRow(
  prepare: Prepare,
  seq: number,
  fence: string,
  leaseEndsAt: number,
  crashes: 0 | 1,
): Claim {
  prepare(`
    UPDATE webhook_inbox_events
    SET state = 'running', fence = ?, lease_ends_at = ?, attempts = attempts + 1, crashes = crashes + ?
    WHERE seq = ?`).run(fence, leaseEndsAt, crashes, seq);
  const row = prepare(`
    SELECT ${eventColumns}, ${deliveryColumns}
    FROM webhook_inbox_events e JOIN webhook_inbox_deliveries d ON d.seq = e.delivery
    WHERE e.seq = ?`).get(seq) as Row;
  return { event: eventOf(row), delivery: deliveryOf(row), fence };
}

/** Milliseconds until something may be claimed; suspects count only while one may run. */
function untilDue({ prepare, ask, now, room, suspects }: Claiming): number | undefined {
  const ways: readonly (readonly [where: string, due: string])[] = [
    [`${isDue} AND e.replayed = 0`, "due_at"],
    [`${isDue} AND e.replayed = 1`, "due_at"],
    ...(suspects > 0
      ? ([
          [isSuspect(ask.crashesMax), "due_at"],
          [isLapsed(ask.crashesMax), "lease_ends_at"],
        ] as const)
      : []),
  ];
  const instants = Object.keys(ask.slots).flatMap((source) => {
    const full = JSON.stringify(room.fullTypes(source));
    return ways.map(([where, due]) => {
      const first = prepare(`
        SELECT e.${due} AS at FROM webhook_inbox_events e
        WHERE ${where} AND e.source = ? ${full === "[]" ? "AND ? <> ''" : notIn} ORDER BY e.${due} LIMIT 1`);
      return first.get(source, full)?.["at"];
    });
  });
  const numbers = instants.filter((at) => typeof at === "number");
  return numbers.length === 0 ? undefined : Math.max(0, Math.min(...numbers) - now);
}
