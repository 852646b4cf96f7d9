/** `get` and `list`: what was kept can be looked at. */

import {
  eventKey,
  isWebhookInboxError,
  type EventRecord,
  type ListQuery,
  type Store,
} from "@webhook-inbox/core";
import { strict as assert } from "node:assert";
import { deliveryOf, eventOf, settlementOf, take, takeAsk, taken } from "./material.ts";
import type { StoreTests } from "./store-test.ts";

/** Goes through all pages of a query. */
async function listed(store: Store, query: ListQuery): Promise<readonly EventRecord[]> {
  const events: EventRecord[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.list({ ...query, cursor });
    assert.ok(page.events.length <= (query.limit ?? 100), "a page is no longer than asked");
    events.push(...page.events);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return events;
}

const idsOf = (events: readonly EventRecord[]): readonly string[] => events.map(({ id }) => id);

export const readTests: StoreTests = {
  "an unknown key, and a text that is no key, have no event": async (open) => {
    const store = await open();
    await take(store, eventOf("1"));
    assert.equal(await store.get(eventKey("a", "2")), undefined);
    assert.equal(await store.get("no key"), undefined);
    assert.equal(await store.get(""), undefined);
  },

  "a cursor that is none is refused": async (open) => {
    const store = await open();
    for (const cursor of ["zip", "", "1", "1.x", "1.1'; --"]) {
      await assert.rejects(store.list({ cursor }), (error) => isWebhookInboxError(error));
    }
  },

  "a list is newest first, in pages that lose and repeat nothing": async (open) => {
    const store = await open();
    const all = Array.from({ length: 25 }, (_, n) => String(n));
    await store.take(
      all.map((id) => eventOf(id)),
      takeAsk(),
    );
    assert.deepEqual(idsOf(await listed(store, { limit: 10 })), all.toReversed());
    assert.deepEqual(idsOf(await listed(store, { limit: 5 })), all.toReversed());
    assert.deepEqual(idsOf(await listed(store, { limit: 1 })), all.toReversed());
  },

  "a list is in the order of receipt, whatever the order of arrival": async (open) => {
    const store = await open();
    const instants = [500, 100, 400, 200, 300, 200];
    for (const [n, ms] of instants.entries()) {
      const delivery = { ...deliveryOf(String(n)), receivedAt: 1_700_000_000_000 + ms };
      await take(store, eventOf(String(n), { delivery }));
    }
    const newest = ["0", "2", "4", "5", "3", "1"];
    assert.deepEqual(idsOf(await listed(store, { limit: 2 })), newest);
    assert.deepEqual(idsOf(await listed(store, { limit: 2, source: "a" })), newest);
    const times = { receivedFrom: 1_700_000_000_200, receivedBefore: 1_700_000_000_400 };
    assert.deepEqual(idsOf(await listed(store, { limit: 2, ...times })), ["4", "5", "3"]);
    assert.deepEqual(idsOf(await listed(store, { ...times, state: "pending" })), ["4", "5", "3"]);
  },

  "a list is oldest first where that is asked, in pages that lose and repeat nothing": async (
    open,
  ) => {
    const store = await open();
    const all = Array.from({ length: 25 }, (_, n) => String(n));
    await store.take(
      all.map((id) => eventOf(id, { source: Number(id) % 2 === 0 ? "a" : "b" })),
      takeAsk(),
    );
    const even = all.filter((id) => Number(id) % 2 === 0);
    for (const limit of [10, 5, 1]) {
      assert.deepEqual(idsOf(await listed(store, { limit, order: "oldest" })), all);
      assert.deepEqual(idsOf(await listed(store, { limit, order: "oldest", source: "a" })), even);
    }
    const [first] = (await store.list({ state: "pending", order: "oldest", limit: 1 })).events;
    assert.equal(first?.id, "0");
  },

  "a page holds at most 100 events, whatever is asked": async (open) => {
    const store = await open();
    const events = Array.from({ length: 105 }, (_, n) => eventOf(String(n)));
    await store.take(events, takeAsk());
    for (const query of [{}, { limit: 1000 }]) {
      assert.equal((await store.list(query)).events.length, 100);
    }
  },

  "a list is filtered by source, type and state": async (open) => {
    const store = await open();
    await store.settle([settlementOf(await taken(store, "1"))]);
    await take(store, eventOf("2"));
    await take(store, eventOf("3", { type: "changed" }));
    await take(store, eventOf("4", { source: "b" }));
    const found = async (query: ListQuery): Promise<readonly string[]> =>
      idsOf(await listed(store, query));
    assert.deepEqual(await found({ source: "a" }), ["3", "2", "1"]);
    assert.deepEqual(await found({ type: "changed" }), ["3"]);
    assert.deepEqual(await found({ state: "done" }), ["1"]);
    assert.deepEqual(await found({ state: "pending" }), ["4", "3", "2"]);
    assert.deepEqual(await found({ source: "a", state: "pending", type: "happened" }), ["2"]);
    assert.deepEqual(await found({ state: "dead" }), []);
    assert.deepEqual(await found({ source: "c" }), []);
  },

  "filtered pages lose and repeat nothing, however much lies between what fits": async (open) => {
    const store = await open();
    const events = Array.from({ length: 90 }, (_, n) =>
      eventOf(String(n), {
        source: n % 3 === 0 ? "b" : "a",
        type: n % 10 === 0 ? "rare" : "often",
        quarantine: n % 2 === 0 ? "unparsable" : undefined,
      }),
    );
    await store.take(events, takeAsk());
    const expected = (keep: (n: number) => boolean): readonly string[] =>
      Array.from({ length: 90 }, (_, n) => 89 - n)
        .filter(keep)
        .map(String);
    const found = async (query: ListQuery): Promise<readonly string[]> =>
      idsOf(await listed(store, { limit: 4, ...query }));
    assert.deepEqual(
      await found({ type: "rare" }),
      expected((n) => n % 10 === 0),
    );
    assert.deepEqual(
      await found({ source: "b" }),
      expected((n) => n % 3 === 0),
    );
    assert.deepEqual(
      await found({ state: "quarantined" }),
      expected((n) => n % 2 === 0),
    );
    assert.deepEqual(
      await found({ reason: "unparsable", source: "a" }),
      expected((n) => n % 2 === 0 && n % 3 !== 0),
    );
    assert.deepEqual(
      await found({ source: "a", state: "pending", type: "often" }),
      expected((n) => n % 3 !== 0 && n % 2 === 1 && n % 10 !== 0),
    );
  },
};
