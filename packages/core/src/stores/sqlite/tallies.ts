/** `tally` and `audit` in SQLite: the ledger of what went which way, and the count that it is held against. */

import { DatabaseSync } from "node:sqlite";
import type { AuditAnswer, PruneAsk, Tally, TallyQuery } from "../../contracts/store.ts";
import { nextTurn } from "../../group-commit.ts";
import type { EventState } from "../../model/event.ts";
import { floorTo, hourMs, tallyBounds, type Moves } from "../records.ts";
import type { Prepare } from "./connection.ts";

/** Adds what happened in this transaction. */
export function writeTallies(prepare: Prepare, moves: Moves, now: number): void {
  for (const tally of moves.tallies(now)) add(prepare, tally);
}

function add(prepare: Prepare, { at, source, type, from, to, count }: Tally): void {
  prepare(`
    INSERT INTO webhook_inbox_tallies (at, source, type, from_state, to_state, count) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET count = count + excluded.count`).run(
    at,
    source,
    type,
    from ?? "",
    to,
    count,
  );
}

/** How much time is summed up in one step. */
const foldedMs = 6 * 3_600_000;
const foldMark = "tallies_folded_to";

/**
 * Sums up what is long ago, so that the table stays small: one step of minutes into hours, from where the last one ended,
 * and what is older than keys into one. Answers whether there is more to do.
 */
export function foldTallies(prepare: Prepare, ask: PruneAsk, now: number): boolean {
  const { hoursBefore, oneBefore } = tallyBounds(ask, now);
  fold(prepare, 1, oneBefore, Infinity);
  const mark = prepare("SELECT value FROM webhook_inbox_meta WHERE name = ?").get(foldMark);
  const first = prepare("SELECT min(at) AS at FROM webhook_inbox_tallies WHERE at >= ?").get(
    Math.max(1, Number(mark?.["value"] ?? 0)),
  );
  const from = first?.["at"];
  if (typeof from !== "number" || from >= hoursBefore) return false;
  const to = Math.min(hoursBefore, floorTo(from, hourMs) + foldedMs);
  fold(prepare, from, to, hourMs);
  prepare("INSERT OR REPLACE INTO webhook_inbox_meta (name, value) VALUES (?, ?)").run(
    foldMark,
    to,
  );
  return to < hoursBefore;
}

function fold(prepare: Prepare, from: number, before: number, stepMs: number): void {
  if (!(before > from)) return;
  const old = tallies(prepare, { from, before, stepMs });
  prepare("DELETE FROM webhook_inbox_tallies WHERE at >= ? AND at < ?").run(from, before);
  for (const tally of old) add(prepare, tally);
}

export function tallies(prepare: Prepare, query: TallyQuery): readonly Tally[] {
  const { from = 0, before = Number.MAX_SAFE_INTEGER, stepMs = Infinity } = query;
  const filters = (["source", "type"] as const).filter((name) => query[name] !== undefined);
  const where = ["at >= ?", "at < ?", ...filters.map((name) => `${name} = ?`)].join(" AND ");
  const step = Number.isFinite(stepMs) ? stepMs : Number.MAX_SAFE_INTEGER;
  return prepare(`
    SELECT at - at % ? AS at, source, type, from_state, to_state, sum(count) AS count
    FROM webhook_inbox_tallies WHERE ${where} GROUP BY 1, 2, 3, 4, 5 ORDER BY 1`)
    .all(step, from, before, ...filters.map((name) => query[name] ?? ""))
    .map((row) => ({
      at: floorTo(Number(row["at"]), stepMs),
      source: String(row["source"]),
      type: String(row["type"]),
      from: row["from_state"] === "" ? undefined : (row["from_state"] as EventState),
      to: row["to_state"] as Tally["to"],
      count: Number(row["count"]),
    }));
}

/** Rows counted on one turn of the event loop. */
const countedMax = 20_000;

/** Reads tallies and events of one instant: a connection of its own keeps the instant while others go on writing. */
export async function auditOf(filename: string): Promise<AuditAnswer> {
  const database = new DatabaseSync(filename, { readOnly: true });
  try {
    database.exec("BEGIN");
    const sums = tallies((sql) => database.prepare(sql), {});
    const bounds = database
      .prepare("SELECT min(seq) AS first, max(seq) AS last FROM webhook_inbox_events")
      .get();
    const last = Number(bounds?.["last"] ?? -1);
    const count = database.prepare(
      "SELECT state, count(*) AS count FROM webhook_inbox_events WHERE seq BETWEEN ? AND ? GROUP BY state",
    );
    const counted: Partial<Record<EventState, number>> = {};
    for (let seq = Number(bounds?.["first"] ?? 0); seq <= last; seq += countedMax) {
      for (const row of count.all(seq, seq + countedMax - 1)) {
        const state = row["state"] as EventState;
        counted[state] = (counted[state] ?? 0) + Number(row["count"]);
      }
      await nextTurn();
    }
    return { tallies: sums, counted };
  } finally {
    database.close();
  }
}
