/**
 * Lanes in PostgreSQL: who heads them, and who is next. Whoever writes events of a lane holds its lock from then until the
 * commit, and comes to it last, behind the locks of rows: so nobody waits for another in a circle.
 */

import type { EventRecord } from "@webhook-inbox/core";
import { forever } from "@webhook-inbox/core/records";
import type { Row, Run } from "./pool.ts";
import { nowMs, textOf, type Tables } from "./tables.ts";

/** An ordered lane is kept as one of no width: a head that waits for its next attempt keeps its place. */
export const widthOf = ({ lane }: Pick<EventRecord, "lane">): number | null =>
  lane === undefined ? null : lane.isOrdered ? 0 : lane.max;

/** The lane of a row. */
export function laneOf(row: Row): EventRecord["lane"] {
  const { lane, lane_max: width, lane_head: isHead } = row;
  if (typeof lane !== "string") return undefined;
  return {
    key: lane,
    isOrdered: Number(width) === 0,
    max: Math.max(1, Number(width)),
    isHead: isHead === true,
  };
}

/** Those that wait in a lane, in the order of their places. */
const waiting = ({ events }: Tables): string => `
  FROM ${events} AS e WHERE e.lane = l.lane AND e.state = 'pending' AND e.due_at = ${forever} ORDER BY e.lane_place, e.seq`;

/**
 * One whose row is just being changed by another is left to that one, who comes here too: it waits for our lock now.
 */
const advanceSql = textOf(
  (tables) => `
  WITH next AS (
    SELECT f.key FROM unnest($1::text[]) AS l (lane), LATERAL (
      SELECT e.key ${waiting(tables)} LIMIT greatest(0,
        coalesce((SELECT greatest(1, e.lane_max) ${waiting(tables)} LIMIT 1), 0)
          - (SELECT count(*) FROM ${tables.events} AS h WHERE h.lane = l.lane AND h.lane_head))
    ) AS f
  ),
  locked AS MATERIALIZED (
    SELECT e.key FROM ${tables.events} AS e WHERE e.key IN (SELECT key FROM next) FOR UPDATE SKIP LOCKED
  )
  UPDATE ${tables.events} AS e SET lane_head = true, due_at = ${nowMs}
  WHERE e.key IN (SELECT key FROM locked) AND e.state = 'pending' AND e.due_at = ${forever}
  RETURNING true AS is_head`,
);

/**
 * Lets as many of each lane be heads as may be, those with the first places; answers whether there are new ones. Runs in
 * the transaction that has written events of the lanes, as its last act.
 */
export async function advance(
  run: Run,
  tables: Tables,
  lanes: readonly (string | undefined)[],
): Promise<boolean> {
  const known = [...new Set(lanes)].filter((lane) => lane !== undefined).sort();
  if (known.length === 0) return false;
  await run(
    "SELECT count(pg_advisory_xact_lock(hashtextextended($1 || lane, 0))) FROM unnest($2::text[]) AS l (lane)",
    [tables.schema, known],
  );
  // A statement of its own: it sees what others have committed who held the locks before.
  const heads = await run(advanceSql(tables), [known]);
  return heads.length > 0;
}
