/** Events as a store takes them, with bodies that Audata might have sent. */

import { eventKey, type NewEvent, type Store } from "@webhook-inbox/core";

const body = new TextEncoder().encode(
  JSON.stringify({
    webhookCallId: "x",
    event: "Listener.updated",
    data: { sender: { id: 4711, email: "listener@example.org" }, note: "x".repeat(560) },
  }),
);

/** The `n`th event of a run. */
export function eventNumber(n: number, run = "run"): NewEvent {
  const id = `${run}-${n}`;
  return {
    key: eventKey("audata", id),
    source: "audata",
    id,
    type: "Listener.updated",
    identified: true,
    occurredAt: undefined,
    notes: [],
    quarantine: undefined,
    copies: 1,
    conflictKey: undefined,
    delivery: {
      method: "POST",
      target: "/webhooks/audata/***",
      segment: undefined,
      headers: ["content-type", "application/json", "content-length", String(body.length)],
      body,
      reconstructed: false,
      verifiedWith: "token#1",
      receivedAt: Date.now(),
      contentHash: id,
    },
  };
}

/** Takes events that wait for a worker. */
export async function takeMany(store: Store, count: number): Promise<void> {
  const batch = 250;
  for (let from = 0; from < count; from += batch) {
    const events = Array.from({ length: Math.min(batch, count - from) }, (_, n) =>
      eventNumber(from + n),
    );
    await store.take(events, { fence: `fill/${from}`, leaseMs: 1, slots: {} });
  }
}
