/** Pages of events: filters that look at a bounded number of rows, and go on from there. */

import type { EventFilter } from "../../contracts/store.ts";
import { badCursor } from "../records.ts";
import type { EventRecord } from "../../model/event.ts";
import type { Prepare } from "./connection.ts";
import { eventColumns, eventOf, type Row } from "./rows.ts";

const lookedAtMax = 20_000;

export interface Page {
  readonly events: readonly EventRecord[];
  /** Where the next page begins; undefined when there is none. */
  readonly cursor: string | undefined;
}

/** Events that fit, newest or oldest first, beyond `cursor`, `more` being a further condition. */
export function pageOf(
  prepare: Prepare,
  filter: EventFilter,
  order: "newest" | "oldest",
  cursor: string | undefined,
  limit: number,
  more = "TRUE",
): Page {
  const bounds = prepare(
    "SELECT min(seq) AS low, max(seq) AS high FROM webhook_inbox_events",
  ).get();
  const low = Number(bounds?.["low"] ?? 0);
  const high = Number(bounds?.["high"] ?? -1);
  const isUp = order === "oldest";
  const start = cursor === undefined ? (isUp ? low - 1 : high + 1) : Number(cursor);
  if (!Number.isSafeInteger(start)) throw badCursor();
  const end = isUp ? start + lookedAtMax + 1 : start - lookedAtMax - 1;
  const rows = prepare(`
    SELECT e.seq, ${eventColumns} FROM webhook_inbox_events e
    WHERE e.seq > ? AND e.seq < ? AND ${[...conditionsOf(filter), more].join(" AND ")}
    ORDER BY e.seq ${isUp ? "ASC" : "DESC"} LIMIT ?`).all(
    Math.min(start, end),
    Math.max(start, end),
    ...valuesOf(filter),
    limit + 1,
  ) as Row[];
  const events = rows.slice(0, limit).map(eventOf);
  if (rows.length > limit) return { events, cursor: String(rows[limit - 1]?.["seq"]) };
  const isOver = isUp ? end > high : end < low;
  return { events, cursor: isOver ? undefined : String(isUp ? end - 1 : end + 1) };
}

const equals = ["source", "type", "state", "reason"] as const;

function conditionsOf(filter: EventFilter): readonly string[] {
  return [
    ...equals.filter((name) => filter[name] !== undefined).map((name) => `e.${name} = ?`),
    ...(filter.receivedFrom === undefined ? [] : ["e.received_at >= ?"]),
    ...(filter.receivedBefore === undefined ? [] : ["e.received_at < ?"]),
  ];
}

function valuesOf(filter: EventFilter): readonly (string | number)[] {
  const { receivedFrom, receivedBefore } = filter;
  return [...equals.map((name) => filter[name]), receivedFrom, receivedBefore].filter(
    (value) => value !== undefined,
  );
}
