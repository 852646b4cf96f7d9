/** Lanes: events that wait for one another, over all instances. */

import type { Claim, EventRecord, NewEvent, Outcome, Store } from "@webhook-inbox/core";
import { eventKey } from "@webhook-inbox/core";
import { forever } from "@webhook-inbox/core/records";
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
  takeAsk,
} from "./material.ts";
import type { StoreTests } from "./store-test.ts";

const ordered = { key: eventKey("lanes of a", "x"), isOrdered: true, max: 1 };
const pair = { key: eventKey("lanes of a", "y"), isOrdered: false, max: 2 };
const single = { ...pair, max: 1 };

const retried: Outcome = { state: "pending", afterMs: long, handedBack: false };
const again: Outcome = { state: "pending", afterMs: 0, handedBack: false };
const handedBack: Outcome = { state: "pending", afterMs: 0, handedBack: true };
const dead: Outcome = { state: "dead", reason: "fatal" };

async function takeAll(
  store: Store,
  lane: NewEvent["lane"],
  names: readonly string[],
): Promise<void> {
  for (const id of names) await take(store, eventOf(id, { lane }));
}

async function claimed(store: Store, leaseMs: number = long): Promise<readonly Claim[]> {
  return (await store.claim(claimAsk({ leaseMs }))).claims;
}

/** The one claim that is given now. */
async function next(store: Store, id: string): Promise<Claim> {
  const claims = await claimed(store);
  assert.deepEqual(ids(claims), [id]);
  return claims[0] as Claim;
}

async function end(
  store: Store,
  claim: Claim,
  outcome: Outcome = { state: "done" },
  holdsLane = false,
): Promise<void> {
  const { lane } = claim.event;
  const settlement = settlementOf(claim, { outcome, lane, holdsLane });
  assert.deepEqual(await store.settle([settlement]), [true]);
}

async function act(
  store: Store,
  what: "replay" | "release" | "cancel" | "erase",
  ...names: readonly string[]
): Promise<void> {
  const keys = names.map((id) => eventKey("a", id));
  const ask = { act: what, by: "suite", reason: "", dryRun: false, limit: 100 } as const;
  assert.equal((await store.intervene({ keys }, ask)).keys.length, names.length);
}

/** Ends all that is to come of a lane; answers in which order it came. */
async function rest(store: Store): Promise<readonly string[]> {
  const order: string[] = [];
  for (let claims = await claimed(store); claims.length > 0; claims = await claimed(store)) {
    assert.equal(claims.length, 1, "one at a time");
    order.push((claims[0] as Claim).event.id);
    await end(store, claims[0] as Claim);
  }
  return order;
}

const laneOf = async (store: Store, id: string): Promise<EventRecord["lane"]> =>
  (await recordOf(store, id)).lane;

export const laneTests: StoreTests = {
  "of an ordered lane one is given at a time, in the order of arrival": async (open) => {
    const store = await open();
    await takeAll(store, ordered, ["1", "2"]);
    const together = ["9", "3", "7"].map((id) => eventOf(id, { lane: ordered }));
    // Never born claimed: those that are there already come first.
    const answers = await store.take(together, takeAsk({ slots: { a: 100 } }));
    assert.deepEqual(
      answers.map(({ kind, ...more }) => [kind, more]),
      Array.from({ length: 3 }, () => ["taken", {}]),
    );
    assert.deepEqual(await laneOf(store, "1"), { ...ordered, isHead: true });
    assert.deepEqual(await laneOf(store, "2"), { ...ordered, isHead: false });
    assert.equal((await recordOf(store, "2")).dueAt, forever);
    assert.deepEqual(await rest(store), ["1", "2", "9", "3", "7"]);
  },

  "lanes do not wait for one another, nor does what has none": async (open) => {
    const store = await open();
    await takeAll(store, ordered, ["1", "2"]);
    await takeAll(store, pair, ["3", "4", "5"]);
    await takeAll(store, undefined, ["6", "7"]);
    assert.deepEqual(ids(await claimed(store)), ["1", "3", "4", "6", "7"]);
  },

  "what waits in its lane is not announced": async (open) => {
    const store = await open();
    await takeAll(store, ordered, ["1", "2"]);
    const head = await next(store, "1");
    await end(store, head, dead, true);
    assert.deepEqual(await store.claim(claimAsk()), { claims: [], nextDueInMs: undefined });
    const limited = claimAsk({ typesMax: { a: { other: 1 } } });
    assert.deepEqual(await store.claim(limited), { claims: [], nextDueInMs: undefined });
  },

  "an ordered head keeps its place until it is over": async (open) => {
    const store = await open();
    await takeAll(store, ordered, ["1", "2"]);
    await end(store, await next(store, "1"), again);
    await end(store, await next(store, "1"), handedBack);
    await end(store, await next(store, "1"), retried);
    assert.deepEqual(await claimed(store), []);
    await act(store, "replay", "1");
    await end(store, await next(store, "1"));
    assert.deepEqual(await rest(store), ["2"]);
  },

  "a head whose lease has ended is given again, and nobody behind it": async (open) => {
    const store = await open();
    await takeAll(store, ordered, ["1", "2"]);
    assert.deepEqual(ids(await claimed(store, 0)), ["1"]);
    const head = await next(store, "1");
    assert.equal(head.event.crashes, 1);
    await end(store, head, { state: "unhandled" });
    assert.deepEqual(await rest(store), ["2"]);
  },

  "a dead head lets others go on, unless it holds its lane": async (open) => {
    const store = await open();
    await takeAll(store, ordered, ["1", "2", "3"]);
    await end(store, await next(store, "1"), dead);
    await end(store, await next(store, "2"), { state: "quarantined", reason: "invalid" }, true);
    await takeAll(store, ordered, ["4"]);
    assert.deepEqual(await claimed(store), []);
    // The one that was passed over comes last; the one that holds the lane is where it was.
    await act(store, "replay", "1");
    assert.deepEqual(await claimed(store), []);
    await act(store, "release", "2");
    assert.deepEqual(await rest(store), ["2", "3", "4", "1"]);
  },

  "what is replayed takes the last places, in the order in which it was named": async (open) => {
    const store = await open();
    await takeAll(store, ordered, ["1", "2", "3", "4"]);
    assert.deepEqual(await rest(store), ["1", "2", "3", "4"]);
    await takeAll(store, ordered, ["5"]);
    await act(store, "replay", "2", "1");
    await act(store, "replay", "4");
    await act(store, "replay", "3");
    await takeAll(store, ordered, ["6"]);
    assert.deepEqual(await rest(store), ["5", "2", "1", "4", "3", "6"]);
  },

  "what is cancelled or erased makes room": async (open) => {
    const store = await open();
    await takeAll(store, ordered, ["1", "2", "3", "4", "5"]);
    await act(store, "cancel", "2", "3");
    const head = await next(store, "1");
    await act(store, "cancel", "1");
    assert.deepEqual(await store.settle([settlementOf(head, { lane: ordered })]), [false]);
    await act(store, "erase", "4");
    assert.equal(await laneOf(store, "4"), undefined);
    assert.deepEqual(await rest(store), ["5"]);
    await takeAll(store, ordered, ["6", "7"]);
    await end(store, await next(store, "6"), dead, true);
    await act(store, "erase", "6");
    assert.deepEqual(await rest(store), ["7"]);
  },

  "of an unordered lane as many as it says are given at a time": async (open) => {
    const store = await open();
    await takeAll(store, pair, ["1", "2", "3", "4"]);
    const [first, second] = await claimed(store);
    assert.ok(first && second);
    assert.deepEqual(await claimed(store), []);
    // One that waits for its next attempt makes room.
    await end(store, first, retried);
    const third = await next(store, "3");
    await end(store, second, handedBack);
    await end(store, await next(store, second.event.id));
    const fourth = await next(store, "4");
    await end(store, third);
    await end(store, fourth);
    assert.equal((await laneOf(store, first.event.id))?.isHead, false);
  },

  "one that comes up for its next attempt, handed back, waits for its turn": async (open) => {
    const store = await open();
    await takeAll(store, single, ["1", "2", "3"]);
    await end(store, await next(store, "1"), again);
    const both = await claimed(store);
    assert.deepEqual(ids(both), ["1", "2"]);
    const [first, second] = both.toSorted((a, b) => Number(a.event.id) - Number(b.event.id));
    assert.ok(first && second);
    assert.equal(first.event.lane?.isHead, false);
    await end(store, first, handedBack);
    assert.deepEqual(await claimed(store), []);
    await end(store, second);
    assert.deepEqual(await rest(store), ["1", "3"]);
  },

  "what an event became waits in its lane": async (open) => {
    const store = await open();
    await take(store, eventOf("whole", { identified: false }));
    const whole = await next(store, "whole");
    const { delivery } = whole;
    const became = ["1", "2"].map((id) => eventOf(id, { delivery, lane: ordered }));
    await end(store, whole, { state: "done", became });
    assert.deepEqual(await rest(store), ["1", "2"]);
  },

  "a further delivery of what waits changes nothing": async (open) => {
    const store = await open();
    await takeAll(store, ordered, ["1", "2", "1", "2"]);
    const other = deliveryOf("other");
    assert.equal(
      (await take(store, eventOf("2", { lane: ordered, delivery: other }))).kind,
      "conflict",
    );
    assert.deepEqual(await rest(store), ["1", "2"]);
  },

  "those that come at the same moment are given one at a time": async (open) => {
    const store = await open();
    const names = Array.from({ length: 20 }, (_, n) => String(n));
    await Promise.all(names.map((id) => take(store, eventOf(id, { lane: ordered }))));
    assert.deepEqual((await rest(store)).toSorted(), names.toSorted());
  },

  "the next one comes up though it is delivered again in the very moment that its head ends":
    async (open) => {
      const store = await open();
      // Many lanes at once, so that some of them meet the moment.
      const heads = Array.from({ length: 40 }, (_, n) => `head ${n}`);
      const numbered = (n: number) => ({ ...ordered, key: eventKey("lanes of a", String(n)) });
      for (const [n, id] of heads.entries()) await takeAll(store, numbered(n), [id, `next ${n}`]);
      const claims = await claimed(store);
      assert.equal(claims.length, heads.length);
      const copies = heads.map((_, n) =>
        take(store, eventOf(`next ${n}`, { lane: numbered(n), conflictKey: undefined })),
      );
      await Promise.all([...copies, ...claims.map((claim) => end(store, claim))]);
      assert.deepEqual(
        new Set(ids(await claimed(store))),
        new Set(heads.map((_, n) => `next ${n}`)),
      );
    },

  "a lane that is worked on while more comes neither stops nor doubles": async (open) => {
    const store = await open();
    const names = Array.from({ length: 60 }, (_, n) => String(n));
    const order: string[] = [];
    let isComing = true;
    const coming = (async () => {
      for (const id of names) await take(store, eventOf(id, { lane: ordered }));
      isComing = false;
    })();
    const working = async (): Promise<void> => {
      let empty = 0;
      while (order.length < names.length && empty < 2000) {
        const wasComing = isComing;
        const claims = await claimed(store);
        order.push(...claims.map(({ event }) => event.id));
        for (const claim of claims) await end(store, claim);
        empty = claims.length > 0 || wasComing ? 0 : empty + 1;
      }
    };
    await Promise.all([coming, working(), working()]);
    assert.deepEqual(order, names);
  },
};
