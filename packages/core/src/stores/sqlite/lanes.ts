/** Lanes in SQLite: who heads them, and who is next. */

import type { EventRecord } from "../../model/event.ts";
import { forever } from "../records.ts";
import type { Prepare } from "./connection.ts";
import type { Row } from "./rows.ts";

/** The place of a new event in its lane, far from that of the next one. */
export const newPlace = "seq << 20";

/** A place behind all that are in the lane of the row that is updated, and before those of all events that come later. */
export const lastPlace = `(
  SELECT 1 + max((SELECT max(seq) << 20 FROM webhook_inbox_events), coalesce(max(l.lane_place), 0))
  FROM webhook_inbox_events l WHERE l.lane = webhook_inbox_events.lane)`;

/** An ordered lane is kept as one of no width: a head that waits for its next attempt keeps its place. */
export const widthOf = ({ lane }: Pick<EventRecord, "lane">): number | null =>
  lane === undefined ? null : lane.isOrdered ? 0 : lane.max;

/** The lane of a row. */
export function laneOf(row: Row): EventRecord["lane"] {
  const { lane, lane_max: width, lane_head: isHead } = row;
  if (typeof lane !== "string") return undefined;
  return {
    key: lane,
    isOrdered: width === 0,
    max: Math.max(1, Number(width)),
    isHead: isHead === 1,
  };
}

/** Lets as many of a lane be heads as may be, those with the first places. */
export function advance(prepare: Prepare, lane: string, now: number): void {
  prepare(`
    UPDATE webhook_inbox_events SET lane_head = 1, due_at = ?2 WHERE seq IN (
      SELECT seq FROM webhook_inbox_events
      WHERE lane = ?1 AND state = 'pending' AND due_at = ${forever} ORDER BY lane_place, seq LIMIT max(0,
        coalesce((
          SELECT max(1, lane_max) FROM webhook_inbox_events
          WHERE lane = ?1 AND state = 'pending' AND due_at = ${forever} ORDER BY lane_place, seq LIMIT 1
        ), 0) - (SELECT count(*) FROM webhook_inbox_events WHERE lane = ?1 AND lane_head = 1)))`).run(
    lane,
    now,
  );
}
