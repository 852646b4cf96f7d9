/** `intervene`: what people do, who and why kept with it, and whoever has the event in hand fenced out. */

import {
  eventKey,
  everyState,
  stateAfter,
  statesFor,
  type Act,
  type EventState,
  type InterveneAsk,
  type Outcome,
  type Store,
} from "@webhook-inbox/core";
import { strict as assert } from "node:assert";
import {
  claimAsk,
  deliveryOf,
  eventOf,
  holdOf,
  ids,
  long,
  recordOf,
  refusedEvent,
  settlementOf,
  take,
  taken,
  takeAsk,
} from "./material.ts";
import type { StoreTests } from "./store-test.ts";

const acts = Object.keys(statesFor) as readonly Act[];

function ask(act: Act, more: Partial<InterveneAsk> = {}): InterveneAsk {
  return { act, by: "ada", reason: "test", dryRun: false, limit: 100, ...more };
}

const keysOf = (...names: readonly string[]) => ({ keys: names.map((id) => eventKey("a", id)) });

const ends: Readonly<Partial<Record<EventState, Outcome>>> = {
  pending: { state: "pending", afterMs: long, handedBack: false },
  done: { state: "done" },
  dead: { state: "dead", reason: "exhausted" },
  unhandled: { state: "unhandled" },
  quarantined: { state: "quarantined", reason: "invalid" },
};

/** Brings an event into a state. */
async function inState(store: Store, id: string, state: EventState): Promise<void> {
  if (state === "refused") {
    await take(store, refusedEvent(id));
    return;
  }
  const claim = await taken(store, id);
  const outcome = ends[state];
  if (outcome !== undefined) await store.settle([settlementOf(claim, { outcome })]);
  if (state === "cancelled") await store.intervene(keysOf(id), ask("cancel"));
  if (state === "erased") await store.intervene(keysOf(id), ask("erase"));
  assert.equal((await recordOf(store, id)).state, state);
}

const everyWay: StoreTests = Object.fromEntries(
  acts.flatMap((act) =>
    everyState.map((state) => [
      `${act} of what is ${state} ${statesFor[act].includes(state) ? "is done" : "changes nothing"}`,
      async (open: () => Promise<Store>) => {
        const store = await open();
        await inState(store, "1", state);
        const before = await recordOf(store, "1");
        const { keys, cursor } = await store.intervene(keysOf("1"), ask(act));
        const after = await recordOf(store, "1");
        assert.equal(cursor, undefined);
        if (!statesFor[act].includes(state)) {
          assert.deepEqual([keys, after], [[], before]);
          return;
        }
        assert.deepEqual(keys, [before.key]);
        assert.equal(after.state, stateAfter[act]);
        const { at, ...last } = after.interventions.at(-1) ?? assert.fail("it is kept");
        assert.deepEqual(last, { act, by: "ada", reason: "test" });
        assert.ok(Math.abs(Date.now() - at) < 60_000);
      },
    ]),
  ),
);

export const interveneTests: StoreTests = {
  ...everyWay,

  "a dry run names what would be changed, and changes nothing": async (open) => {
    const store = await open();
    await inState(store, "1", "dead");
    const before = await recordOf(store, "1");
    for (const act of ["replay", "cancel", "erase"] as const) {
      const { keys } = await store.intervene(keysOf("1"), ask(act, { dryRun: true }));
      assert.deepEqual(keys, [before.key]);
    }
    assert.deepEqual(await recordOf(store, "1"), before);
  },

  "a replay begins again at the first attempt, with what had succeeded kept": async (open) => {
    const store = await open();
    const outcome = { state: "dead", reason: "fatal" } as const;
    const claim = await taken(store, "1");
    await store.settle([settlementOf(claim, { outcome, finished: ["x"], gaveUp: ["y"] })]);
    await store.intervene(keysOf("1"), ask("replay"));
    const record = await recordOf(store, "1");
    assert.deepEqual([record.attempts, record.crashes, record.generation], [0, 0, 0]);
    assert.deepEqual([record.finished, record.gaveUp, record.reason], [["x"], [], undefined]);
    assert.deepEqual(ids((await store.claim(claimAsk())).claims), ["1"]);
  },

  "a replay with rerun forgets what had succeeded, one generation on": async (open) => {
    const store = await open();
    await store.settle([settlementOf(await taken(store, "1"), { finished: ["x"] })]);
    await store.intervene(keysOf("1"), ask("replay", { rerun: true }));
    const record = await recordOf(store, "1");
    assert.deepEqual([record.generation, record.finished], [1, []]);
  },

  "replays are due when asked, and not before": async (open) => {
    const store = await open();
    for (const id of ["1", "2"]) await inState(store, id, "dead");
    const before = Date.now();
    await store.intervene({ state: "dead" }, ask("replay", { afterMs: long }));
    for (const id of ["1", "2"]) {
      const { dueAt } = await recordOf(store, id);
      assert.ok(Math.abs(dueAt - before - long) < 60_000, `due at ${dueAt}`);
    }
    assert.deepEqual((await store.claim(claimAsk())).claims, []);
  },

  "live events are claimed before replayed ones, though these are due longer": async (open) => {
    const store = await open();
    for (const id of ["1", "2"]) await inState(store, id, "dead");
    await store.intervene({ state: "dead" }, ask("replay"));
    await store.take([eventOf("3"), eventOf("4")], takeAsk());
    const first = await store.claim(claimAsk({ slots: { a: 2 } }));
    assert.deepEqual(ids(first.claims), ["3", "4"]);
    assert.deepEqual(ids((await store.claim(claimAsk())).claims), ["1", "2"]);
  },

  "who has a cancelled event in hand cannot settle or extend it": async (open) => {
    const store = await open();
    const claim = await taken(store, "1");
    await store.intervene(keysOf("1"), ask("cancel"));
    assert.deepEqual(await store.extend([holdOf(claim)], long), [false]);
    assert.deepEqual(await store.settle([settlementOf(claim)]), [false]);
    assert.equal((await recordOf(store, "1")).state, "cancelled");
  },

  "a filter selects by source, type, state, reason and time of receipt": async (open) => {
    const store = await open();
    const receivedAt = 1000;
    const early = { ...deliveryOf("early"), receivedAt };
    await store.take(
      [
        eventOf("early", { delivery: early }),
        eventOf("typed", { type: "other" }),
        eventOf("strange", { source: "b" }),
        eventOf("plain"),
        eventOf("unread", { quarantine: "unparsable" }),
      ],
      takeAsk(),
    );
    const chosen = async (filter: object): Promise<readonly string[]> => {
      const selection = { state: "pending" as EventState, ...filter };
      const { keys } = await store.intervene(selection, ask("cancel", { dryRun: true }));
      const names = { early: "a", typed: "a", strange: "b", plain: "a", unread: "a" };
      return Object.entries(names)
        .filter(([id, source]) => keys.includes(eventKey(source, id)))
        .map(([id]) => id);
    };
    assert.deepEqual(await chosen({}), ["early", "typed", "strange", "plain"]);
    assert.deepEqual(await chosen({ source: "b" }), ["strange"]);
    assert.deepEqual(await chosen({ type: "other" }), ["typed"]);
    assert.deepEqual(await chosen({ receivedBefore: receivedAt + 1 }), ["early"]);
    assert.deepEqual(await chosen({ receivedBefore: receivedAt }), []);
    assert.deepEqual(await chosen({ receivedFrom: receivedAt + 1, source: "a" }), [
      "typed",
      "plain",
    ]);
    const unread = { state: "quarantined", reason: "unparsable" };
    assert.deepEqual(await chosen(unread), ["unread"]);
    assert.deepEqual(await chosen({ ...unread, reason: "invalid" }), []);
  },

  "a long selection goes in pages that lose and repeat nothing": async (open) => {
    const store = await open();
    const all = Array.from({ length: 25 }, (_, n) => String(n));
    await store.take(
      all.map((id) => eventOf(id)),
      takeAsk(),
    );
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await store.intervene(
        { state: "pending" },
        ask("cancel", { limit: 10, ...(cursor === undefined ? {} : { cursor }) }),
      );
      assert.ok(page.keys.length <= 10);
      seen.push(...page.keys);
      ({ cursor } = page);
    } while (cursor !== undefined);
    assert.deepEqual(
      seen,
      all.map((id) => eventKey("a", id)),
    );
    assert.equal((await store.list({ state: "cancelled" })).events.length, 25);
  },

  "a released event is claimed as any other": async (open) => {
    const store = await open();
    const event = eventOf("1", { quarantine: "unidentified", identified: false });
    await take(store, event);
    await store.intervene(keysOf("1"), ask("release"));
    const [claim] = (await store.claim(claimAsk())).claims;
    assert.equal(claim?.event.identified, false);
    assert.deepEqual(Buffer.from(claim.delivery.body), Buffer.from(event.delivery.body));
  },

  "an erased event has neither delivery nor id nor history, and a further delivery is a duplicate":
    async (open) => {
      const store = await open();
      const history = [{ startedAt: 1, durationMs: 1, failures: [] }];
      await store.settle([settlementOf(await taken(store, "1"), { history })]);
      await store.intervene(keysOf("1"), ask("erase"));
      const found = await store.get(eventKey("a", "1"));
      assert.equal(found?.delivery, undefined);
      const { id, occurredAt, history: left } = found?.event ?? assert.fail("the key is there");
      assert.deepEqual([id, occurredAt, left], ["", undefined, []]);
      for (const text of ["1", "other bytes"]) {
        assert.deepEqual(await take(store, eventOf("1", { text })), { kind: "duplicate" });
      }
      assert.deepEqual((await store.claim(claimAsk())).claims, []);
    },

  "erasing takes along all events of the delivery, and all variants of the id": async (open) => {
    const store = await open();
    const delivery = deliveryOf("batch");
    await store.take([eventOf("1", { delivery }), eventOf("2", { delivery })], takeAsk());
    await take(store, eventOf("2", { text: "variant" }));
    await take(store, eventOf("stranger"));
    const dry = await store.intervene(keysOf("1"), ask("erase", { dryRun: true }));
    const { keys } = await store.intervene(keysOf("1"), ask("erase"));
    const variant = eventKey("a", "2\0variant");
    assert.deepEqual(new Set(keys), new Set([...keysOf("1", "2").keys, variant]));
    assert.deepEqual(dry.keys, keys);
    for (const key of keys) assert.equal((await store.get(key))?.delivery, undefined);
    assert.ok((await store.get(eventKey("a", "stranger")))?.delivery);
  },

  "erasing takes along a variant that came beside others in one delivery": async (open) => {
    const store = await open();
    await take(store, eventOf("2"));
    const delivery = deliveryOf("batch");
    await store.take(
      [eventOf("1", { delivery }), eventOf("2", { delivery, text: "batch" })],
      takeAsk(),
    );
    const { keys } = await store.intervene(keysOf("1"), ask("erase"));
    const variant = eventKey("a", "2\0batch");
    assert.deepEqual(new Set(keys), new Set([...keysOf("1", "2").keys, variant]));
    assert.equal((await store.get(variant))?.delivery, undefined);
  },

  "erasing a variant takes along the event whose id it has": async (open) => {
    const store = await open();
    await take(store, eventOf("1"));
    for (const text of ["x", "y"]) await take(store, eventOf("1", { text }));
    const variants = ["x", "y"].map((text) => eventKey("a", `1\0${text}`));
    const { keys } = await store.intervene({ keys: variants.slice(0, 1) }, ask("erase"));
    assert.deepEqual(new Set(keys), new Set([eventKey("a", "1"), ...variants]));
  },

  "what was erased has nothing to do with what is taken after it": async (open) => {
    const store = await open();
    await take(store, eventOf("1"));
    await store.intervene(keysOf("1"), ask("erase"));
    await take(store, eventOf("2"));
    assert.equal((await store.get(eventKey("a", "1")))?.delivery, undefined);
    assert.deepEqual((await store.intervene(keysOf("1"), ask("erase"))).keys, []);
    assert.ok((await store.get(eventKey("a", "2")))?.delivery);
  },

  "unknown keys are passed over": async (open) => {
    const store = await open();
    const selection = { keys: [eventKey("a", "none"), "no key", ""] };
    assert.deepEqual(await store.intervene(selection, ask("replay")), {
      keys: [],
      cursor: undefined,
    });
  },
};
