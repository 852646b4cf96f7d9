/** `take`: every event once, with its exact delivery, and an honest word about what was there before. */

import { conflictsMax, eventKey } from "@webhook-inbox/core";
import { strict as assert } from "node:assert";
import {
  claimAsk,
  deliveryOf,
  eventOf,
  ids,
  long,
  recordOf,
  refusedEvent,
  settlementOf,
  take,
  takeAsk,
} from "./material.ts";
import type { StoreTests } from "./store-test.ts";

export const takeTests: StoreTests = {
  "a new event is kept with its delivery, byte for byte": async (open) => {
    const store = await open();
    const event = eventOf("1", { notes: ["id_missing"] });
    assert.deepEqual(await take(store, event), { kind: "taken" });
    const found = await store.get(event.key);
    assert.deepEqual({ ...found?.delivery, body: [] }, { ...event.delivery, body: [] });
    assert.deepEqual(Buffer.from(found?.delivery?.body ?? []), Buffer.from(event.delivery.body));
    const { dueAt, ...record } = found?.event ?? assert.fail("the event is there");
    assert.equal(typeof dueAt, "number");
    assert.deepEqual(record, {
      key: event.key,
      source: "a",
      id: "1",
      type: "happened",
      state: "pending",
      reason: undefined,
      occurredAt: 1_600_000_000_000,
      receivedAt: 1_700_000_000_000,
      attempts: 0,
      crashes: 0,
      duplicates: 0,
      identified: true,
      lane: undefined,
      replayed: false,
      generation: 0,
      gaveUp: [],
      interventions: [],
      finished: [],
      history: [],
      notes: ["id_missing"],
    });
  },

  "what is optional may be absent": async (open) => {
    const store = await open();
    const event = eventOf("1", {
      occurredAt: undefined,
      delivery: {
        ...deliveryOf("1"),
        body: new Uint8Array(),
        account: "acme",
        segment: "succeeded",
        reconstructed: true,
      },
    });
    await take(store, event);
    const found = await store.get(event.key);
    assert.equal(found?.event.occurredAt, undefined);
    assert.equal(found?.delivery?.account, "acme");
    assert.equal(found?.delivery?.segment, "succeeded");
    assert.equal(found?.delivery?.reconstructed, true);
    assert.equal(found?.delivery?.body.length, 0);
  },

  "the same event again is a duplicate, and counted": async (open) => {
    const store = await open();
    await take(store, eventOf("1", { copies: 2 }));
    assert.deepEqual(await take(store, eventOf("1")), { kind: "duplicate" });
    assert.deepEqual(await take(store, eventOf("1", { copies: 3 })), { kind: "duplicate" });
    assert.equal((await recordOf(store, "1")).duplicates, 5);
  },

  "what is not due yet is not born claimed, and is claimed when its time has come": async (
    open,
  ) => {
    const store = await open();
    const late = eventOf("late", { dueAfterMs: long });
    const soon = eventOf("soon", { dueAfterMs: 30 });
    const answers = await store.take([late, soon], takeAsk({ slots: { a: 10 } }));
    assert.deepEqual(answers, [{ kind: "taken" }, { kind: "taken" }]);
    const { dueAt, state } = await recordOf(store, "late");
    assert.equal(state, "pending");
    assert.ok(Math.abs(dueAt - Date.now() - long) < 60_000, `due at ${dueAt}`);
    let claimed: readonly string[] = [];
    for (let tries = 0; tries < 100 && claimed.length === 0; tries++) {
      const { claims, nextDueInMs = long } = await store.claim(claimAsk());
      claimed = ids(claims);
      assert.ok(nextDueInMs <= long);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.deepEqual(claimed, ["soon"]);
  },

  "what nobody has sent is the same as whatever is sent under its id": async (open) => {
    const store = await open();
    const fetched = { ...deliveryOf("1"), contentHash: "" };
    await take(store, eventOf("1", { delivery: fetched, conflictKey: undefined }));
    assert.deepEqual(await take(store, eventOf("1", { text: "sent" })), { kind: "duplicate" });
    assert.equal((await recordOf(store, "1")).duplicates, 1);
    await take(store, eventOf("2", { text: "sent" }));
    const late = eventOf("2", { delivery: fetched, conflictKey: undefined });
    assert.deepEqual(await take(store, late), { kind: "duplicate" });
  },

  "the same id in two sources makes two events": async (open) => {
    const store = await open();
    await take(store, eventOf("1"));
    assert.deepEqual(await take(store, eventOf("1", { source: "b" })), { kind: "taken" });
  },

  "answers come in the order asked": async (open) => {
    const store = await open();
    await take(store, eventOf("2"));
    const answers = await store.take([eventOf("3"), eventOf("2"), eventOf("1")], takeAsk());
    assert.deepEqual(
      answers.map(({ kind }) => kind),
      ["taken", "duplicate", "taken"],
    );
  },

  "two events of one delivery both give it back": async (open) => {
    const store = await open();
    const delivery = deliveryOf("batch");
    const events = [eventOf("1", { delivery }), eventOf("2", { delivery })];
    await store.take(events, takeAsk());
    for (const { key } of events) {
      assert.equal((await store.get(key))?.delivery?.contentHash, "batch");
    }
  },

  "as many as asked are born claimed, the first ones first": async (open) => {
    const store = await open();
    const events = ["1", "2", "3"].map((id) => eventOf(id));
    const answers = await store.take(events, takeAsk({ fence: "mine", slots: { a: 2 } }));
    const claims = answers.map((answer) => (answer.kind === "taken" ? answer.claim : undefined));
    assert.deepEqual(
      claims.map((claim) => claim?.fence),
      ["mine", "mine", undefined],
    );
    assert.deepEqual(claims[0]?.event, await recordOf(store, "1"));
    assert.equal(claims[0]?.event.attempts, 1);
    assert.equal(claims[0]?.event.state, "running");
    const { claims: others } = await store.claim(claimAsk());
    assert.deepEqual(
      others.map(({ event }) => event.id),
      ["3"],
    );
  },

  "only events of sources with a slot are born claimed": async (open) => {
    const store = await open();
    const ask = takeAsk({ slots: { b: 5 } });
    assert.deepEqual(await take(store, eventOf("1"), ask), { kind: "taken" });
    assert.equal((await recordOf(store, "1")).state, "pending");
  },

  "an unreadable event is quarantined, and never claimed": async (open) => {
    const store = await open();
    const event = eventOf("1", { quarantine: "unparsable" });
    assert.deepEqual(await take(store, event, takeAsk({ slots: { a: 5 } })), { kind: "taken" });
    const record = await recordOf(store, "1");
    assert.deepEqual([record.state, record.reason], ["quarantined", "unparsable"]);
    assert.deepEqual((await store.claim(claimAsk())).claims, []);
  },

  "a delivery keeps the trace of its receipt, for whoever works on it": async (open) => {
    const store = await open();
    const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    await take(store, eventOf("1", { delivery: { ...deliveryOf("1"), trace } }));
    await take(store, eventOf("2"));
    const tracesOf = (kept: readonly { readonly delivery: { readonly trace?: unknown } }[]) =>
      kept.map(({ delivery }) => delivery.trace);
    const { claims } = await store.claim(claimAsk());
    assert.deepEqual(tracesOf(claims), [trace, undefined]);
    assert.equal((await store.get(eventKey("a", "1")))?.delivery?.trace, trace);
  },

  "a refused delivery is kept, and never claimed": async (open) => {
    const store = await open();
    const event = refusedEvent("1");
    assert.deepEqual(await take(store, event, takeAsk({ slots: { a: 5 } })), { kind: "taken" });
    assert.deepEqual(await take(store, event), { kind: "duplicate" });
    const kept = await store.get(event.key);
    assert.deepEqual(
      [kept?.event.state, kept?.event.reason, kept?.event.duplicates, kept?.delivery?.sealed],
      ["refused", "mismatch", 1, event.delivery.sealed],
    );
    const { claims, nextDueInMs } = await store.claim(claimAsk());
    assert.deepEqual([claims, nextDueInMs], [[], undefined]);
    const { events } = await store.list({ state: "refused", source: "a", reason: "mismatch" });
    assert.deepEqual(
      events.map(({ key }) => key),
      [event.key],
    );
  },

  "a refused delivery that was found to be authentic is claimed, and becomes its events": async (
    open,
  ) => {
    const store = await open();
    const event = refusedEvent("1");
    await take(store, event);
    const ask = { act: "verify", by: "", reason: "", dryRun: false, limit: 9 } as const;
    await store.intervene({ keys: [event.key] }, ask);
    const [claim] = (await store.claim(claimAsk())).claims;
    assert.ok(claim);
    const became = [eventOf("what it was", { delivery: event.delivery })];
    await store.settle([settlementOf(claim, { outcome: { state: "done", became } })]);
    assert.equal((await recordOf(store, "1")).state, "done");
    const handled = (await store.claim(claimAsk())).claims;
    assert.deepEqual(
      handled.map(({ event: { id } }) => id),
      ["what it was"],
    );
    assert.deepEqual(Uint8Array.from(handled[0]?.delivery.body ?? []), event.delivery.body);
  },

  "a take that is repeated with its fence gives its claims again": async (open) => {
    const store = await open();
    const ask = takeAsk({ slots: { a: 1 } });
    const first = await take(store, eventOf("1"), ask);
    const again = await take(store, eventOf("1"), ask);
    assert.deepEqual(again, first);
    assert.equal((await recordOf(store, "1")).duplicates, 0);
  },

  "the same id with other bytes is a conflict, kept in quarantine under its own key": async (
    open,
  ) => {
    const store = await open();
    await take(store, eventOf("1"));
    const variant = eventOf("1", { text: "other", copies: 3 });
    assert.deepEqual(await take(store, variant), { kind: "conflict", kept: true });
    const kept = await store.get(eventKey("a", "1\0other"));
    assert.deepEqual(
      [kept?.event.state, kept?.event.reason, kept?.event.id],
      ["quarantined", "conflict", "1"],
    );
    assert.deepEqual(kept?.delivery?.contentHash, "other");
    assert.equal(kept?.event.duplicates, 2);
    assert.equal((await recordOf(store, "1")).state, "pending");
  },

  "a variant that comes again is counted, not kept again": async (open) => {
    const store = await open();
    await take(store, eventOf("1"));
    await take(store, eventOf("1", { text: "other" }));
    await take(store, eventOf("1", { text: "other" }));
    assert.equal((await store.get(eventKey("a", "1\0other")))?.event.duplicates, 1);
    assert.equal((await store.list({})).events.length, 2);
  },

  "at most five variants are kept": async (open) => {
    const store = await open();
    await take(store, eventOf("1"));
    for (let n = 1; n <= conflictsMax; n++) {
      const answer = await take(store, eventOf("1", { text: `other ${n}` }));
      assert.deepEqual(answer, { kind: "conflict", kept: true });
    }
    const last = await take(store, eventOf("1", { text: "one too many" }));
    assert.deepEqual(last, { kind: "conflict", kept: false });
    assert.equal((await store.list({})).events.length, 1 + conflictsMax);
  },

  "without a conflict key, other bytes are a duplicate": async (open) => {
    const store = await open();
    await take(store, eventOf("1"));
    const again = eventOf("1", { text: "other", conflictKey: undefined });
    assert.deepEqual(await take(store, again), { kind: "duplicate" });
  },

  "ids and types of any text are kept as they are": async (open) => {
    const store = await open();
    const texts = [
      "",
      "'; DROP TABLE x; --",
      "__proto__",
      "é e\u0301",
      "\u202E\u{1F4E8}",
      "a\nb\r\n",
    ];
    await store.take(
      texts.map((text) => eventOf(text, { type: text })),
      takeAsk(),
    );
    for (const text of texts) {
      const { id, type } = await recordOf(store, text);
      assert.deepEqual([id, type], [text, text]);
    }
  },

  "of a type at most so many as asked are born claimed": async (open) => {
    const store = await open();
    const events = ["x", "x", "y"].map((type, n) => eventOf(String(n), { type }));
    const ask = takeAsk({ slots: { a: 5 }, typesMax: { a: { x: 1 } } });
    const answers = await store.take(events, ask);
    assert.deepEqual(
      answers.map((answer) => answer.kind === "taken" && answer.claim !== undefined),
      [true, false, true],
    );
  },
};
