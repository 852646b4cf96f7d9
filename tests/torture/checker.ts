/**
 * The checker: holds the sender's ledger against the database and the recorded effects. Reads the tables itself. Prints
 * one line of JSON, and fails if a promise is broken.
 *
 * node checker.ts --ledger FILE --database FILE --effects FILE
 */

import { DatabaseSync } from "node:sqlite";
import { parseArgs } from "node:util";
import { readEffects } from "./effects.ts";
import { readLedger } from "./ledger.ts";
import { quantile } from "./rate.ts";

export interface Report {
  /** Deliveries that were answered 200, and the different events among them. */
  readonly acked: number;
  readonly acked_events: number;
  /** Events that were acknowledged and are not in the store. */
  readonly lost: number;
  readonly acked_then_missing_ids: readonly string[];
  /** Events that are in the store more than once. */
  readonly dup_events: number;
  /** Acknowledged events whose handler never recorded an effect. */
  readonly unhandled_acked: number;
  /** Effects beyond the first of an event: handlers run at least once, and a kill may come between effect and settlement. */
  readonly dup_effects: number;
  /** Effects beyond the first of an event, where they were made inside `ctx.transaction`; and acknowledged events with none. */
  readonly dup_transactions: number;
  readonly missing_transactions: number;
  /** Events in the store that nobody sent. */
  readonly unaccounted: number;
  /** Events that are neither done nor dead. */
  readonly stuck: number;
  readonly dead: number;
  /** Deliveries that were answered with anything but 200. */
  readonly refused_authentic: number;
  /** Deliveries without an answer: nothing is promised about them. */
  readonly unanswered: number;
  readonly p50_ack_ms: number;
  readonly p99_ack_ms: number;
  readonly max_ack_ms: number;
}

const missingIdsMax = 20;

export function check(paths: {
  readonly ledger: string;
  readonly database: string;
  readonly effects: string;
}): Report {
  const ledger = readLedger(paths.ledger);
  const effects = readEffects(paths.effects);
  const stored = storedEvents(paths.database);
  const transactions = effectsIn(paths.database);
  const transactedIds = new Set(transactions);
  const answered = ledger.filter(({ status }) => status !== undefined);
  const acked = answered.filter(({ status }) => status === 200);
  const ackedIds = new Set(acked.map(({ id }) => id));
  const sentIds = new Set(ledger.map(({ id }) => id));
  const handledIds = new Set(effects.map(({ id }) => id));
  const missing = [...ackedIds].filter((id) => !stored.has(id));
  const states = [...stored.values()].flat();
  const times = acked.map(({ sentAt, answeredAt }) => answeredAt - sentAt);
  return {
    acked: acked.length,
    acked_events: ackedIds.size,
    lost: missing.length,
    acked_then_missing_ids: missing.slice(0, missingIdsMax),
    dup_events: [...stored.values()].filter((rows) => rows.length > 1).length,
    unhandled_acked: [...ackedIds].filter((id) => !handledIds.has(id)).length,
    dup_effects: effects.length - handledIds.size,
    dup_transactions: transactions.length - new Set(transactions).size,
    missing_transactions: [...ackedIds].filter((id) => !transactedIds.has(id)).length,
    unaccounted: [...stored.keys()].filter((id) => !sentIds.has(id)).length,
    stuck: states.filter((state) => state !== "done" && state !== "dead").length,
    dead: states.filter((state) => state === "dead").length,
    refused_authentic: answered.length - acked.length,
    unanswered: ledger.length - answered.length,
    p50_ack_ms: quantile(times, 0.5),
    p99_ack_ms: quantile(times, 0.99),
    max_ack_ms: quantile(times, 1),
  };
}

/** Whether a report shows a broken promise. */
export function isBroken(report: Report): boolean {
  const { lost, dup_events, unaccounted, stuck, unhandled_acked, dead } = report;
  const { dup_transactions, missing_transactions } = report;
  const counts = [lost, dup_events, unaccounted, stuck, unhandled_acked, dead];
  return [...counts, dup_transactions, missing_transactions].some((count) => count > 0);
}

/** Whether nothing is left to do in the database. */
export function isQuiet(path: string): boolean {
  return [...storedEvents(path).values()]
    .flat()
    .every((state) => state === "done" || state === "dead");
}

function storedEvents(path: string): Map<string, string[]> {
  const database = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
  try {
    const byId = new Map<string, string[]>();
    for (const row of database.prepare("SELECT id, state FROM webhook_inbox_events").all()) {
      const id = String(row["id"]);
      byId.set(id, [...(byId.get(id) ?? []), String(row["state"])]);
    }
    return byId;
  } finally {
    database.close();
  }
}

/** Ids of the effects that were committed with their completion. */
function effectsIn(path: string): readonly string[] {
  const database = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
  try {
    return database
      .prepare("SELECT id FROM effects")
      .all()
      .map((row) => String(row["id"]));
  } finally {
    database.close();
  }
}

if (process.argv[1] === import.meta.filename) {
  const file = { type: "string" } as const;
  const { values } = parseArgs({ options: { ledger: file, database: file, effects: file } });
  const { ledger = "", database = "", effects = "" } = values;
  const report = check({ ledger, database, effects });
  console.log(JSON.stringify(report));
  process.exitCode = isBroken(report) ? 1 : 0;
}
