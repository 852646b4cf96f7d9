/** The checker: holds the sender's ledger against the store and the recorded effects. */

import { setTimeout as pause } from "node:timers/promises";
import { readEffects, type Effect } from "./effects.ts";
import { exactEffectsAt } from "./exact.ts";
import { readLedger, type LedgerLine } from "./ledger.ts";
import { quantile } from "./rate.ts";
import { eventsAt, isBalancedAt, leftIn, waitingIn, type StoredEvent } from "./stores.ts";

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
  /**
   * Effects beyond the first of an event, where they were made inside `ctx.transaction`, and acknowledged events with none;
   * undefined, and 0, where the store has no transactions.
   */
  readonly dup_transactions: number | undefined;
  readonly missing_transactions: number;
  /** Events in the store that nobody sent. */
  readonly unaccounted: number;
  /** Events that are neither done nor dead. */
  readonly stuck: number;
  /** Whether the store's own books agree with what it holds. */
  readonly is_balanced: boolean;
  readonly dead: number;
  /** Deliveries that were answered with anything but 200. */
  readonly refused_authentic: number;
  /** From the first answer until the handler had done its work, at most: after a death, the time of its recovery. */
  readonly handled_ms_max: number;
  /** Deliveries without an answer: nothing is promised about them. */
  readonly unanswered: number;
  readonly p50_ack_ms: number;
  readonly p99_ack_ms: number;
  readonly max_ack_ms: number;
}

const missingIdsMax = 20;

/** `counts` leaves out deliveries that promise nothing any more, such as those of what was erased. */
export async function check(
  paths: { readonly ledger: string; readonly store: string; readonly effects: string },
  counts: (line: LedgerLine) => boolean = () => true,
): Promise<Report> {
  const sent = readLedger(paths.ledger);
  const ledger = sent.filter(counts);
  const effects = readEffects(paths.effects);
  // What is left of an event that was erased has no id any more.
  const events = (await eventsAt(paths.store)).filter(({ state }) => state !== "erased");
  const stored = byId(events);
  const transactions = await exactEffectsAt(paths.store)?.all();
  const transactedIds = new Set(transactions);
  const answered = ledger.filter(({ status }) => status !== undefined);
  const acked = answered.filter(({ status }) => status === 200);
  const ackedIds = new Set(acked.map(({ id }) => id));
  const sentIds = new Set(sent.map(({ id }) => id));
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
    dup_transactions: transactions && transactions.length - transactedIds.size,
    missing_transactions:
      transactions === undefined ? 0 : [...ackedIds].filter((id) => !transactedIds.has(id)).length,
    unaccounted: [...stored.keys()].filter((id) => !sentIds.has(id)).length,
    stuck: states.filter((state) => state !== "done" && state !== "dead").length,
    dead: states.filter((state) => state === "dead").length,
    is_balanced: await isBalancedAt(paths.store),
    refused_authentic: answered.length - acked.length,
    unanswered: ledger.length - answered.length,
    handled_ms_max: slowest(acked, effects),
    p50_ack_ms: quantile(times, 0.5),
    p99_ack_ms: quantile(times, 0.99),
    max_ack_ms: quantile(times, 1),
  };
}

/** The states of each id. */
function byId(events: readonly StoredEvent[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const { id, state } of events) {
    const states = found.get(id);
    if (states === undefined) found.set(id, [state]);
    else states.push(state);
  }
  return found;
}

function slowest(acked: readonly LedgerLine[], effects: readonly Effect[]): number {
  const first = new Map<string, number>();
  for (const { id, at } of effects) first.set(id, Math.min(at, first.get(id) ?? Infinity));
  let most = 0;
  for (const { id, answeredAt } of acked) most = Math.max(most, (first.get(id) ?? 0) - answeredAt);
  return most;
}

/** Whether a report shows a broken promise. */
export function isBroken(report: Report): boolean {
  const { lost, dup_events, unaccounted, stuck, unhandled_acked, dead } = report;
  const { dup_transactions, missing_transactions, is_balanced: isBalanced } = report;
  const counts = [lost, dup_events, unaccounted, stuck, unhandled_acked, dead];
  const more = [dup_transactions ?? 0, missing_transactions];
  return !isBalanced || [...counts, ...more].some((count) => count > 0);
}

/** A look at everything takes the machine's time from those who work. */
const pausesPerLook = 10;

/**
 * Waits until the spills are empty and everything in the store is done or dead, or until nothing of it has gone on for
 * `idleMsMax`.
 */
export async function quiet(
  store: string,
  spills: readonly string[],
  idleMsMax: number,
): Promise<void> {
  const left = async (): Promise<number> => {
    const undone = (await eventsAt(store)).filter(
      ({ state }) => state !== "done" && state !== "dead",
    );
    // Deliveries leave a spill one by one, and are destroyed many at a time.
    const inSpills = spills.map((spill) => waitingIn(spill) + leftIn(spill));
    return inSpills.reduce((sum, count) => sum + count, undone.length);
  };
  let fewest = Infinity;
  let wentOnAt = performance.now();
  while (performance.now() - wentOnAt < idleMsMax) {
    const began = performance.now();
    const count = await left();
    if (count === 0) return;
    if (count < fewest) [fewest, wentOnAt] = [count, began];
    await pause(Math.max(200, pausesPerLook * (performance.now() - began)));
  }
}
