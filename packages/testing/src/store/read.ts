/** `get` and `list`: what was kept can be looked at. */

import { eventKey, isWebhookInboxError } from "@webhook-inbox/core";
import { strict as assert } from "node:assert";
import { eventOf, settlementOf, take, takeAsk, taken } from "./material.ts";
import type { StoreTests } from "./store-test.ts";

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
    const listing = store.list({ cursor: "zip" });
    await assert.rejects(listing, (error) => isWebhookInboxError(error));
  },

  "a list is newest first, in pages that lose and repeat nothing": async (open) => {
    const store = await open();
    const all = Array.from({ length: 25 }, (_, n) => String(n));
    await store.take(
      all.map((id) => eventOf(id)),
      takeAsk(),
    );
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await store.list({ limit: 10, ...(cursor === undefined ? {} : { cursor }) });
      assert.ok(page.events.length <= 10);
      seen.push(...page.events.map(({ id }) => id));
      cursor = page.cursor;
    } while (cursor !== undefined);
    assert.deepEqual(seen, all.toReversed());
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
    const listed = async (query: Parameters<typeof store.list>[0]): Promise<readonly string[]> =>
      (await store.list(query)).events.map(({ id }) => id);
    assert.deepEqual(await listed({ source: "a" }), ["3", "2", "1"]);
    assert.deepEqual(await listed({ type: "changed" }), ["3"]);
    assert.deepEqual(await listed({ state: "done" }), ["1"]);
    assert.deepEqual(await listed({ source: "a", state: "pending", type: "happened" }), ["2"]);
    assert.deepEqual(await listed({ state: "dead" }), []);
  },
};
