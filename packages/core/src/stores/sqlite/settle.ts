/** `settle` and `extend` in SQLite: both write only where the fence is still the claim's. */

import type { Hold } from "../../contracts/store.ts";
import type { Settlement } from "../../model/settlement.ts";
import { forever, listText } from "../records.ts";
import type { Prepare } from "./connection.ts";
import { encodeKey } from "../../event-key.ts";
import { takeAll } from "./take.ts";
import type { Writing } from "./writing.ts";

export function extendAll(
  prepare: Prepare,
  holds: readonly Hold[],
  leaseEndsAt: number,
): readonly boolean[] {
  // There are no more of them than handlers run, and who extends need not know any other key.
  const running = new Map<string, number>();
  const rows = prepare("SELECT seq, key, fence FROM webhook_inbox_events WHERE state = 'running'");
  for (const { seq, key, fence } of rows.all()) {
    running.set(`${encodeKey(key as Uint8Array)} ${String(fence)}`, seq as number);
  }
  const statement = prepare("UPDATE webhook_inbox_events SET lease_ends_at = ? WHERE seq = ?");
  return holds.map(({ key, fence }) => {
    const seq = running.get(`${key} ${fence}`);
    if (seq !== undefined) statement.run(leaseEndsAt, seq);
    return seq !== undefined;
  });
}

export function settleAll(on: Writing, settlements: readonly Settlement[]): readonly boolean[] {
  return settlements.map((settlement) => settle(on, settlement));
}

const update = `
  UPDATE webhook_inbox_events
  SET state = ?1, reason = ?2, attempts = attempts - ?4,
    due_at = CASE WHEN ?1 = 'pending' AND ?4 = 1 AND lane IS NOT NULL AND lane_head = 0 THEN ${forever}
      ELSE coalesce(?3, due_at) END,
    lane_head = CASE WHEN lane IS NULL THEN 0 WHEN ?1 = 'pending' THEN lane_max = 0 OR (?4 = 1 AND lane_head = 1)
      ELSE ?10 END,
    crashes = CASE WHEN ?1 = 'pending' AND ?4 = 0 THEN 0 ELSE crashes END, gave_up = ?6, history = ?7,
    finished = CASE finished WHEN '[]' THEN ?5 ELSE (
      SELECT json_group_array(value) FROM (
        SELECT value FROM json_each(finished) UNION ALL
        SELECT value FROM json_each(?5) WHERE value NOT IN (SELECT value FROM json_each(finished))
      )
    ) END,
    fence = NULL, lease_ends_at = NULL
  WHERE seq = ?8 AND fence = ?9 AND state = 'running'
  RETURNING source, type, delivery, lane`;

function settle(
  on: Writing,
  { key, fence, outcome, finished, gaveUp, history, holdsLane = false }: Settlement,
): boolean {
  const { prepare, keys, now, moves } = on;
  const isPending = outcome.state === "pending";
  const row = prepare(update).get(
    outcome.state,
    "reason" in outcome ? outcome.reason : null,
    isPending ? now + outcome.afterMs : null,
    isPending && outcome.handedBack ? 1 : 0,
    listText(finished),
    listText(gaveUp),
    listText(history),
    keys.find(key) ?? null,
    fence,
    holdsLane ? 1 : 0,
  );
  if (row === undefined) return false;
  moves.touch((row["lane"] ?? undefined) as string | undefined);
  const { source, type, delivery } = row as { source: string; type: string; delivery: number };
  moves.add({ source, type, from: "running", to: outcome.state });
  if (outcome.state === "done" && outcome.became !== undefined) {
    const deliveries = new Map(outcome.became.map((event) => [event.delivery, delivery]));
    const ask = { fence: "", leaseMs: 0, slots: {} };
    takeAll({ ...on, ask, deliveries }, outcome.became);
  }
  return true;
}
