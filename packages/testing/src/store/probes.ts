/** What is really kept, read past the store: from its files, its tables, its keys. */

import { eventKey } from "@webhook-inbox/core";
import { strict as assert } from "node:assert";
import { deliveryOf, eventOf, pruneRound, settlementOf, take, taken } from "./material.ts";
import type { StoreTest } from "./store-test.ts";

/** Whether a text is anywhere in what is kept. */
export type Holds = (text: string) => Promise<boolean>;

const canary = "canary-4711";

/** An event that says the word in every place where a sender can put one. */
const telling = eventOf(canary, {
  type: canary,
  delivery: {
    ...deliveryOf(canary),
    target: `/webhooks/a/***?q=${canary}`,
    headers: ["x-canary", canary],
    contentHash: "hash",
  },
});

const history = [
  { startedAt: 1, durationMs: 2, failures: [{ handler: "h", name: "Error", message: canary }] },
];

/** Tests that get, beside the way to open a store, one to look past it. */
export const probeTests: Readonly<Record<string, (holds: Holds) => StoreTest>> = {
  "what was taken is there when the answer is": (holds) => async (open) => {
    const store = await open();
    assert.equal(await holds(canary), false);
    await take(store, telling);
    assert.equal(await holds(canary), true);
  },

  "what was erased is nowhere, but for its type": (holds) => async (open) => {
    const store = await open();
    const event = { ...telling, type: "happened" };
    await take(store, event);
    await take(store, { ...event, delivery: { ...event.delivery, contentHash: "other" } });
    const ask = { by: "", reason: "", dryRun: false, limit: 9 };
    assert.equal(await holds(canary), true);
    await store.intervene({ keys: [event.key] }, { ...ask, act: "erase" });
    assert.equal(await holds(canary), false);
  },

  "a refused delivery that was erased, or gave way to newer ones, is nowhere":
    (holds) => async (open) => {
      const store = await open();
      const refused = { ...telling, type: "happened", refused: "mismatch" } as const;
      await take(store, refused);
      assert.equal(await holds(canary), true);
      const ask = { by: "", reason: "", dryRun: false, limit: 9 };
      await store.intervene({ keys: [refused.key] }, { ...ask, act: "erase" });
      assert.equal(await holds(canary), false);
      await take(store, { ...refused, key: eventKey("a", "again") });
      assert.equal(await holds(canary), true);
      await pruneRound(store, { payloadMs: 1e14, keyMs: 1e14, refusedMax: 0, limit: 9 });
      assert.equal(await holds(canary), false);
    },

  "what an attempt has said is erased with its event": (holds) => async (open) => {
    const store = await open();
    const outcome = { state: "dead", reason: "fatal" } as const;
    await store.settle([settlementOf(await taken(store, "1"), { outcome, history })]);
    assert.equal(await holds(canary), true);
    const ask = { by: "", reason: "", dryRun: false, limit: 9 };
    await store.intervene({ keys: [eventKey("a", "1")] }, { ...ask, act: "erase" });
    assert.equal(await holds(canary), false);
  },

  "a body that was forgotten is nowhere": (holds) => async (open) => {
    const store = await open();
    const delivery = deliveryOf(canary);
    await take(store, eventOf("1", { delivery: { ...delivery, contentHash: "hash" } }));
    const ask = { by: "", reason: "", dryRun: false, limit: 9 };
    await store.intervene({ keys: [eventKey("a", "1")] }, { ...ask, act: "cancel" });
    assert.equal(await holds(canary), true);
    await pruneRound(store, { payloadMs: 1, keyMs: 1e14, refusedMax: 0, limit: 9 });
    assert.equal(await holds(canary), false);
  },
};
