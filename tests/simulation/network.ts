/** The way from an instance to the store: it delays, fails, loses replies, and ends with the instance. */

import { WebhookInboxError, type Store } from "@webhook-inbox/core";
import { wrapped } from "../support/wrapped.ts";
import type { InstanceClock, World } from "./world.ts";

/** A flaw that is planted, so that it is known that the simulation finds such flaws. */
export type Flaw = "check-then-insert" | "unfenced settle" | "acknowledge before take";

export const flaws: readonly Flaw[] = [
  "check-then-insert",
  "unfenced settle",
  "acknowledge before take",
];

export interface Weather {
  /** Shares of calls that fail before they reach the store, and whose reply is lost after it. */
  failing: number;
  losing: number;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const forEver = new Promise<never>(() => undefined);

/** The store as one instance sees it. */
export function networked(
  world: World,
  clock: InstanceClock,
  weather: Weather,
  flaw: Flaw | undefined,
): Store {
  const store = flawed(world, clock, flaw);

  /** A call over the network: late, or failed, or applied without an answer. */
  async function call<T>(apply: () => Promise<T>): Promise<T> {
    await delay();
    if (world.chance(weather.failing)) throw away();
    const answer = await apply();
    await delay();
    if (world.chance(weather.losing)) throw away();
    return answer;
  }

  /** Nothing goes on in an instance that is paused or dead. */
  async function delay(): Promise<void> {
    for (let turns = Math.floor(world.random() * 3); turns > 0; turns--) await turn();
    while (clock.state === "paused") await turn();
    if (clock.state === "dead") await forEver;
  }

  return wrapped(store, {
    open: () => Promise.resolve(),
    close: () => Promise.resolve(),
    take: (events, ask) => call(() => store.take(events, ask)),
    claim: (ask) => call(() => store.claim(ask)),
    extend: (holds, leaseMs) => call(() => store.extend(holds, leaseMs)),
    settle: (settlements) => call(() => store.settle(settlements)),
    intervene: (selection, ask) => call(() => store.intervene(selection, ask)),
    prune: (ask) => call(() => store.prune(ask)),
  });
}

function away(): WebhookInboxError {
  return new WebhookInboxError("STORE_UNAVAILABLE", "the network failed.");
}

/** The shared store with every act looked at, and the flaw built in. */
function flawed(world: World, clock: InstanceClock, flaw: Flaw | undefined): Store {
  const { base, holders } = world;
  const take: Store["take"] = (events, ask) =>
    world.act(
      "take",
      () => base.take(events, ask),
      (answers) => {
        for (const [index, answer] of answers.entries()) {
          const key = events[index]?.key ?? "";
          if (answer.kind === "taken" && answer.claim !== undefined) holders.set(key, ask.fence);
        }
      },
    );

  return wrapped(base, {
    async take(events, ask) {
      if (flaw === "acknowledge before take") {
        void turn().then(async () => {
          if (clock.state === "alive") await take(events, { ...ask, slots: {} });
        });
        return events.map(() => ({ kind: "taken" }));
      }
      if (flaw !== "check-then-insert") return await take(events, ask);
      const found = await Promise.all(events.map(({ key }) => base.get(key)));
      await turn();
      const there = await Promise.all(events.map(({ key }) => base.get(key)));
      // What was not there when it was looked for is inserted, as without a unique key.
      const inserted = events.map((event, index) =>
        found[index] === undefined && there[index] !== undefined
          ? { ...event, key: `${event.key.slice(0, -1)}${event.key.endsWith("0") ? "1" : "0"}` }
          : event,
      );
      return await take(inserted, ask);
    },
    claim: (ask) =>
      world.act(
        "claim",
        () => base.claim(ask),
        ({ claims }) => {
          for (const { event } of claims) holders.set(event.key, ask.fence);
        },
      ),
    settle: (settlements) =>
      world.act(
        "settle",
        () =>
          base.settle(
            flaw === "unfenced settle"
              ? settlements.map((one) => ({ ...one, fence: holders.get(one.key) ?? one.fence }))
              : settlements,
          ),
        (answers) => {
          for (const [index, { key, fence }] of settlements.entries()) {
            const isZombie = answers[index] && holders.get(key) !== fence;
            if (isZombie) world.violate("I3 a settlement with an old fence was written");
            if (answers[index]) holders.delete(key);
          }
        },
      ),
    intervene: (selection, ask) => world.act("intervene", () => base.intervene(selection, ask)),
    prune: (ask) => world.act("prune", () => base.prune(ask)),
  });
}
