/** `prune`: what is over and old is forgotten, deliveries first and keys later; what somebody has to look at stays. */

import {
  eventKey,
  prunable,
  type EventState,
  type NewEvent,
  type PruneAsk,
  type Store,
} from "@webhook-inbox/core";
import { strict as assert } from "node:assert";
import {
  deliveryOf,
  eventOf,
  pruneRound,
  refusedEvent,
  settlementOf,
  take,
  taken,
  takeAsk,
} from "./material.ts";
import type { StoreTests } from "./store-test.ts";

const never = 1e14;
const verified = { act: "verify", by: "", reason: "", dryRun: false, limit: 9 } as const;

const pruned = (store: Store, more: Partial<PruneAsk>): ReturnType<typeof pruneRound> =>
  pruneRound(store, { payloadMs: never, keyMs: never, refusedMax: 1000, limit: 3, ...more });

const done = async (store: Store, id: string): Promise<void> => {
  await store.settle([settlementOf(await taken(store, id))]);
};

/** What is forgotten and what is to be handled again do not pass one another by. */
const racing: StoreTests = {
  "what is replayed while others forget keeps its delivery, or is left as it is": async (open) => {
    const store = await open();
    const keys: string[] = [];
    for (let n = 0; n < 12; n++) {
      await done(store, String(n));
      keys.push(eventKey("a", String(n)));
    }
    const ask = { act: "replay", by: "", reason: "", dryRun: false, limit: 9 } as const;
    await Promise.all([
      ...keys.map((key) => store.intervene({ keys: [key] }, ask)),
      pruned(store, { payloadMs: 1 }),
      pruned(store, { payloadMs: 1 }),
    ]);
    for (const key of keys) {
      const kept = await store.get(key);
      assert.equal(kept?.event.state === "pending", kept?.delivery !== undefined, key);
    }
  },
};

export const pruneTests: StoreTests = {
  ...racing,

  "what is young stays": async (open) => {
    const store = await open();
    await done(store, "1");
    assert.deepEqual(await pruned(store, {}), { payloads: 0, keys: 0 });
    assert.ok((await store.get(eventKey("a", "1")))?.delivery);
  },

  "where nothing grows old, a round ends and forgets nothing": async (open) => {
    const store = await open();
    await done(store, "1");
    const ages = { payloadMs: Infinity, keyMs: Infinity };
    assert.deepEqual(await pruned(store, ages), { payloads: 0, keys: 0 });
    assert.ok((await store.get(eventKey("a", "1")))?.delivery);
  },

  "a delivery goes before its key, which still knows a duplicate": async (open) => {
    const store = await open();
    await done(store, "1");
    assert.deepEqual(await pruned(store, { payloadMs: 1000 }), { payloads: 1, keys: 0 });
    const kept = await store.get(eventKey("a", "1"));
    assert.deepEqual([kept?.event.state, kept?.delivery], ["done", undefined]);
    assert.deepEqual(await take(store, eventOf("1")), { kind: "duplicate" });
    const variant = await take(store, eventOf("1", { text: "other" }));
    assert.equal(variant.kind, "conflict");
  },

  "when its key has gone too, the event is new again": async (open) => {
    const store = await open();
    await done(store, "1");
    assert.deepEqual(await pruned(store, { payloadMs: 1, keyMs: 1 }), { payloads: 1, keys: 1 });
    assert.equal(await store.get(eventKey("a", "1")), undefined);
    assert.deepEqual(await take(store, eventOf("1")), { kind: "taken" });
  },

  "only what is over is forgotten": async (open) => {
    const store = await open();
    const ends = [
      { state: "done" },
      { state: "unhandled" },
      { state: "dead", reason: "exhausted" },
      { state: "quarantined", reason: "invalid" },
      { state: "pending", afterMs: 0, handedBack: false },
    ] as const;
    for (const outcome of ends) {
      const claim = await taken(store, `was ${outcome.state}`);
      await store.settle([settlementOf(claim, { outcome })]);
    }
    await taken(store, "was running");
    for (const act of ["cancel", "erase"] as const) {
      await take(store, eventOf(act));
      const ask = { act, by: "", reason: "", dryRun: false, limit: 9 };
      await store.intervene({ keys: [eventKey("a", act)] }, ask);
    }
    await pruned(store, { payloadMs: 1, keyMs: 1 });
    const left = (await store.list({})).events.map(({ state }) => state);
    const kept: readonly EventState[] = ["dead", "pending", "quarantined", "running"];
    assert.deepEqual(left.toSorted(), ["dead", "quarantined", "running", "running"]);
    assert.ok(!kept.some((state) => prunable.includes(state)));
  },

  "a delivery stays while one of its events is not over": async (open) => {
    const store = await open();
    const delivery = deliveryOf("batch");
    await store.take([eventOf("1", { delivery }), eventOf("2", { delivery })], takeAsk());
    const ask = { act: "cancel", by: "", reason: "", dryRun: false, limit: 9 } as const;
    await store.intervene({ keys: [eventKey("a", "1")] }, ask);
    assert.deepEqual(await pruned(store, { payloadMs: 1, keyMs: 1 }), { payloads: 0, keys: 0 });
    await store.intervene({ keys: [eventKey("a", "2")] }, ask);
    assert.deepEqual(await pruned(store, { payloadMs: 1, keyMs: 1 }), { payloads: 1, keys: 2 });
  },

  "of what was refused the newest of each source stay, others go with their deliveries": async (
    open,
  ) => {
    const store = await open();
    const at = (id: string, receivedAt: number, source: string): NewEvent => {
      const event = refusedEvent(id, { source, key: eventKey(source, id) });
      return { ...event, delivery: { ...event.delivery, receivedAt } };
    };
    const hour = Date.now() - 3_600_000;
    const sources = ["a", "b"];
    for (const n of [5, 1, 7, 3, 9, 2, 8]) {
      await store.take(
        sources.map((source) => at(`${n}`, hour + n, source)),
        takeAsk(),
      );
    }
    await take(store, eventOf("other", { source: "a" }));
    await store.intervene({ keys: [eventKey("b", "9")] }, { ...verified });
    assert.deepEqual(await pruned(store, { refusedMax: 3 }), { payloads: 7, keys: 7 });
    const left = async (source: string) =>
      (await store.list({ state: "refused", source })).events.map(({ id }) => id);
    assert.deepEqual(
      [await left("a"), await left("b")],
      [
        ["9", "8", "7"],
        ["8", "7", "5"],
      ],
    );
    assert.equal(await store.get(eventKey("a", "1")), undefined);
    assert.ok((await store.get(eventKey("a", "7")))?.delivery);
    assert.equal((await store.get(eventKey("b", "9")))?.event.state, "pending");
    assert.deepEqual(await pruned(store, { refusedMax: 3 }), { payloads: 0, keys: 0 });
    const { tallies, counted } = await store.audit();
    assert.deepEqual(counted, { refused: 6, pending: 2 });
    const gone = tallies.filter(({ from, to }) => from === "refused" && to === "pruned");
    assert.equal(
      gone.reduce((sum, { count }) => sum + count, 0),
      7,
    );
  },

  "many go in steps, and what stays among them is passed by": async (open) => {
    const store = await open();
    for (let n = 0; n < 20; n++) {
      if (n % 4 === 0) await take(store, eventOf(`waits ${n}`));
      else await store.settle([settlementOf(await taken(store, `is done ${n}`))]);
      if (n % 4 === 0) {
        const ask = { act: "cancel", by: "", reason: "", dryRun: n % 8 === 0, limit: 9 } as const;
        await store.intervene({ keys: [eventKey("a", `waits ${n}`)] }, ask);
      }
    }
    const before = (await store.list({})).events.length;
    const { payloads, keys } = await pruned(store, { payloadMs: 1, keyMs: 1 });
    const left = (await store.list({})).events;
    assert.deepEqual([payloads, keys], [before - left.length, before - left.length]);
    assert.ok(left.length > 0 && left.every(({ state }) => !prunable.includes(state)));
  },

  "what a clock that was ahead has written does not keep others from being forgotten": async (
    open,
  ) => {
    const store = await open();
    const delivery = { ...deliveryOf("later"), receivedAt: Date.now() + 1e10 };
    await take(store, eventOf("later", { delivery }));
    await done(store, "1");
    assert.deepEqual(await pruned(store, { payloadMs: 1000 }), { payloads: 1, keys: 0 });
  },

  "what was forgotten has nothing to do with what is taken after it": async (open) => {
    const store = await open();
    await done(store, "1");
    await pruned(store, { payloadMs: 1 });
    const delivery = { ...deliveryOf("2"), receivedAt: Date.now() };
    await take(store, eventOf("2", { delivery }));
    assert.equal((await store.get(eventKey("a", "1")))?.delivery, undefined);
    const ask = { act: "erase", by: "", reason: "", dryRun: false, limit: 9 } as const;
    await store.intervene({ keys: [eventKey("a", "1")] }, ask);
    assert.ok((await store.get(eventKey("a", "2")))?.delivery);
    assert.deepEqual(await pruned(store, { payloadMs: 1000, keyMs: 1000 }), {
      payloads: 0,
      keys: 1,
    });
  },

  "what has lost its delivery is not replayed": async (open) => {
    const store = await open();
    await done(store, "1");
    await pruned(store, { payloadMs: 1 });
    const ask = { act: "replay", by: "", reason: "", dryRun: false, limit: 9 } as const;
    for (const selection of [{ keys: [eventKey("a", "1")] }, { state: "done" } as const]) {
      assert.deepEqual((await store.intervene(selection, ask)).keys, []);
    }
  },
};
