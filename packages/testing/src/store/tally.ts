/** `tally` and `audit`: every way that an event went is counted once, and the count agrees with what is there. */

import { eventKey, type Store, type Tally } from "@webhook-inbox/core";
import { strict as assert } from "node:assert";
import { claimAsk, eventOf, settlementOf, take, taken, takeAsk } from "./material.ts";
import type { StoreTests } from "./store-test.ts";

/** The ways that were gone, as text, with their counts. */
function ways(tallies: readonly Tally[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { from = "new", to, count } of tallies) {
    counts[`${from} → ${to}`] = (counts[`${from} → ${to}`] ?? 0) + count;
  }
  return counts;
}

const person = { by: "", reason: "", dryRun: false, limit: 9 };

/** Lets events go many ways. */
async function lived(store: Store): Promise<void> {
  await store.take([eventOf("1"), eventOf("2")], takeAsk({ slots: { a: 1 } }));
  await take(store, eventOf("1"));
  await take(store, eventOf("1", { copies: 3 }));
  await take(store, eventOf("1", { text: "variant" }));
  await take(store, eventOf("b", { source: "b", type: "other" }));
  await take(store, eventOf("3", { copies: 2 }));
  await store.settle([settlementOf(await taken(store, "4"))]);
  const retry = { state: "pending", afterMs: 0, handedBack: false } as const;
  await store.settle([settlementOf(await taken(store, "5"), { outcome: retry })]);
  const [again] = (await store.claim(claimAsk())).claims;
  assert.ok(again);
  // The second one is known, with other bytes.
  const became = ["6", "4"].map((id) => eventOf(id, { delivery: again.delivery }));
  const outcome = { state: "done", became } as const;
  await store.settle([settlementOf(again, { outcome })]);
  await store.intervene({ keys: [eventKey("a", "4")] }, { ...person, act: "replay" });
  await store.intervene({ keys: [eventKey("a", "6")] }, { ...person, act: "erase" });
}

export const tallyTests: StoreTests = {
  "each way is counted, and claims are not": async (open) => {
    const store = await open();
    await lived(store);
    assert.deepEqual(ways(await store.tally({ source: "a" })), {
      "new → running": 1,
      "new → pending": 5,
      "new → quarantined": 2,
      "new → duplicate": 5,
      "running → done": 2,
      "running → pending": 1,
      "done → pending": 1,
      "done → erased": 1,
      "pending → erased": 2,
      "quarantined → erased": 1,
    });
  },

  "tallies are told apart by source, type and time": async (open) => {
    const store = await open();
    await lived(store);
    const now = Date.now();
    const minute = 60_000;
    assert.deepEqual(ways(await store.tally({ source: "b" })), { "new → pending": 1 });
    assert.deepEqual(ways(await store.tally({ type: "other" })), { "new → pending": 1 });
    assert.deepEqual(await store.tally({ type: "none" }), []);
    assert.deepEqual(await store.tally({ before: now - 2 * minute }), []);
    assert.deepEqual(await store.tally({ from: now + 2 * minute }), []);
    const [first] = await store.tally({ source: "b", stepMs: minute });
    assert.ok(first !== undefined && first.at % minute === 0);
    assert.ok(now - first.at < 2 * minute);
    assert.deepEqual(
      (await store.tally({ source: "b" })).map(({ at }) => at),
      [0],
    );
  },

  "the audit counts what is there, and finds that it agrees": async (open) => {
    const store = await open();
    await lived(store);
    const { tallies, counted } = await store.audit();
    const takenInAll = tallies
      .filter(({ from, to }) => from === undefined && to !== "duplicate" && to !== "conflict")
      .reduce((sum, { count }) => sum + count, 0);
    const there = Object.values(counted).reduce((sum, count) => sum + count, 0);
    assert.equal(takenInAll, there);
    assert.deepEqual(counted, { running: 3, pending: 1, quarantined: 1, erased: 4 });
  },

  "a settlement that did not hold is not counted": async (open) => {
    const store = await open();
    const zombie = await taken(store, "1", 0);
    await store.claim(claimAsk());
    await store.settle([settlementOf(zombie)]);
    assert.deepEqual(ways(await store.tally({})), { "new → pending": 1 });
  },
};
