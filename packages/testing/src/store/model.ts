/**
 * Sequences of calls that nobody thought of: the store and a reference model, the memory store, get the same ones, and
 * have to answer the same. A failure names its seed, which gives the same sequence again.
 */

import {
  eventKey,
  systemClock,
  type Act,
  type Claim,
  type EventRecord,
  type Lane,
  type NewEvent,
  type Outcome,
  type Settlement,
  type Store,
  type TakeAsk,
} from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { strict as assert } from "node:assert";
import {
  claimAsk,
  deliveryOf,
  eventOf,
  holdOf,
  long,
  pruneRound,
  settlementOf,
  takeAsk,
} from "./material.ts";
import { randomOf, type Random } from "./random.ts";
import type { StoreTests } from "./store-test.ts";

const stepsPerSequence = 60;

const sources = ["a", "b"] as const;
const types = ["x", "y"] as const;
const idsOfSource = ["1", "2", "3", "4", "5"] as const;

/** A call, made on either store, and what is comparable of its answer. */
type Step = (store: Store, side: Side) => Promise<unknown>;

/** What one of the two stores has given so far. */
interface Side {
  readonly claims: Map<string, Claim>[];
}

interface Scene {
  readonly random: Random;
  /** Claims that were given, by the number of the call, and the keys in them. */
  readonly given: (readonly string[])[];
  last: { readonly events: readonly NewEvent[]; readonly ask: TakeAsk } | undefined;
  /** From here on siblings are not known any more: nothing is erased after it. */
  hasPruned: boolean;
}

/** Events of some ids wait for one another. */
const lanes: Readonly<Record<string, Lane>> = {
  "1": { key: eventKey("lanes", "ordered"), isOrdered: true, max: 1 },
  "2": { key: eventKey("lanes", "ordered"), isOrdered: true, max: 1 },
  "3": { key: eventKey("lanes", "few"), isOrdered: false, max: 1 },
  "4": { key: eventKey("lanes", "few"), isOrdered: false, max: 1 },
};

/** Keys that a sequence can meet, variants of ids included. */
const keys = sources.flatMap((source) =>
  idsOfSource.flatMap((id) => [
    eventKey(source, id),
    ...["one", "two"].map((text) => eventKey(source, `${id}\0${text}`)),
  ]),
);

function takeStep({ random }: Scene, scene: Scene): Step {
  const repeats = scene.last !== undefined && random.chance(0.1);
  const shared = random.chance(0.3) ? deliveryOf("one") : undefined;
  const fresh = Array.from({ length: 1 + random.below(4) }, () => {
    const text = random.pick(["one", "one", "two"]);
    const id = random.pick(idsOfSource);
    return eventOf(id, {
      lane: lanes[id],
      text,
      source: random.pick(sources),
      type: random.pick(types),
      quarantine: random.chance(0.1) ? "unparsable" : undefined,
      ...(shared === undefined && random.chance(0.1) ? { refused: "mismatch" } : {}),
      copies: 1 + random.below(2),
      ...(random.chance(0.2) ? { conflictKey: undefined } : {}),
      ...(shared === undefined ? {} : { delivery: shared }),
    });
  });
  const once = [...new Map(fresh.map((event) => [event.key, event])).values()];
  const slots = random.pick<Record<string, number>>([{}, { a: 100 }, { a: 100, b: 100 }]);
  // What comes again has come in a delivery of its own.
  const { events, ask } =
    repeats && scene.last ? structuredClone(scene.last) : { events: once, ask: takeAsk({ slots }) };
  scene.last = { events, ask };
  scene.given.push(events.map(({ key }) => key));
  return async (store, side) => {
    const answers = await store.take(events, ask);
    const claims = answers.flatMap((answer) =>
      answer.kind === "taken" && answer.claim !== undefined ? [answer.claim] : [],
    );
    remember(side, claims);
    return answers.map((answer) => ({
      ...answer,
      claim: answer.kind === "taken" && answer.claim ? recordOf(answer.claim.event) : undefined,
    }));
  };
}

function claimStep({ random, given }: Scene): Step {
  // All that is due of a source: which of several would come first depends on the clock.
  const ask = claimAsk({
    leaseMs: random.pick([0, long]),
    slots: random.pick<Record<string, number>>([{ a: 1000 }, { b: 1000 }, { a: 1000, b: 1000 }]),
    suspectsMax: random.pick([0, 1000]),
    crashesMax: random.pick([0, 1, 1000]),
    ...(random.chance(0.3) ? { typesMax: { a: { x: 0 } } } : {}),
  });
  given.push(keys);
  return async (store, side) => {
    const { claims, nextDueInMs } = await store.claim(ask);
    remember(side, claims);
    // What was given just now has a lease that ends: it may be announced or not.
    const isSoon =
      nextDueInMs === undefined || claims.length > 0 ? undefined : nextDueInMs < long / 2;
    return [claims.map(({ event }) => recordOf(event)).sort(byKey), isSoon];
  };
}

const outcomes: readonly Outcome[] = [
  { state: "done" },
  { state: "done" },
  { state: "unhandled" },
  { state: "dead", reason: "exhausted" },
  { state: "quarantined", reason: "invalid" },
  { state: "pending", afterMs: 0, handedBack: false },
  { state: "pending", afterMs: 0, handedBack: true },
  { state: "pending", afterMs: long, handedBack: false },
];

/** Some claims that were given, of any time: most of them are lost. */
function someClaims({ random, given }: Scene): readonly (readonly [number, string])[] {
  if (given.length === 0) return [];
  const picks = Array.from({ length: 1 + random.below(5) }, () => {
    const call = Math.max(0, given.length - 1 - random.below(4));
    const some = given[call] ?? [];
    return [call, random.pick(some.length === 0 ? keys : some)] as const;
  });
  return [...new Map(picks.map((pick) => [pick[1], pick])).values()];
}

function settleStep(scene: Scene): Step {
  const { random } = scene;
  const ends = someClaims(scene).map(([call, key]) => {
    const outcome = random.pick(outcomes);
    const becomes = outcome.state === "done" && random.chance(0.2);
    const finished = random.chance(0.5) ? [random.pick(["f", "g"])] : [];
    const gaveUp = random.chance(0.2) ? ["h"] : [];
    return {
      call,
      key,
      outcome,
      finished,
      gaveUp,
      // What is over goes out of its lane; what waits for somebody may stay.
      holdsLane: random.chance(0.5) && ["dead", "quarantined"].includes(outcome.state),
      became: becomes ? random.pick(idsOfSource) : undefined,
    };
  });
  scene.given.push([]);
  return async (store, side) => {
    side.claims.push(new Map());
    const settlements = ends.flatMap(
      ({ call, key, outcome, finished, gaveUp, holdsLane, became }): Settlement[] => {
        const claim = side.claims[call]?.get(key);
        if (claim === undefined) return [];
        const { delivery, event } = claim;
        const { lane } = event;
        const more = { delivery, text: delivery.contentHash };
        const taken =
          became === undefined ? [] : [eventOf(became, { ...more, lane: lanes[became] })];
        const whole = became === undefined ? outcome : ({ state: "done", became: taken } as const);
        return [settlementOf(claim, { outcome: whole, finished, gaveUp, lane, holdsLane })];
      },
    );
    return await store.settle(settlements);
  };
}

function extendStep(scene: Scene): Step {
  const picks = someClaims(scene);
  const leaseMs = scene.random.pick([0, long]);
  scene.given.push([]);
  return async (store, side) => {
    side.claims.push(new Map());
    const claims = picks.flatMap(([call, key]) => side.claims[call]?.get(key) ?? []);
    return await store.extend(claims.map(holdOf), leaseMs);
  };
}

function interveneStep(scene: Scene): Step {
  const { random } = scene;
  const acts: readonly Act[] = scene.hasPruned
    ? ["replay", "release", "verify", "cancel"]
    : ["replay", "replay", "release", "verify", "cancel", "erase"];
  const act = random.pick(acts);
  const selection = random.chance(0.5)
    ? { keys: [random.pick(keys), random.pick(keys)] }
    : {
        state: random.pick(["pending", "done", "dead", "quarantined", "refused"] as const),
        source: "a",
      };
  const ask = {
    act,
    by: "model",
    reason: "",
    dryRun: random.chance(0.2),
    limit: 100,
    rerun: random.chance(0.5),
  };
  scene.given.push([]);
  return async (store, side) => {
    side.claims.push(new Map());
    return (await store.intervene(selection, ask)).keys.toSorted();
  };
}

function pruneStep(scene: Scene): Step {
  const { random } = scene;
  scene.hasPruned = true;
  const ask = {
    payloadMs: 1,
    keyMs: random.pick([1, 1e14]),
    refusedMax: random.pick([0, 1, 1000]),
    limit: 3,
  };
  scene.given.push([]);
  return async (store, side) => {
    side.claims.push(new Map());
    return await pruneRound(store, ask);
  };
}

function stepOf(scene: Scene): Step {
  const { random } = scene;
  const dice = random.next();
  if (dice < 0.35) return takeStep(scene, scene);
  if (dice < 0.6) return claimStep(scene);
  if (dice < 0.8) return settleStep(scene);
  if (dice < 0.87) return extendStep(scene);
  if (dice < 0.98) return interveneStep(scene);
  return pruneStep(scene);
}

function remember(side: Side, claims: readonly Claim[]): void {
  side.claims.push(new Map(claims.map((claim) => [claim.event.key, claim])));
}

const byKey = (a: { readonly key: string }, b: { readonly key: string }): number =>
  a.key < b.key ? -1 : 1;

/** A record without what the two clocks say differently. */
function recordOf({ dueAt, interventions, ...record }: EventRecord) {
  const isLate = dueAt > Date.now() + long / 2;
  return { ...record, isLate, interventions: interventions.map(({ act }) => act) };
}

/** All that can be seen of a store. */
async function seen(store: Store): Promise<unknown> {
  const records = await Promise.all(
    keys.map(async (key) => {
      const kept = await store.get(key);
      return kept && [recordOf(kept.event), kept.delivery?.contentHash];
    }),
  );
  const { events } = await store.list({});
  const tallies = (await store.tally({}))
    .map(({ source, type, from, to, count }) => `${source} ${type} ${from} ${to} ${count}`)
    .toSorted();
  const { counted } = await store.audit();
  return { records, listed: events.map(({ key }) => key).toSorted(), tallies, counted };
}

async function walk(seed: number, store: Store): Promise<void> {
  const model = memory();
  await model.open({ clock: systemClock });
  const scene: Scene = { random: randomOf(seed), given: [], last: undefined, hasPruned: false };
  const ours: Side = { claims: [] };
  const theirs: Side = { claims: [] };
  for (let step = 1; step <= stepsPerSequence; step++) {
    const act = stepOf(scene);
    const expected = await act(model, ours);
    const found = await act(store, theirs);
    assert.deepEqual(found, expected, `seed ${seed}, step ${step}: the answer is another one`);
    if (step % 10 !== 0) continue;
    const where = `seed ${seed}, step ${step}: the store is in another state`;
    assert.deepEqual(await seen(store), await seen(model), where);
  }
}

export const modelTests = (sequences: number): StoreTests =>
  Object.fromEntries(
    Array.from({ length: sequences }, (_, index) => [
      `a sequence of calls is answered as by the reference model (seed ${index + 1})`,
      async (open) => await walk(index + 1, await open()),
    ]),
  );
