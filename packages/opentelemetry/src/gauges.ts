/** What is there: asked of the inbox whenever somebody collects. */

import { metrics, type Observable, type ObservableGauge } from "@opentelemetry/api";
import { longestDue, standings, type Inbox } from "@webhook-inbox/core";
import { key, scope } from "./names.ts";

/** What is asked of an inbox. */
export type ObservedInbox = Pick<Inbox, "tally" | "list" | "health">;

/**
 * Registers gauges of an inbox: events by source and state, how long the one waits that is due for longest, whether deliveries can be kept,
 * whether the store answers, and what is in the spill. They are the same on every instance that shares a store, but for the
 * last three: take the greatest. Answers what ends it.
 */
export function observeInbox(inbox: ObservedInbox): () => void {
  const meter = metrics.getMeter(scope);
  const gauge = (name: string, unit: string, description: string): ObservableGauge =>
    meter.createObservableGauge(`webhook_inbox.${name}`, { unit, description });
  const events = gauge("events", "{event}", "Events, by source and state.");
  const oldest = gauge(
    "oldest.age",
    "s",
    "How long the event that has been due for longest waits.",
  );
  const ready = gauge("ready", "1", "1 while deliveries can be kept.");
  const store = gauge("store.available", "1", "1 while the store answers.");
  const spilled = gauge("spilled", "{delivery}", "Deliveries in the spill of this instance.");
  const all: Observable[] = [events, oldest, ready, store, spilled];
  const observe: Parameters<typeof meter.addBatchObservableCallback>[0] = async (result) => {
    const { isReady, isStoreThere, spill } = await inbox.health();
    result.observe(ready, isReady ? 1 : 0);
    result.observe(store, isStoreThere ? 1 : 0);
    result.observe(spilled, spill?.waiting ?? 0);
    if (!isStoreThere) return;
    const longest = await longestDue(inbox);
    result.observe(oldest, longest === undefined ? 0 : (Date.now() - longest.dueAt) / 1000);
    for (const [source, states] of statesBySource(await inbox.tally())) {
      for (const [state, count] of states) {
        result.observe(events, count, { [key.source]: source, [key.state]: state });
      }
    }
  };
  meter.addBatchObservableCallback(observe, all);
  return () => meter.removeBatchObservableCallback(observe, all);
}

function statesBySource(
  tallies: Parameters<typeof standings>[0],
): ReadonlyMap<string, ReadonlyMap<string, number>> {
  const found = new Map<string, Map<string, number>>();
  for (const { source, standing } of standings(tallies)) {
    const states = found.get(source) ?? new Map<string, number>();
    found.set(source, states);
    for (const [state, count] of Object.entries(standing)) {
      states.set(state, (states.get(state) ?? 0) + count);
    }
  }
  return found;
}
