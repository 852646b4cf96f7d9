/** `settle`: the end of an attempt is written under its fence, or not at all. */

import { strict as assert } from "node:assert";
import {
  claimAsk,
  ids,
  long,
  recordOf,
  settlementOf,
  take,
  takeAsk,
  taken,
  eventOf,
} from "./material.ts";
import type { StoreTests } from "./store-test.ts";

const history = [
  {
    startedAt: 1,
    durationMs: 2,
    failures: [{ handler: "h", name: "TypeError", message: "x of undefined \u{1F4A5}" }],
  },
];

export const settleTests: StoreTests = {
  "done is written with what finished and the attempts": async (open) => {
    const store = await open();
    const claim = await taken(store, "1");
    assert.deepEqual(await store.settle([settlementOf(claim, { finished: ["h"], history })]), [
      true,
    ]);
    const record = await recordOf(store, "1");
    assert.deepEqual([record.state, record.finished, record.history], ["done", ["h"], history]);
  },

  "reasons are written": async (open) => {
    const store = await open();
    const claim = await taken(store, "1");
    await store.settle([settlementOf(claim, { outcome: { state: "dead", reason: "poison" } })]);
    const record = await recordOf(store, "1");
    assert.deepEqual([record.state, record.reason], ["dead", "poison"]);
  },

  "a retry is due after its delay": async (open) => {
    const store = await open();
    const claim = await taken(store, "1");
    const before = Date.now();
    const outcome = { state: "pending", afterMs: long, handedBack: false } as const;
    await store.settle([settlementOf(claim, { outcome })]);
    const record = await recordOf(store, "1");
    assert.deepEqual([record.state, record.attempts], ["pending", 1]);
    assert.ok(record.dueAt >= before + long - 1000 && record.dueAt <= Date.now() + long + 1000);
  },

  "an event that is handed back has not used its attempt": async (open) => {
    const store = await open();
    const claim = await taken(store, "1");
    const outcome = { state: "pending", afterMs: 0, handedBack: true } as const;
    await store.settle([settlementOf(claim, { outcome })]);
    assert.equal((await recordOf(store, "1")).attempts, 0);
    assert.equal((await store.claim(claimAsk())).claims[0]?.event.attempts, 1);
  },

  "a settlement with an old fence changes nothing": async (open) => {
    const store = await open();
    const zombie = await taken(store, "1", 0);
    const { claims } = await store.claim(claimAsk());
    const before = await recordOf(store, "1");
    const late = settlementOf(zombie, { outcome: { state: "dead", reason: "exhausted" }, history });
    assert.deepEqual(await store.settle([late]), [false]);
    assert.deepEqual(await recordOf(store, "1"), before);
    const [current] = claims;
    assert.ok(current);
    assert.deepEqual(await store.settle([settlementOf(current)]), [true]);
    assert.deepEqual(await store.settle([late]), [false]);
    assert.equal((await recordOf(store, "1")).state, "done");
  },

  "a settlement after the lease's end holds while nobody else has claimed": async (open) => {
    const store = await open();
    const claim = await taken(store, "1", 0);
    assert.deepEqual(await store.settle([settlementOf(claim)]), [true]);
  },

  "a settlement holds once": async (open) => {
    const store = await open();
    const claim = await taken(store, "1");
    await store.settle([settlementOf(claim)]);
    assert.deepEqual(await store.settle([settlementOf(claim)]), [false]);
  },

  "a settlement of an event that does not exist does not hold": async (open) => {
    const store = await open();
    const claim = await taken(store, "1");
    const other = eventOf("2");
    assert.deepEqual(
      await store.settle([settlementOf({ ...claim, event: { ...claim.event, key: other.key } })]),
      [false],
    );
  },

  "in a batch each settlement holds or not by itself": async (open) => {
    const store = await open();
    const first = await taken(store, "1");
    const second = await taken(store, "2");
    const answers = await store.settle([
      settlementOf(first),
      settlementOf(second, { fence: "nobody's" }),
    ]);
    assert.deepEqual(answers, [true, false]);
    assert.equal((await recordOf(store, "2")).state, "running");
  },

  "an event that was born claimed is settled like any other": async (open) => {
    const store = await open();
    const answer = await take(store, eventOf("1"), takeAsk({ slots: { a: 1 } }));
    assert.ok(answer.kind === "taken" && answer.claim !== undefined);
    assert.deepEqual(await store.settle([settlementOf(answer.claim)]), [true]);
    assert.equal((await recordOf(store, "1")).state, "done");
  },

  "what an event became is taken with it, sharing its delivery": async (open) => {
    const store = await open();
    const [unread] = [eventOf("unread", { identified: false })];
    await take(store, unread);
    await take(store, eventOf("known", { text: "unread" }));
    const [claim] = (await store.claim(claimAsk({ slots: { a: 1 } }))).claims;
    assert.equal(claim?.event.identified, false);
    const { delivery } = claim;
    const became = [eventOf("1", { delivery }), eventOf("known", { delivery })];
    const outcome = { state: "done", became } as const;
    assert.deepEqual(await store.settle([settlementOf(claim, { outcome })]), [true]);
    assert.equal((await recordOf(store, "unread")).state, "done");
    assert.equal((await recordOf(store, "known")).duplicates, 1);
    const { claims } = await store.claim(claimAsk());
    assert.deepEqual(ids(claims), ["1", "known"]);
    const body = claims.find(({ event }) => event.id === "1")?.delivery.body ?? [];
    assert.deepEqual(Buffer.from(body), Buffer.from(unread.delivery.body));
  },

  "what a fenced-out worker says an event became is not taken": async (open) => {
    const store = await open();
    const zombie = await taken(store, "1", 0);
    await store.claim(claimAsk());
    const outcome = { state: "done", became: [eventOf("2")] } as const;
    assert.deepEqual(await store.settle([settlementOf(zombie, { outcome })]), [false]);
    assert.equal(await store.get(eventOf("2").key), undefined);
  },

  "who succeeded is added to who had, and who gave up is kept": async (open) => {
    const store = await open();
    const outcome = { state: "pending", afterMs: 0, handedBack: false } as const;
    const first = await taken(store, "1");
    await store.settle([settlementOf(first, { outcome, finished: ["x"], gaveUp: ["y"] })]);
    const [second] = (await store.claim(claimAsk())).claims;
    assert.ok(second);
    await store.settle([settlementOf(second, { finished: ["z", "x"], gaveUp: ["y", "w"] })]);
    const { finished, gaveUp } = await recordOf(store, "1");
    assert.deepEqual(
      [finished, gaveUp],
      [
        ["x", "z"],
        ["y", "w"],
      ],
    );
  },
};
