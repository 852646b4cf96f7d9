/** `subscribe`: an instance hears soon of work that another one has left. */

import { strict as assert } from "node:assert";
import type { Store } from "@webhook-inbox/core";
import { claimAsk, eventOf, settlementOf, take } from "./material.ts";
import type { StoreTests } from "./store-test.ts";

const patienceMs = 10_000;

/** Counts what a store hears; `next` resolves at the next time, and rejects when it takes too long. */
function listener(store: Store): { readonly next: () => Promise<void> } {
  let heard: () => void = () => undefined;
  store.subscribe?.(() => heard());
  return {
    next: () =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error("nothing was heard")), patienceMs);
        heard = () => {
          clearTimeout(timer);
          resolve();
        };
      }),
  };
}

export const wakeupTests: StoreTests = {
  "an event that is left by one instance wakes another": async (open) => {
    const receiver = await open();
    const worker = await open();
    const { next } = listener(worker);
    // Once at the beginning: what was left before it could hear.
    await next();
    for (const id of ["1", "2"]) {
      const woken = next();
      await take(receiver, eventOf(id));
      await woken;
      assert.equal((await worker.claim(claimAsk())).claims.length, 1);
    }
  },

  "a replay wakes others too, and so does what an event became": async (open) => {
    const receiver = await open();
    const worker = await open();
    const { next } = listener(worker);
    await next();
    const isTaken = next();
    await take(receiver, eventOf("1", { identified: false }));
    await isTaken;
    const [claim] = (await worker.claim(claimAsk())).claims;
    assert.ok(claim);
    const { delivery } = claim;
    const became = next();
    const outcome = { state: "done", became: [eventOf("2", { delivery })] } as const;
    await receiver.settle([settlementOf(claim, { outcome })]);
    await became;
    const replayed = next();
    const ask = { act: "replay", by: "", reason: "", dryRun: false, limit: 9 } as const;
    await receiver.intervene({ keys: [claim.event.key] }, ask);
    await replayed;
  },
};

/** A store that denies wake-ups has no way to ask for them. */
export const noWakeupTests: StoreTests = {
  "there are none, as it says": async (open) => {
    const { subscribe } = await open();
    assert.equal(subscribe, undefined);
  },
};
