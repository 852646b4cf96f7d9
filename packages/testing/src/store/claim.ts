/** `claim`: due events, and those whose lease has ended, each to one caller. */

import { strict as assert } from "node:assert";
import {
  claimAsk,
  deliveryOf,
  eventOf,
  ids,
  long,
  recordOf,
  settlementOf,
  take,
  taken,
} from "./material.ts";
import type { StoreTests } from "./store-test.ts";

export const claimTests: StoreTests = {
  "an empty store has nothing, now or later": async (open) => {
    const store = await open();
    assert.deepEqual(await store.claim(claimAsk()), { claims: [], nextDueInMs: undefined });
  },

  "a due event is given with its delivery, running, its attempt counted": async (open) => {
    const store = await open();
    const event = eventOf("1");
    await take(store, event);
    const { claims } = await store.claim(claimAsk({ fence: "mine" }));
    assert.equal(claims.length, 1);
    assert.equal(claims[0]?.fence, "mine");
    assert.deepEqual(claims[0]?.event, await recordOf(store, "1"));
    assert.deepEqual([claims[0]?.event.state, claims[0]?.event.attempts], ["running", 1]);
    assert.deepEqual(Buffer.from(claims[0]?.delivery.body ?? []), Buffer.from(event.delivery.body));
  },

  "a claimed event is not given again while its lease holds": async (open) => {
    const store = await open();
    await taken(store, "1");
    const { claims, nextDueInMs = 0 } = await store.claim(claimAsk());
    assert.deepEqual(claims, []);
    assert.ok(nextDueInMs > 0, "the end of the lease is announced");
  },

  "an event whose lease has ended is given again, with a crash more": async (open) => {
    const store = await open();
    await taken(store, "1", 0);
    const { claims } = await store.claim(claimAsk());
    const record = claims[0]?.event;
    assert.deepEqual([record?.attempts, record?.crashes], [2, 1]);
  },

  "an event that is due later is announced, not given": async (open) => {
    const store = await open();
    const claim = await taken(store, "1");
    const outcome = { state: "pending", afterMs: long, handedBack: false } as const;
    await store.settle([settlementOf(claim, { outcome })]);
    const { claims, nextDueInMs = 0 } = await store.claim(claimAsk());
    assert.deepEqual(claims, []);
    assert.ok(nextDueInMs > long / 2 && nextDueInMs <= long);
  },

  "each source gets at most its slots, and others nothing": async (open) => {
    const store = await open();
    for (const id of ["1", "2", "3"]) {
      await take(store, eventOf(id));
      await take(store, eventOf(`b${id}`, { source: "b" }));
      await take(store, eventOf(`c${id}`, { source: "c" }));
    }
    const { claims } = await store.claim(claimAsk({ slots: { a: 2, b: 1 } }));
    assert.deepEqual(ids(claims), ["1", "2", "b1"]);
  },

  "of each type at most so many as asked are given, and others come in their place": async (
    open,
  ) => {
    const store = await open();
    const types = ["x", "x", "x", "x", "y", "y", "z"];
    for (const [n, type] of types.entries()) await take(store, eventOf(String(n), { type }));
    const limited = { slots: { a: 5 }, suspectsMax: 0, typesMax: { a: { x: 2, y: 1 } } };
    const { claims, nextDueInMs } = await store.claim(claimAsk(limited));
    assert.deepEqual(ids(claims), ["0", "1", "4", "6"]);
    assert.equal(nextDueInMs, undefined, "types of which none may be given are not announced");
    const full = { slots: { a: 5 }, typesMax: { a: { x: 0 } } };
    assert.deepEqual(ids((await store.claim(claimAsk(full))).claims), ["5"]);
    assert.deepEqual(ids((await store.claim(claimAsk({ slots: { a: 5 } }))).claims), ["2", "3"]);
  },

  "a type may have any name, whatever that means in JavaScript": async (open) => {
    const store = await open();
    const types = ["constructor", "__proto__", "toString", "", "hasOwnProperty", "x"];
    for (const type of types) await take(store, eventOf(`is ${type}`, { type }));
    const asked = claimAsk({ slots: { a: 100 }, typesMax: { a: { x: 1 } } });
    assert.equal((await store.claim(asked)).claims.length, types.length);
    const source = "constructor";
    await take(store, eventOf("1", { source }));
    assert.deepEqual((await store.claim(claimAsk({ slots: { a: 1 } }))).claims, []);
    const slots = { [source]: 1 };
    const limited = { slots, typesMax: { [source]: { toString: 0 } } };
    assert.deepEqual(ids((await store.claim(claimAsk(limited))).claims), ["1"]);
  },

  "a source without a slot is left alone, but its due event announced": async (open) => {
    const store = await open();
    await take(store, eventOf("1"));
    const answer = await store.claim(claimAsk({ slots: { a: 0, b: 5 } }));
    assert.deepEqual(answer, { claims: [], nextDueInMs: 0 });
  },

  "what is due beyond the slots is announced": async (open) => {
    const store = await open();
    for (const id of ["1", "2"]) await take(store, eventOf(id));
    assert.equal((await store.claim(claimAsk({ slots: { a: 1 } }))).nextDueInMs, 0);
  },

  "the oldest due come first": async (open) => {
    const store = await open();
    for (const id of ["3", "1", "2"]) await take(store, eventOf(id));
    const { claims } = await store.claim(claimAsk({ slots: { a: 2 } }));
    assert.deepEqual(ids(claims), ["1", "3"]);
  },

  "bodies are bounded, but one always fits": async (open) => {
    const store = await open();
    const big = { ...deliveryOf("big"), body: new Uint8Array(5000) };
    for (const id of ["1", "2", "3"]) await take(store, eventOf(id, { delivery: big }));
    assert.equal((await store.claim(claimAsk({ bytesMax: 1 }))).claims.length, 1);
    assert.equal((await store.claim(claimAsk({ bytesMax: 12_000 }))).claims.length, 2);
  },

  "what is done, dead, unhandled or quarantined is never given": async (open) => {
    const store = await open();
    const outcomes = [
      { state: "done" },
      { state: "dead", reason: "exhausted" },
      { state: "unhandled" },
      { state: "quarantined", reason: "invalid" },
    ] as const;
    for (const [index, outcome] of outcomes.entries()) {
      const claim = await taken(store, `event ${index}`);
      await store.settle([settlementOf(claim, { outcome })]);
    }
    assert.deepEqual(await store.claim(claimAsk()), { claims: [], nextDueInMs: undefined });
  },
};
