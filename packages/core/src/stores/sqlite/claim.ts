/** `claim` in SQLite: looks first, and asks for the write lock only when something is due. */

import type { StatementSync } from "node:sqlite";
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
  const nextDueInMs = untilDue(prepare, ask, ask.suspectsMax, now());
  if (nextDueInMs === undefined || nextDueInMs > 0) return { claims: [], nextDueInMs };
  return await write(() => {
    const claims = claimNow(prepare, ask, now());
    const suspects = claims.filter(({ event }) => event.crashes > 0).length;
    return { claims, nextDueInMs: untilDue(prepare, ask, ask.suspectsMax - suspects, now()) };
  });
}

function claimNow(prepare: Prepare, ask: ClaimAsk, now: number): Claim[] {
  const { slots, fence, leaseMs, suspectsMax, bytesMax } = ask;
  const claims: Claim[] = [];
  let suspects = suspectsMax;
  let bytes = 0;
  for (const [source, count] of Object.entries(slots)) {
    for (const { seq, size, lapsed, suspect } of candidates(
      prepare,
      source,
      count,
      suspects,
      now,
    )) {
      bytes += size;
      if (claims.length > 0 && bytes > bytesMax) return claims;
      suspects -= suspect;
      claims.push(claimRow(prepare, seq, fence, now + leaseMs, lapsed));
    }
  }
  return claims;
}

interface Candidate {
  readonly seq: number;
  readonly size: number;
  readonly lapsed: 0 | 1;
  readonly suspect: 0 | 1;
}

/** Due rows of a source, oldest due first; before them a suspect, if one may run, of most crashes. Reads no body. */
function candidates(
  prepare: Prepare,
  source: string,
  count: number,
  suspectsMax: number,
  now: number,
): readonly Candidate[] {
  const rows = (
    state: string,
    due: string,
    more: string,
    most: number,
    first = "",
  ): readonly Candidate[] =>
    prepare(`
      SELECT e.seq, (SELECT length(body) FROM webhook_inbox_deliveries d WHERE d.seq = e.delivery) AS size,
        e.state = 'running' AS lapsed, e.state = 'running' OR e.crashes > 0 AS suspect
      FROM webhook_inbox_events e
      WHERE e.state = '${state}' AND e.source = ? AND e.${due} <= ? ${more}
      ORDER BY ${first} e.${due}, e.seq LIMIT ?`).all(source, now, most) as unknown as Candidate[];
  const most = Math.min(count, Math.max(0, suspectsMax));
  const worst = "e.crashes DESC,";
  const lapsed = rows("running", "lease_ends_at", "", most, worst);
  const crashed = rows("pending", "due_at", "AND e.crashes > 0", most - lapsed.length, worst);
  const suspects = [...lapsed, ...crashed];
  return [...suspects, ...rows("pending", "due_at", "AND e.crashes = 0", count - suspects.length)];
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
function untilDue(
  prepare: Prepare,
  { slots }: ClaimAsk,
  suspectsMax: number,
  now: number,
): number | undefined {
  const first = (state: string, due: string, more: string): StatementSync =>
    prepare(
      `SELECT min(${due}) AS at FROM webhook_inbox_events WHERE state = '${state}' AND source = ? ${more}`,
    );
  const statements = [first("pending", "due_at", "AND crashes = 0")];
  if (suspectsMax > 0) {
    statements.push(first("pending", "due_at", "AND crashes > 0"));
    statements.push(first("running", "lease_ends_at", ""));
  }
  const instants = Object.keys(slots)
    .flatMap((source) => statements.map((statement) => statement.get(source)?.["at"]))
    .filter((at) => typeof at === "number");
  return instants.length === 0 ? undefined : Math.max(0, Math.min(...instants) - now);
}
