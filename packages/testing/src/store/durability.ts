/** What a store says of itself: kept over a restart or not, shared between connections or not. */

import type { Store } from "@webhook-inbox/core";
import { strict as assert } from "node:assert";
import {
  claimAsk,
  eventOf,
  holdOf,
  recordOf,
  settlementOf,
  take,
  takeAsk,
  taken,
} from "./material.ts";
import { randomOf } from "./random.ts";
import type { StoreTests } from "./store-test.ts";

const always: StoreTests = {
  "close may be called twice": async (open) => {
    const store = await open();
    await store.close();
    await store.close();
  },
};

const durable: StoreTests = {
  "what was taken and settled is there after a restart": async (open) => {
    const first = await open();
    await first.settle([settlementOf(await taken(first, "1"))]);
    await take(first, eventOf("2"));
    await first.close();
    const second = await open();
    assert.equal((await recordOf(second, "1")).state, "done");
    assert.deepEqual(await take(second, eventOf("2")), { kind: "duplicate" });
    assert.equal((await second.claim(claimAsk())).claims.length, 1);
  },
};

const volatile: StoreTests = {
  "nothing is there after a restart, as it says": async (open) => {
    await take(await open(), eventOf("1"));
    assert.deepEqual((await (await open()).list({})).events, []);
  },
};

const shared: StoreTests = {
  "the same events over several connections at once are taken once each": async (open) => {
    const stores = [await open(), await open(), await open(), await open()];
    const events = Array.from({ length: 50 }, (_, n) => eventOf(String(n)));
    const answers = await Promise.all(
      stores.flatMap((store) => events.map((event) => take(store, event))),
    );
    assert.equal(answers.filter(({ kind }) => kind === "taken").length, 50);
    assert.equal((await stores[0]?.list({}))?.events.length, 50);
  },

  "no event is claimed over two connections": async (open) => {
    const stores = [await open(), await open(), await open()];
    const events = Array.from({ length: 60 }, (_, n) => eventOf(String(n)));
    await stores[0]?.take(events, takeAsk());
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, n) =>
        (stores[n % 3] as Store).claim(claimAsk({ slots: { a: 5 } })),
      ),
    );
    const claimed = answers.flatMap(({ claims }) => claims.map(({ event }) => event.id));
    assert.equal(claimed.length, 60);
    assert.equal(new Set(claimed).size, 60);
  },

  "who meets the same events in another order does not get in the way": async (open) => {
    const stores = [await open(), await open(), await open()];
    const events = Array.from({ length: 30 }, (_, n) => eventOf(String(n)));
    await stores[0]?.take(events, takeAsk());
    const [store] = stores as [Store];
    const { claims } = await store.claim(claimAsk());
    const random = randomOf(7);
    const shuffled = <T>(list: readonly T[]): readonly T[] =>
      list
        .map((one) => [random.next(), one] as const)
        .sort(([a], [b]) => a - b)
        .map(([, one]) => one);
    const begin = Date.now();
    for (let round = 0; round < 8; round++) {
      await Promise.all(
        stores.flatMap((one) => [
          one.take(shuffled(events), takeAsk()),
          one.extend(shuffled(claims).map(holdOf), 60_000),
        ]),
      );
    }
    assert.equal((await recordOf(store, "0")).duplicates, 24);
    assert.ok(Date.now() - begin < 5000, "nobody waits for a deadlock to be found");
  },

  "an intervention by state leaves alone what has another state by then": async (open) => {
    const [people, worker] = [await open(), await open()];
    const events = Array.from({ length: 60 }, (_, n) => eventOf(String(n)));
    await people.take(events, takeAsk());
    const replay = { act: "replay", by: "", reason: "", dryRun: false, limit: 100 } as const;
    const work = { isOver: false };
    const replaying = (async () => {
      while (!work.isOver) {
        await people.intervene({ state: "pending" }, replay);
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    const answers: boolean[] = [];
    try {
      for (let misses = 0; answers.length < events.length && misses < 2000;) {
        const { claims } = await worker.claim(claimAsk({ slots: { a: 3 } }));
        if (claims.length === 0) misses += 1;
        else answers.push(...(await worker.settle(claims.map((claim) => settlementOf(claim)))));
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      work.isOver = true;
      await replaying;
    }
    assert.deepEqual(answers, Array(events.length).fill(true));
  },

  "a further connection leaves the claims of others alone": async (open) => {
    const claim = await taken(await open(), "1");
    const other = await open();
    assert.deepEqual((await other.claim(claimAsk())).claims, []);
    assert.deepEqual(await other.settle([settlementOf(claim)]), [true]);
  },
};

export function durabilityTests(supports: Store["supports"]): StoreTests {
  return {
    ...always,
    ...(supports.durability === "commit" ? durable : volatile),
    ...(supports.shared ? shared : {}),
  };
}
