/** `extend`: a lease goes on for whoever still holds the fence. */

import { strict as assert } from "node:assert";
import { claimAsk, holdOf, long, settlementOf, taken } from "./material.ts";
import type { StoreTests } from "./store-test.ts";

export const extendTests: StoreTests = {
  "an extended lease keeps others away": async (open) => {
    const store = await open();
    const claim = await taken(store, "1", 0);
    assert.deepEqual(await store.extend([holdOf(claim)], long), [true]);
    assert.deepEqual((await store.claim(claimAsk())).claims, []);
  },

  "a lease ends when its last extension says, not later": async (open) => {
    const store = await open();
    const claim = await taken(store, "1", long);
    assert.deepEqual(await store.extend([holdOf(claim)], 0), [true]);
    assert.equal((await store.claim(claimAsk())).claims.length, 1);
  },

  "a lost claim cannot be extended": async (open) => {
    const store = await open();
    const zombie = await taken(store, "1", 0);
    const { claims } = await store.claim(claimAsk());
    assert.deepEqual(await store.extend([zombie, ...claims].map(holdOf), long), [false, true]);
  },

  "a settled claim cannot be extended": async (open) => {
    const store = await open();
    const claim = await taken(store, "1");
    await store.settle([settlementOf(claim)]);
    assert.deepEqual(await store.extend([holdOf(claim)], long), [false]);
  },
};
