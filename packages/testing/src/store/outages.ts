/**
 * Outages: what a store does while its server is away, in whatever way that can happen. Each verb ends in time, with
 * `STORE_UNAVAILABLE` or with an answer that is true; what was acknowledged is there afterwards; and the same store works
 * again by itself.
 */

import { isWebhookInboxError, systemClock, type Store } from "@webhook-inbox/core";
import { strict as assert } from "node:assert";
import {
  claimAsk,
  eventOf,
  holdOf,
  long,
  recordOf,
  settlementOf,
  take,
  takeAsk,
} from "./material.ts";
import type { StorePlace } from "./place.ts";

/** A way for a server to be away. */
export interface Outage {
  readonly begin: () => Promise<void>;
  readonly end: () => Promise<void>;
  /** Whether a store that was not open before can be opened meanwhile. Default: false. */
  readonly opens?: boolean;
}

/** The store under test, and the ways in which it is taken away. */
export interface OutageSuiteOptions {
  /** The runner's function for a test. */
  readonly test: (name: string, body: () => Promise<void>) => void;
  /** Makes an empty place, whose stores wait for an answer for at most two seconds. */
  readonly place: () => Promise<StorePlace>;
  /** By name, such as `killed`. */
  readonly outages: Readonly<Record<string, Outage>>;
}

/** A call that has to end; what it waits for is never longer than the store's own deadlines. */
const endsMs = 15_000;
const recoversMs = 60_000;

/** Registers tests for each way to be away. */
export function outageSuite({ test, place, outages }: OutageSuiteOptions): void {
  for (const [name, outage] of Object.entries(outages)) {
    test(`${name}: every verb ends in time, and nothing acknowledged is lost`, () =>
      withStore(place, async (store) => {
        await store.open({ clock: systemClock });
        await livesThrough(store, outage);
      }));
    test(`${name}: a store that cannot be opened says so, and can be opened later`, () =>
      withStore(place, async (store) => {
        await outage.begin();
        try {
          const opening = await ended(store.open({ clock: systemClock }));
          if (outage.opens !== true) assert.equal(opening, "away");
        } finally {
          await outage.end();
        }
        await recovered(() => store.open({ clock: systemClock }));
        await recovered(() => take(store, eventOf("1")));
        assert.equal((await recordOf(store, "1")).state, "pending");
      }));
  }
}

async function withStore(
  place: OutageSuiteOptions["place"],
  body: (store: Store) => Promise<void>,
): Promise<void> {
  const { create, remove } = await place();
  const store = create();
  try {
    await body(store);
  } finally {
    await store.close();
    await remove();
  }
}

async function livesThrough(store: Store, outage: Outage): Promise<void> {
  const ids = ["1", "2", "3"];
  await store.take(
    ids.map((id) => eventOf(id)),
    takeAsk(),
  );
  const [claim, other] = (await store.claim(claimAsk({ slots: { a: 2 } }))).claims;
  assert.ok(claim !== undefined && other !== undefined);
  const acknowledged = [...ids];
  await outage.begin();
  try {
    for (const round of [1, 2]) {
      const id = `meanwhile ${round}`;
      const taking = store.take([eventOf(id)], takeAsk());
      if ((await ended(taking)) === "answered") acknowledged.push(id);
      const calls = [
        store.claim(claimAsk({ slots: { b: 1 } })),
        store.extend([holdOf(other)], long),
        store.settle([settlementOf(claim)]),
        store.get(claim.event.key),
        store.list({}),
        store.tally({}),
        store.prune({ payloadMs: 1e14, keyMs: 1e14, refusedMax: 0, limit: 10 }),
        store.intervene(
          { keys: [eventOf("none").key] },
          { act: "cancel", by: "", reason: "", dryRun: false, limit: 1 },
        ),
      ];
      await Promise.all(calls.map(ended));
    }
  } finally {
    await outage.end();
  }
  await recovered(() => take(store, eventOf("after")));
  for (const id of [...acknowledged, "after"]) await recordOf(store, id);
  await recovered(() => store.settle([settlementOf(claim), settlementOf(other)]));
  assert.deepEqual(
    [(await recordOf(store, claim.event.id)).state, (await recordOf(store, other.event.id)).state],
    ["done", "done"],
  );
  assert.equal((await recordOf(store, "3")).state, "pending");
}

/** How a call ended: with an answer, or with the one error that says that the store is away. Everything else fails. */
async function ended(calling: Promise<unknown>): Promise<"answered" | "away"> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`a call has not ended after ${endsMs} ms`)), endsMs);
  });
  try {
    await Promise.race([calling, late]);
    return "answered";
  } catch (error) {
    if (isWebhookInboxError(error) && error.code === "STORE_UNAVAILABLE") return "away";
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Calls until the store is back, which it has to be by itself. */
async function recovered(act: () => Promise<unknown>): Promise<void> {
  const until = Date.now() + recoversMs;
  for (;;) {
    const calling = act();
    if ((await ended(calling)) === "answered") return;
    assert.ok(Date.now() < until, `the store is not back after ${recoversMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
