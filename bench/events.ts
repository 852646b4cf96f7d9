/** Events as a store takes them, with bodies that Audata might have sent. */

import type { NewEvent, Store } from "@webhook-inbox/core";
import { newEvent } from "../tests/support/new-event.ts";

const body = JSON.stringify({
  webhookCallId: "x",
  event: "Listener.updated",
  data: { sender: { id: 4711, email: "listener@example.org" }, note: "x".repeat(560) },
});

/** The `n`th event of a run. */
export const eventNumber = (n: number, run = "run"): NewEvent =>
  newEvent("audata", `${run}-${n}`, "Listener.updated", body);

/** Takes events that wait for a worker. */
export async function takeMany(store: Store, count: number): Promise<void> {
  const batch = 250;
  for (let from = 0; from < count; from += batch) {
    const few = Math.min(batch, count - from);
    const events = Array.from({ length: few }, (_, n) => eventNumber(from + n));
    await store.take(events, { fence: `fill/${from}`, leaseMs: 1, slots: {} });
  }
}
