/**
 * The specification of a provider that signs, as tests over real sockets: what is genuine is taken, once, as what it says;
 * what is not is refused, whatever was done to it.
 *
 * @module @webhook-inbox/testing/provider
 */

import type { Source } from "@webhook-inbox/core";
import type { OutgoingDelivery } from "../senders/delivery.ts";
import { forgedTests } from "./forged.ts";
import { fuzzTests } from "./fuzz.ts";
import { genuineTests } from "./genuine.ts";
import { replayTests } from "./replay.ts";
import { rotationTests } from "./rotation.ts";
import { timeTests } from "./time.ts";

/** The provider under test, with what it documents. */
export interface ProviderSuiteOptions {
  /** The runner's function for a test, such as vitest's `test` or that of `node:test`. */
  readonly test: (name: string, body: () => Promise<void>) => void;
  /** Two secrets (or public keys, or what else the signature's key is given as), neither of which the other one fits. */
  readonly secrets: readonly [string, string];
  /** A source with these secrets, no other credential, and this way to know events again. */
  readonly source: (secrets: readonly string[], dedup: "id" | "body") => Source;
  /** A delivery as the provider sends it at an instant, signed with one of the secrets. */
  readonly sign: (given: ToDeliver) => OutgoingDelivery;
  /** Documented events: at least one. */
  readonly examples: readonly [ProviderExample, ...ProviderExample[]];
  /** Whether the signature covers every byte of the body. Default: true. */
  readonly coversBody?: boolean;
  /** How far a signed time may be from the receiver's, in milliseconds; undefined where none is checked. */
  readonly toleranceMs?: number;
  /**
   * False where events are known by an id that is not signed, in a header that whoever has caught a delivery could change:
   * then it is only with `dedup: "body"` that each event is taken once whatever stands beside its body. Default: true.
   */
  readonly signsId?: boolean;
  /** How many deliveries at random are tried. Default: 400. */
  readonly fuzzRounds?: number;
  /** What an accepted delivery is answered. Default: 200 and `ok`. */
  readonly accepted?: { readonly status: number; readonly body: string };
  /** Two deliveries of the same body, signed with one secret each, as one with both signatures; if the provider does so. */
  readonly both?: (first: OutgoingDelivery, second: OutgoingDelivery) => OutgoingDelivery;
  /** What the inbox fetches with. Default: nothing can be fetched. */
  readonly fetch?: typeof globalThis.fetch;
}

/** What is to be delivered. */
export interface ToDeliver {
  readonly url: string;
  readonly body: string;
  readonly secret: string;
  /** In milliseconds since 1970. */
  readonly at: number;
}

/** A documented delivery, and what it has to become. */
export interface ProviderExample {
  readonly body: string;
  /** The event types it holds, in order. */
  readonly types: readonly string[];
  /** Their ids, where the body or the signer fixes them. */
  readonly ids?: readonly string[];
  /** What handlers get of them. */
  readonly data?: readonly unknown[];
  /** Texts of the body that people who look at the event must not see. */
  readonly personal?: readonly string[];
}

/** Registers one test for each promise of a provider. */
export function providerSuite(options: ProviderSuiteOptions): void {
  const { test, toleranceMs } = options;
  const groups = {
    genuine: genuineTests(options),
    forged: forgedTests(options),
    replayed: replayTests(options),
    time: toleranceMs === undefined ? {} : timeTests(options, toleranceMs),
    rotation: rotationTests(options),
    fuzz: fuzzTests(options),
  };
  for (const [group, tests] of Object.entries(groups)) {
    for (const [name, body] of Object.entries(tests)) test(`${group}: ${name}`, body);
  }
}
