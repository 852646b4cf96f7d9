/**
 * What becomes of a running event: a pure function of what an attempt found, the policy, and chance. All ways between
 * states, those of people included, are listed in `model/transitions.ts`.
 */

import type { ClaimAsk } from "../contracts/store.ts";
import type { EventRecord, NewEvent, QuarantineReason } from "../model/event.ts";
import type { Outcome } from "../model/settlement.ts";
import { delayAfter } from "./backoff.ts";

/** What an attempt found. */
export type Finding =
  | {
      readonly kind: "ran";
      /** Handlers that have to run again. */
      readonly unfinished: readonly string[];
      /** The longest delay that one of them asked for; undefined when none did. */
      readonly retryAfterMs?: number | undefined;
      /** Whether one of them failed without asking for a delay. */
      readonly hasFailed: boolean;
      /** Whether a handler gave up, in this attempt or before. */
      readonly hasGivenUp: boolean;
    }
  /** It was not identified, and its delivery holds these events. */
  | { readonly kind: "became"; readonly events: readonly NewEvent[] }
  /** Its data cannot be read as its type promises. */
  | { readonly kind: "unreadable"; readonly reason: QuarantineReason }
  /** Nothing is registered for its type; `isKnown` says whether the source knows that type. */
  | { readonly kind: "unhandled"; readonly isKnown: boolean }
  /** Its attempts have killed as many workers as may be. */
  | { readonly kind: "poison" }
  /** It is not time yet: it made no attempt. */
  | { readonly kind: "postponed"; readonly afterMs: number }
  /** The inbox closed before its handlers began, or before they could succeed. */
  | { readonly kind: "interrupted" };

export interface Policy {
  /** Delays after the first, second, … attempt. */
  readonly delaysMs: readonly number[];
  readonly onUnknownType: "unhandled" | "quarantine";
  readonly random: () => number;
}

/** Workers that an event may kill before it is given up. */
export const crashesMax = 3;

/**
 * Which suspects may be claimed beside those whose crashes are given. What was in hand at one death is innocent for the
 * most part, and runs together. What was there twice runs with no other suspect: should it kill the worker, it takes none
 * with it; and its last attempt is for a worker that is stable.
 */
export function suspectTerms(
  inHand: readonly number[],
  isStable: boolean,
): Pick<ClaimAsk, "suspectsMax" | "crashesMax"> {
  const most = Math.max(0, ...inHand);
  if (most === 1) return { suspectsMax: Number.MAX_SAFE_INTEGER, crashesMax: 1 };
  return { suspectsMax: most === 0 ? 1 : 0, crashesMax: isStable ? Infinity : crashesMax - 2 };
}

/**
 * - every handler succeeded → `done`; all ended, but one gave up → `dead(fatal)`
 * - a handler has to run again, and the schedule has a further delay → `pending`, due after it or after what the handler
 *   asked for, whichever is longer; else → `dead(exhausted)`
 * - it turned out to hold events → `done`, and those are taken
 * - unreadable → `quarantined`; workers killed → `dead(poison)`
 * - nothing registered → `unhandled`, or `quarantined(unknown_type)` if the policy says so
 * - postponed → `pending`, due after that time, and the attempt does not count
 * - interrupted → `pending`, due at once, and the attempt does not count
 */
export function decide(
  event: Pick<EventRecord, "attempts">,
  finding: Finding,
  { delaysMs, onUnknownType, random }: Policy,
): Outcome {
  switch (finding.kind) {
    case "ran": {
      const { unfinished, retryAfterMs = 0, hasFailed, hasGivenUp } = finding;
      if (unfinished.length === 0) {
        return hasGivenUp ? { state: "dead", reason: "fatal" } : { state: "done" };
      }
      const delayMs = delayAfter(event.attempts, delaysMs, random);
      if (delayMs === undefined) return { state: "dead", reason: "exhausted" };
      const afterMs = Math.max(retryAfterMs, hasFailed ? delayMs : 0);
      return { state: "pending", afterMs, handedBack: false };
    }
    case "became":
      return { state: "done", became: finding.events };
    case "unreadable":
      return { state: "quarantined", reason: finding.reason };
    case "unhandled":
      return !finding.isKnown && onUnknownType === "quarantine"
        ? { state: "quarantined", reason: "unknown_type" }
        : { state: "unhandled" };
    case "poison":
      return { state: "dead", reason: "poison" };
    case "postponed":
      return { state: "pending", afterMs: finding.afterMs, handedBack: true };
    case "interrupted":
      return { state: "pending", afterMs: 0, handedBack: true };
  }
}
