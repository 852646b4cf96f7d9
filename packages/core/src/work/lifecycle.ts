/**
 * What becomes of an event: a pure function of what an attempt found, the policy, and chance. Every way between states
 * is here, but for `pending` → `running`, which is the store's claim.
 */

import type { EventRecord, QuarantineReason } from "../model/event.ts";
import type { Outcome } from "../model/settlement.ts";
import { delayAfter } from "./backoff.ts";

/** What an attempt found. */
export type Finding =
  /** Its handlers ran; `unfinished` are those that have not succeeded. */
  | { readonly kind: "ran"; readonly unfinished: readonly string[] }
  /** Its data cannot be read as its type promises. */
  | { readonly kind: "unreadable"; readonly reason: QuarantineReason }
  /** Nothing is registered for its type. */
  | { readonly kind: "unhandled" }
  /** Its attempts have killed as many workers as may be. */
  | { readonly kind: "poison" }
  /** The inbox closed before its handlers began, or before they could succeed. */
  | { readonly kind: "interrupted" };

export interface Policy {
  readonly delaysMs: readonly number[];
  readonly random: () => number;
}

/** Workers that an event may kill before it is given up. */
export const crashesMax = 3;

/**
 * - every handler succeeded → `done`
 * - a handler failed, and the schedule has a further delay → `pending`, due after it; else → `dead(exhausted)`
 * - unreadable → `quarantined`; nothing registered → `unhandled`; workers killed → `dead(poison)`
 * - interrupted → `pending`, due at once, and the attempt does not count
 */
export function decide(
  event: Pick<EventRecord, "attempts">,
  finding: Finding,
  { delaysMs, random }: Policy,
): Outcome {
  switch (finding.kind) {
    case "ran": {
      if (finding.unfinished.length === 0) return { state: "done" };
      const afterMs = delayAfter(event.attempts, delaysMs, random);
      return afterMs === undefined
        ? { state: "dead", reason: "exhausted" }
        : { state: "pending", afterMs, handedBack: false };
    }
    case "unreadable":
      return { state: "quarantined", reason: finding.reason };
    case "unhandled":
      return { state: "unhandled" };
    case "poison":
      return { state: "dead", reason: "poison" };
    case "interrupted":
      return { state: "pending", afterMs: 0, handedBack: true };
  }
}
