/** `settle` and `extend` in PostgreSQL: both write only where the fence is still the claim's. */

import type { Hold, Settlement } from "@webhook-inbox/core";
import { forever, listText } from "@webhook-inbox/core/records";
import type { Session } from "./connection.ts";
import { advance } from "./lanes.ts";
import type { Run } from "./pool.ts";
import { columnsOf, keyOf, uuidOf } from "./rows.ts";
import { addingMoves } from "./tallies.ts";
import { takeAll } from "./take.ts";
import { nowMs, textOf, type Tables } from "./tables.ts";

export async function extendAll(
  run: Run,
  { events }: Tables,
  holds: readonly Hold[],
  leaseMs: number,
): Promise<readonly boolean[]> {
  const rows = await run(
    `WITH given AS (SELECT * FROM unnest($1::uuid[], $2::text[]) AS g (key, fence)),
     locked AS MATERIALIZED (
       SELECT e.key FROM ${events} AS e JOIN given AS g ON e.key = g.key AND e.fence = g.fence
       ORDER BY e.key FOR UPDATE OF e
     )
     UPDATE ${events} AS e SET lease_ends_at = ${nowMs} + $3::bigint
     FROM given AS g WHERE e.key = g.key AND e.key IN (SELECT key FROM locked) AND e.fence = g.fence
     RETURNING e.key, e.fence`,
    [holds.map(({ key }) => uuidOf(key)), holds.map(({ fence }) => fence), leaseMs],
  );
  const held = new Set(rows.map((row) => `${keyOf(row["key"])} ${String(row["fence"])}`));
  return holds.map(({ key, fence }) => held.has(`${key} ${fence}`));
}

/** Names that both lists hold, each once: those of the event first, among which may be what a transaction finished. */
const joined = `CASE
  WHEN e.finished = '[]' THEN g.finished
  WHEN g.finished = '[]' THEN e.finished
  ELSE (
    SELECT json_agg(name ORDER BY place)::text FROM (
      SELECT name, min(place) AS place FROM (
        SELECT * FROM json_array_elements_text(e.finished::json) WITH ORDINALITY AS a (name, place)
        UNION ALL
        SELECT name, place + 1000000 FROM json_array_elements_text(g.finished::json) WITH ORDINALITY AS b (name, place)
      ) AS all_names GROUP BY name
    ) AS names
  ) END`;

const settleSql = textOf(
  (tables) => `
  WITH given AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::boolean[], $7::text[], $8::text[],
      $9::text[], $11::boolean[]) AS g (key, fence, state, reason, after_ms, is_back, finished, gave_up, history, holds_lane)
  ),
  locked AS MATERIALIZED (
    -- In the order of the keys, so that those who want the same events do not wait for one another in a circle.
    SELECT e.key FROM ${tables.events} AS e JOIN given AS g ON e.key = g.key AND e.fence = g.fence ORDER BY e.key FOR UPDATE OF e
  ),
  settled AS (
    UPDATE ${tables.events} AS e
    SET state = g.state, reason = g.reason,
      due_at = CASE WHEN g.is_back AND e.lane IS NOT NULL AND NOT e.lane_head THEN ${forever}
        ELSE coalesce(${nowMs} + g.after_ms, e.due_at) END,
      lane_head = e.lane IS NOT NULL AND CASE g.state WHEN 'pending' THEN e.lane_max = 0 OR (g.is_back AND e.lane_head)
        ELSE g.holds_lane END,
      attempts = e.attempts - CASE WHEN g.is_back THEN 1 ELSE 0 END,
      crashes = CASE WHEN g.state = 'pending' AND NOT g.is_back THEN 0 ELSE e.crashes END,
      finished = ${joined}, gave_up = g.gave_up, history = g.history, fence = NULL, lease_ends_at = NULL
    FROM given AS g
    WHERE e.key = g.key AND e.key IN (SELECT key FROM locked) AND e.fence = g.fence AND e.state = 'running'
    RETURNING e.key, e.source, e.type, e.state, e.delivery, e.received_at
  ),
  tallied AS (${addingMoves(
    tables,
    "SELECT source, type, 'running' AS from_state, state AS to_state, 1 AS count FROM settled",
    "$10",
  )})
  SELECT key, delivery, received_at FROM settled`,
);

export async function settleAll(
  session: Session,
  tables: Tables,
  settlements: readonly Settlement[],
): Promise<readonly boolean[]> {
  const rows = await session.run(settleSql(tables), [
    ...columnsOf(settlements, [
      ({ key }) => uuidOf(key),
      ({ fence }) => fence,
      ({ outcome }) => outcome.state,
      ({ outcome }) => ("reason" in outcome ? outcome.reason : null),
      ({ outcome }) => (outcome.state === "pending" ? Math.round(outcome.afterMs) : null),
      ({ outcome }) => outcome.state === "pending" && outcome.handedBack,
      ({ finished }) => listText(finished),
      ({ gaveUp }) => listText(gaveUp),
      ({ history }) => listText(history),
    ]),
    session.owner,
    settlements.map(({ holdsLane = false }) => holdsLane),
  ]);
  const settled = new Map(rows.map((row) => [keyOf(row["key"]), row]));
  const answers: boolean[] = [];
  for (const { key, outcome } of settlements) {
    const row = settled.get(key);
    // Of two settlements of one claim the first holds.
    settled.delete(key);
    answers.push(row !== undefined);
    if (row === undefined || outcome.state !== "done" || outcome.became === undefined) continue;
    const brought = { id: String(row["delivery"]), receivedAt: Number(row["received_at"]) };
    const known = new Map(outcome.became.map(({ delivery }) => [delivery, brought]));
    const ask = { fence: "", leaseMs: 0, slots: {} };
    await takeAll({ ...session, tables, ask, known, met: new Set() }, outcome.became);
  }
  await advance(
    session.run,
    tables,
    settlements.map(({ lane }) => lane?.key),
  );
  return answers;
}

/** Whether settlements take new events or let others be heads, so that they need a transaction of several statements. */
export const bringsWork = (settlements: readonly Settlement[]): boolean =>
  settlements.some(
    ({ outcome, lane }) =>
      lane !== undefined || (outcome.state === "done" && outcome.became !== undefined),
  );
