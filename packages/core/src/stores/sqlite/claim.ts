/** `claim` in SQLite: looks first, and asks for the write lock only when something is due. */

import type { Claim, ClaimAnswer, ClaimAsk } from "../../contracts/store.ts";
import { Room } from "../records.ts";
import type { Prepare } from "./connection.ts";
import { candidates, untilDue, type Claiming } from "./due.ts";
import { deliveryColumns, deliveryOf, eventColumns, eventOf, type Row } from "./rows.ts";

type Write = <T>(work: (prepare: Prepare) => T) => Promise<T>;

export async function claimDue(
  prepare: Prepare,
  write: Write,
  ask: ClaimAsk,
  now: () => number,
  walks: Map<string, string>,
): Promise<ClaimAnswer> {
  const types = new Map<string, readonly string[]>();
  const begin = (): Claiming => ({
    prepare,
    ask,
    now: now(),
    room: new Room(ask),
    suspects: ask.suspectsMax,
    types,
    walks,
  });
  const sources = Object.keys(ask.slots);
  const hasSlot = (source: string): boolean => (ask.slots[source] ?? 0) > 0;
  const first = begin();
  const soonest = untilDue(first, sources.filter(hasSlot));
  if (soonest !== 0) {
    const others = sources.filter((source) => !hasSlot(source));
    return { claims: [], nextDueInMs: sooner(soonest, untilDue(first, others)) };
  }
  return await write(() => {
    const on = begin();
    const claims = claimNow(on);
    return { claims, nextDueInMs: untilDue(on, sources) };
  });
}

/** The sooner of two times, either of which may never come. */
function sooner(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

function claimNow(on: Claiming): Claim[] {
  const { ask, room, prepare, now } = on;
  const claims: Claim[] = [];
  let bytes = 0;
  for (const [source, count] of Object.entries(ask.slots)) {
    for (const { seq, type, lapsed, suspect } of candidates(on, source, count)) {
      if (room.left(source, type) === 0) continue;
      bytes += sizeOf(prepare, seq);
      if (claims.length > 0 && bytes > ask.bytesMax) return claims;
      room.use(source, type);
      on.suspects -= suspect;
      claims.push(claimRow(prepare, seq, ask.fence, now + ask.leaseMs, lapsed));
    }
  }
  return claims;
}

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
