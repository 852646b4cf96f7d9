/** `transaction`: what a handler does to the store's own database, and its completion, both or neither. */

import { isWebhookInboxError, type Claim, type Store } from "@webhook-inbox/core";
import { strict as assert } from "node:assert";
import { claimAsk, holdOf, recordOf, settlementOf, taken } from "./material.ts";
import type { StoreTests } from "./store-test.ts";

/** How the suite writes effects through a transaction, and reads them back. */
export interface Effects {
  /** Runs in the transaction of a claim: writes an effect, then calls `then`, whose error must undo it. */
  write(
    store: Store,
    claim: Claim,
    handler: string,
    effect: string,
    then?: () => void,
  ): Promise<void>;
  read(store: Store): Promise<readonly string[]>;
}

const code = (expected: string) => (error: unknown) =>
  isWebhookInboxError(error) && error.code === expected;

export function transactionTests(effects: Effects): StoreTests {
  const write = async (store: Store, claim: Claim, effect: string, then?: () => void) =>
    await effects.write(store, claim, "handler", effect, then);
  return {
    "effect and completion are committed together": async (open) => {
      const store = await open();
      const claim = await taken(store, "1");
      await write(store, claim, "effect");
      assert.deepEqual(await effects.read(store), ["effect"]);
      assert.deepEqual((await recordOf(store, "1")).finished, ["handler"]);
      assert.deepEqual(await store.settle([settlementOf(claim, { finished: ["other"] })]), [true]);
      assert.deepEqual((await recordOf(store, "1")).finished, ["handler", "other"]);
    },

    "what was finished stays so when the claim is handed back": async (open) => {
      const store = await open();
      const claim = await taken(store, "1");
      await write(store, claim, "effect");
      const outcome = { state: "pending", afterMs: 0, handedBack: true } as const;
      await store.settle([settlementOf(claim, { outcome })]);
      const [again] = (await store.claim(claimAsk())).claims;
      assert.deepEqual(again?.event.finished, ["handler"]);
    },

    "an error undoes both, and is the one that was thrown": async (open) => {
      const store = await open();
      const claim = await taken(store, "1");
      const error = new Error("mine");
      const failing = write(store, claim, "effect", () => {
        throw error;
      });
      await assert.rejects(failing, (thrown) => thrown === error);
      assert.deepEqual(await effects.read(store), []);
      assert.deepEqual((await recordOf(store, "1")).finished, []);
    },

    "who has lost the claim changes nothing": async (open) => {
      const store = await open();
      const zombie = await taken(store, "1", 0);
      const [claim] = (await store.claim(claimAsk())).claims;
      await assert.rejects(write(store, zombie, "late"), code("CLAIM_LOST"));
      assert.deepEqual(await effects.read(store), []);
      assert.ok(claim);
      await write(store, claim, "effect");
      assert.deepEqual(await effects.read(store), ["effect"]);
    },

    "after the settlement there is no claim any more": async (open) => {
      const store = await open();
      const claim = await taken(store, "1");
      await store.settle([settlementOf(claim)]);
      await assert.rejects(write(store, claim, "late"), code("CLAIM_LOST"));
      assert.deepEqual(await effects.read(store), []);
    },

    "several at once do not see into one another": async (open) => {
      const store = await open();
      const claims = [];
      for (const id of ["1", "2", "3", "4"]) claims.push(await taken(store, id));
      const ends = await Promise.allSettled(
        claims.map((claim, index) =>
          write(store, claim, `effect ${index}`, () => {
            if (index % 2 === 1) throw new Error("undone");
          }),
        ),
      );
      assert.deepEqual(
        ends.map(({ status }) => status),
        ["fulfilled", "rejected", "fulfilled", "rejected"],
      );
      assert.deepEqual((await effects.read(store)).toSorted(), ["effect 0", "effect 2"]);
    },
  };
}

/** A store that denies transactions has none. */
export const noTransactionTests: StoreTests = {
  "there is none, as it says": async (open) => {
    const store = await open();
    assert.equal(store.transaction?.(holdOf(await taken(store, "1")), "handler"), undefined);
  },
};
