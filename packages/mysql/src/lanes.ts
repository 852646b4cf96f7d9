/**
 * Lanes: who heads them, and who is next. Whoever writes events of a lane holds its lock from then until the commit, and
 * comes to it last, behind the locks of rows: so nobody waits for another in a circle.
 */

import type { EventRecord } from "@webhook-inbox/core";
import { forever } from "@webhook-inbox/core/records";
import type { Writing } from "./writing.ts";
import type { Row } from "./pool.ts";
import { Given, givenSeqs, literal, seqsOf } from "./tables.ts";
import { numberOf, optional, textOf } from "./values.ts";

/** Rows that stand for all lanes, several for each: a lane has the one that its key comes to. */
export const lockCount = 256;

/** An ordered lane is kept as one of no width: a head that waits for its next attempt keeps its place. */
export const widthOf = ({ lane }: Pick<EventRecord, "lane">): number | null =>
  lane === undefined ? null : lane.isOrdered ? 0 : lane.max;

/** The lane of a row. */
export function laneOf(row: Row): EventRecord["lane"] {
  const key = optional(row["lane"], textOf);
  if (key === undefined) return undefined;
  const width = numberOf(row["lane_max"]);
  return {
    key,
    isOrdered: width === 0,
    max: Math.max(1, width),
    isHead: numberOf(row["lane_head"]) === 1,
  };
}

/** Places of new events, far from one another. */
export const newPlace = "seq * 1048576";

const locks = new Given({ slot: "number" });

/** The lock of a lane. */
function slotOf(lane: string): number {
  let sum = 0;
  for (let index = 0; index < lane.length; index++) sum = (sum * 31 + lane.charCodeAt(index)) | 0;
  return Math.abs(sum) % lockCount;
}

/** Those that wait in a lane, in the order of their places. */
const waiting = (events: string, prefix: string, lane: string): string => `
  FROM ${events} AS e FORCE INDEX (${prefix}_events_lanes)
  WHERE e.lane = ${lane} AND e.lane_head = 0 AND e.state = ${pending} AND e.due_at = ${forever}
  ORDER BY e.lane_place, e.seq`;

const pending = literal("pending");
const isOpen = [pending, literal("running")].join(", ");

/** Takes the locks of the lanes that were written to. */
export async function lockLanes({ run, tables, moves }: Writing): Promise<void> {
  const slots = [...new Set([...moves.lanes].map(slotOf))].sort((a, b) => a - b);
  if (slots.length === 0) return;
  await run(
    `SELECT STRAIGHT_JOIN l.slot FROM ${locks.table} JOIN ${tables.lanes} AS l ON l.slot = g.slot FOR UPDATE`,
    [locks.of(slots.map((slot) => ({ slot })))],
  );
}

/** Gives events that come back the last places of their lanes, in this order. Their locks are held. */
export async function takeLastPlaces(
  { run, tables: { events } }: Writing,
  joining: readonly { readonly seq: number; readonly lane: string }[],
): Promise<void> {
  for (const { seq, lane } of joining) {
    const { rows } = await run(
      `SELECT GREATEST(
        (SELECT MAX(seq) * 1048576 FROM ${events}),
        COALESCE((
          SELECT MAX(lane_place) FROM ${events}
          WHERE lane = ${literal(lane)} AND lane_head IN (0, 1) AND state IN (${isOpen})
        ), 0)) + 1 AS place`,
    );
    // As a text: it may be beyond what a number holds exactly.
    await run(`UPDATE ${events} SET lane_place = CAST(? AS SIGNED) WHERE seq = ?`, [
      String(rows[0]?.["place"]),
      seq,
    ]);
  }
}

/**
 * Lets as many of each lane be heads as may be, those with the first places; answers whether there are new ones. One whose
 * row is just being changed by another is left to that one, who comes here too: it waits for our lock now.
 */
export async function advance({ run, tables, moves, now }: Writing): Promise<void> {
  const { events, prefix } = tables;
  const lanes = [...moves.lanes];
  if (lanes.length === 0) return;
  const heads = await run(
    `SELECT h.lane, COUNT(*) AS heads FROM ${events} AS h FORCE INDEX (${prefix}_events_lanes)
     WHERE h.lane IN (${lanes.map(literal).join(", ")}) AND h.lane_head = 1 GROUP BY h.lane`,
  );
  const headsOf = new Map(heads.rows.map((row) => [textOf(row["lane"]), numberOf(row["heads"])]));
  // Each lane has its key in the text: servers follow an index to the first row only for what is constant there.
  const firsts = await run(
    lanes
      .map((lane, place) => {
        const [key, of] = [literal(lane), `${place} AS place`];
        return `(SELECT ${of}, e.seq, GREATEST(1, e.lane_max) AS width ${waiting(events, prefix, key)} LIMIT 1)`;
      })
      .join(" UNION ALL "),
  );
  const next: number[] = [];
  for (const row of firsts.rows) {
    const lane = lanes[numberOf(row["place"])] ?? "";
    const room = numberOf(row["width"]) - (headsOf.get(lane) ?? 0);
    if (room === 1) next.push(numberOf(row["seq"]));
    if (room <= 1) continue;
    const more = await run(`SELECT e.seq ${waiting(events, prefix, literal(lane))} LIMIT ${room}`);
    next.push(...more.rows.map(({ seq }) => numberOf(seq)));
  }
  if (next.length === 0) return;
  const free = await run(
    `SELECT STRAIGHT_JOIN e.seq FROM ${givenSeqs.table} JOIN ${events} AS e ON e.seq = g.seq
     WHERE e.state = ${pending} AND e.due_at = ${forever} FOR UPDATE SKIP LOCKED`,
    [seqsOf(next)],
  );
  if (free.rows.length === 0) return;
  await run(
    `UPDATE ${givenSeqs.table} STRAIGHT_JOIN ${events} AS e ON e.seq = g.seq SET e.lane_head = 1, e.due_at = ?`,
    [seqsOf(free.rows.map(({ seq }) => numberOf(seq))), now],
  );
}
