/** `claim` of suspects: events whose attempts may have killed workers, one at a time and in the order of their crashes. */

import type { Claim } from "@webhook-inbox/core";
import { strict as assert } from "node:assert";
import { claimAsk, eventOf, ids, recordOf, settlementOf, take, taken } from "./material.ts";
import type { StoreTests } from "./store-test.ts";

export const suspectTests: StoreTests = {
  "suspects, which have crashed, are given as many at a time as asked, and announced only if any may":
    async (open) => {
      const store = await open();
      for (const id of ["1", "2", "3"]) await take(store, eventOf(id));
      await store.claim(claimAsk({ leaseMs: 0 }));
      assert.deepEqual(await store.claim(claimAsk({ suspectsMax: 0 })), {
        claims: [],
        nextDueInMs: undefined,
      });
      await take(store, eventOf("4"));
      const { claims, nextDueInMs } = await store.claim(claimAsk({ suspectsMax: 1 }));
      assert.deepEqual(new Set(claims.map(({ event }) => event.crashes)), new Set([0, 1]));
      assert.equal(nextDueInMs, undefined);
      assert.equal((await store.claim(claimAsk({ suspectsMax: 1 }))).claims.length, 1);
    },

  "of two suspects the one with more crashes comes first, though it is due later": async (open) => {
    const store = await open();
    /** Takes an event, lets its lease end so many times, and answers the claim that holds it then. */
    const crashed = async (id: string, times: number): Promise<Claim> => {
      await take(store, eventOf(id));
      for (let n = 0; n < times; n++) await store.claim(claimAsk({ leaseMs: 0 }));
      const [claim] = (await store.claim(claimAsk())).claims;
      assert.equal(claim?.event.crashes, times);
      return claim;
    };
    const outcome = { state: "pending", afterMs: 0, handedBack: true } as const;
    const twice = await crashed("twice", 2);
    await store.settle([settlementOf(await crashed("once", 1), { outcome })]);
    const { dueAt } = await recordOf(store, "once");
    // Later by the clock's smallest step: otherwise their order of taking would decide.
    while (Date.now() <= dueAt) await store.get("");
    await store.settle([settlementOf(twice, { outcome })]);
    await take(store, eventOf("innocent"));
    const { claims } = await store.claim(claimAsk({ suspectsMax: 1 }));
    assert.deepEqual(ids(claims), ["innocent", "twice"]);
  },

  "of suspects whose lease has ended and of such that wait, those with more crashes come first":
    async (open) => {
      const store = await open();
      const outcome = { state: "pending", afterMs: 0, handedBack: true } as const;
      await taken(store, "waits", 0);
      await store.claim(claimAsk({ leaseMs: 0 }));
      const [twice] = (await store.claim(claimAsk())).claims;
      assert.ok(twice);
      await store.settle([settlementOf(twice, { outcome })]);
      await taken(store, "lapsed", 0);
      const { claims } = await store.claim(claimAsk({ suspectsMax: 1 }));
      assert.deepEqual(ids(claims), ["waits"]);
    },

  "suspects with too many crashes are left alone, and not announced": async (open) => {
    const store = await open();
    await taken(store, "1", 0);
    const once = claimAsk({ leaseMs: 0, crashesMax: 0 });
    assert.deepEqual(await store.claim(once), { claims: [], nextDueInMs: undefined });
    const first = await store.claim(claimAsk({ leaseMs: 0, crashesMax: 1 }));
    assert.deepEqual(ids(first.claims), ["1"]);
    assert.deepEqual((await store.claim(claimAsk({ crashesMax: 1 }))).claims, []);
    const [claim] = (await store.claim(claimAsk({ crashesMax: 2 }))).claims;
    assert.ok(claim);
    const outcome = { state: "pending", afterMs: 0, handedBack: true } as const;
    await store.settle([settlementOf(claim, { outcome })]);
    assert.deepEqual((await store.claim(claimAsk({ crashesMax: 1 }))).claims, []);
    assert.deepEqual(ids((await store.claim(claimAsk({ crashesMax: 2 }))).claims), ["1"]);
  },

  "a suspect that was handed back is still a suspect; one that failed in an orderly way is not":
    async (open) => {
      const store = await open();
      await taken(store, "1", 0);
      const [claim] = (await store.claim(claimAsk())).claims;
      assert.ok(claim);
      const handedBack = { state: "pending", afterMs: 0, handedBack: true } as const;
      await store.settle([settlementOf(claim, { outcome: handedBack })]);
      assert.deepEqual((await store.claim(claimAsk({ suspectsMax: 0 }))).claims, []);
      const [again] = (await store.claim(claimAsk({ suspectsMax: 1 }))).claims;
      assert.equal(again?.event.crashes, 1);
      const failed = { ...handedBack, handedBack: false };
      await store.settle([settlementOf(again, { outcome: failed })]);
      const [innocent] = (await store.claim(claimAsk({ suspectsMax: 0 }))).claims;
      assert.equal(innocent?.event.crashes, 0);
    },

  "a full type does not keep a suspect of another type waiting": async (open) => {
    const store = await open();
    for (const type of ["x", "y"]) await take(store, eventOf(type, { type }));
    await store.claim(claimAsk({ leaseMs: 0 }));
    const asked = claimAsk({ suspectsMax: 1, typesMax: { a: { x: 0 } } });
    assert.deepEqual(ids((await store.claim(asked)).claims), ["y"]);
  },
};
