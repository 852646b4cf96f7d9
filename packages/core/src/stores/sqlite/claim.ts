/** `claim` in SQLite: looks first, and asks for the write lock only when something is due. */

import type { Claim, ClaimAnswer, ClaimAsk } from "../../contracts/store.ts";
import type { Prepare } from "./connection.ts";
import { deliveryColumns, deliveryOf, eventColumns, eventOf, type Row } from "./rows.ts";

type Write = <T>(work: (prepare: Prepare) => T) => Promise<T>;

export async function claimDue(
  prepare: Prepare,
  write: Write,
  ask: ClaimAsk,
  now: () => number,
): Promise<ClaimAnswer> {
  const sources = Object.keys(ask.slots);
  const nextDueInMs = untilDue(prepare, sources, now());
  if (nextDueInMs === undefined || nextDueInMs > 0) return { claims: [], nextDueInMs };
  return await write(() => {
    const claims = claimNow(prepare, ask, now());
    return { claims, nextDueInMs: untilDue(prepare, sources, now()) };
  });
}

function claimNow(
  prepare: Prepare,
  { slots, fence, leaseMs, bytesMax }: ClaimAsk,
  now: number,
): Claim[] {
  const claims: Claim[] = [];
  let bytes = 0;
  for (const [source, count] of Object.entries(slots)) {
    for (const { seq, size, lapsed } of candidates(prepare, source, count, now)) {
      bytes += size;
      if (claims.length > 0 && bytes > bytesMax) return claims;
      claims.push(claimRow(prepare, seq, fence, now + leaseMs, lapsed));
    }
  }
  return claims;
}

interface Candidate {
  readonly seq: number;
  readonly size: number;
  readonly lapsed: 0 | 1;
}

/** Due rows of a source, oldest due first, and before them those whose lease has ended. Reads no body. */
function candidates(
  prepare: Prepare,
  source: string,
  count: number,
  now: number,
): readonly Candidate[] {
  const size = "(SELECT length(body) FROM webhook_inbox_deliveries d WHERE d.seq = e.delivery)";
  const lapsed = prepare(`
    SELECT e.seq, ${size} AS size, 1 AS lapsed FROM webhook_inbox_events e
    WHERE e.state = 'running' AND e.source = ? AND e.lease_ends_at <= ?
    ORDER BY e.lease_ends_at LIMIT ?`).all(source, now, count);
  const due = prepare(`
    SELECT e.seq, ${size} AS size, 0 AS lapsed FROM webhook_inbox_events e
    WHERE e.state = 'pending' AND e.source = ? AND e.due_at <= ?
    ORDER BY e.due_at, e.seq LIMIT ?`).all(source, now, count - lapsed.length);
  return [...lapsed, ...due] as unknown as Candidate[];
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

function untilDue(prepare: Prepare, sources: readonly string[], now: number): number | undefined {
  const due = prepare(
    "SELECT min(due_at) AS at FROM webhook_inbox_events WHERE state = 'pending' AND source = ?",
  );
  const lease = prepare(
    "SELECT min(lease_ends_at) AS at FROM webhook_inbox_events WHERE state = 'running' AND source = ?",
  );
  let next: number | undefined;
  for (const source of sources) {
    for (const statement of [due, lease]) {
      const at = statement.get(source)?.["at"];
      if (typeof at === "number") next = Math.min(next ?? at, at);
    }
  }
  return next === undefined ? undefined : Math.max(0, next - now);
}
