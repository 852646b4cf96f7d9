/**
 * The specification of a store, as tests. A store that passes keeps the promises of `Store` in `@webhook-inbox/core`.
 *
 * @module @webhook-inbox/testing/store
 */

import type { Store } from "@webhook-inbox/core";
import { claimTests } from "./claim.ts";
import { durabilityTests } from "./durability.ts";
import { extendTests } from "./extend.ts";
import { interveneTests } from "./intervene.ts";
import { laneTests } from "./lanes.ts";
import type { StorePlace } from "./place.ts";
import { probeTests } from "./probes.ts";
import { modelTests } from "./model.ts";
import { pruneTests } from "./prune.ts";
import { readTests } from "./read.ts";
import { settleTests } from "./settle.ts";
import type { StoreTest } from "./store-test.ts";
import { suspectTests } from "./suspects.ts";
import { takeTests } from "./take.ts";
import { tallyTests } from "./tally.ts";
import { noTransactionTests, transactionTests, type Effects } from "./transaction.ts";
import { noWakeupTests, wakeupTests } from "./wakeups.ts";

export { outageSuite, type Outage, type OutageSuiteOptions } from "./outages.ts";
export type { StorePlace } from "./place.ts";
export type { Holds } from "./probes.ts";
export type { Effects } from "./transaction.ts";

/** The store under test, and what it supports. */
export interface StoreSuiteOptions {
  /** The runner's function for a test, such as vitest's `test` or that of `node:test`. */
  readonly test: (name: string, body: () => Promise<void>) => void;
  /** Makes an empty place. */
  readonly place: () => Promise<StorePlace>;
  /** What the store says of itself; tests are added or turned into their opposite by it. */
  readonly supports: Store["supports"];
  /** Needed where the store claims to have transactions. */
  readonly effects?: Effects;
  /** Whether places have `holds`: adds tests that read what is kept past the store. */
  readonly probes?: boolean;
  /** How many sequences of sixty calls, drawn at random, are held against the reference model. Default: 12. */
  readonly sequences?: number;
}

/** Registers one test for each promise of a store. */
export function storeSuite({
  test,
  place,
  supports,
  effects,
  probes = false,
  sequences = 12,
}: StoreSuiteOptions): void {
  if (supports.transactions !== (effects !== undefined)) {
    throw new Error("storeSuite needs `effects` exactly if the store claims to have transactions.");
  }
  const groups = {
    take: takeTests,
    claim: { ...claimTests, ...suspectTests },
    settle: settleTests,
    extend: extendTests,
    lanes: laneTests,
    read: readTests,
    intervene: interveneTests,
    prune: pruneTests,
    tally: tallyTests,
    transaction: effects === undefined ? noTransactionTests : transactionTests(effects),
    wakeups: supports.wakeups ? wakeupTests : noWakeupTests,
    durability: durabilityTests(supports),
    model: modelTests(sequences),
  };
  for (const [group, tests] of Object.entries(groups)) {
    for (const [name, body] of Object.entries(tests)) {
      test(`${group}: ${name}`, () => inPlace(place, () => body));
    }
  }
  if (!probes) return;
  for (const [name, body] of Object.entries(probeTests)) {
    test(`probe: ${name}`, () =>
      inPlace(place, ({ holds }) => {
        if (holds === undefined) throw new Error("the place says nothing of what it holds.");
        return body(holds);
      }));
  }
}

async function inPlace(
  place: StoreSuiteOptions["place"],
  bodyOf: (place: StorePlace) => StoreTest,
): Promise<void> {
  const made = await place();
  const { create, remove } = made;
  const stores: Store[] = [];
  try {
    await bodyOf(made)(async () => {
      const store = create();
      stores.push(store);
      await store.open({ clock: machineClock });
      return store;
    });
  } finally {
    await Promise.all(stores.map((store) => store.close()));
    await remove();
  }
}

const machineClock = {
  now: () => Date.now(),
  after(delayMs: number, callback: () => void): () => void {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};
