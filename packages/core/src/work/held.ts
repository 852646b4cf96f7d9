/** A claim in hand: what a worker keeps of an event from its taking to its settlement. */

import type { Claim } from "../contracts/store.ts";
import type { EventRecord } from "../model/event.ts";
import type { Outcome, Settlement } from "../model/settlement.ts";
import type { EventName, NamedOutcome } from "../observe/signals.ts";
import type { AttemptedOf } from "../observe/telemetry.ts";
import type { ThreadHold } from "./hold-table.ts";
import { LazyAbort } from "./lazy-abort.ts";

export interface Held {
  /** Renewed when its lease had ended and the store gave the event to this very worker again. */
  claim: Claim;
  /** The event was given back or replayed meanwhile, and came to this very worker again: run when this attempt has ended. */
  next: Claim | undefined;
  /** Stops its handlers. */
  readonly abort: LazyAbort;
  /** When its lease is no longer extended: handlers are bounded, and so is their hold. */
  readonly until: number;
  /** Whether it counts as running. */
  hasSlot: boolean;
  /** Whether its handlers have ended, and the end is on its way to the store. */
  isSettling: boolean;
  /** Handlers that succeeded and gave up so far in this attempt. */
  readonly finished: string[];
  readonly gaveUp: string[];
}

export function heldOf(claim: Claim, until: number): Held {
  return {
    claim,
    next: undefined,
    abort: new LazyAbort(),
    until,
    hasSlot: true,
    isSettling: false,
    finished: [],
    gaveUp: [],
  };
}

/** Handlers that need not run again, as far as this attempt has come: what it adds, and what had given up before. */
export function endedIn(
  { finished, gaveUp }: Held,
  event: EventRecord,
): Pick<Settlement, "finished" | "gaveUp"> {
  return { finished, gaveUp: [...event.gaveUp, ...gaveUp] };
}

/** What is to be extended: the claim that holds now. */
export function holdOf({ claim, next = claim, until }: Held): ThreadHold {
  return { key: next.event.key, fence: next.fence, until };
}

/**
 * The store has given an event that is in hand. If that is because its lease had ended, which counts a crash, the attempt
 * goes on under the new claim. Else the event was given back, or a person has acted on it: it is to be run anew.
 */
export function meet(held: Held, claim: Claim): void {
  const { crashes, generation, interventions } = held.claim.event;
  const isSame =
    claim.event.crashes === crashes + 1 &&
    claim.event.generation === generation &&
    claim.event.interventions.length === interventions.length;
  if (isSame) {
    held.claim = claim;
    return;
  }
  held.next = claim;
  if (!held.isSettling) held.abort.abort(takenAway());
}

export const takenAway = (): Error =>
  new Error("the event was taken over by another worker, or ended");

export function nameOf({ claim }: Held): EventName {
  const { source, type, key } = claim.event;
  return { source, type, key };
}

/** As its trace knows it. */
export function attemptedOf(held: Held): AttemptedOf {
  const { event, delivery } = held.claim;
  return { event: nameOf(held), attempt: event.attempts, trace: delivery.trace };
}

export function namedOutcome(outcome: Outcome): NamedOutcome {
  if (outcome.state !== "done" || outcome.became === undefined) return outcome as NamedOutcome;
  return { state: "done", became: outcome.became.length };
}

/** Gives back what was not begun: it made no attempt. */
export function handedBack(claim: Claim): Settlement {
  const outcome = { state: "pending", afterMs: 0, handedBack: true } as const;
  return settlementOf(claim, outcome, { ...claim.event, finished: [] });
}

interface Kept extends Pick<Settlement, "finished" | "gaveUp" | "history"> {
  /** Whether one that is dead or quarantined keeps its lane waiting. Default: false. */
  readonly blocks?: boolean | undefined;
}

export function settlementOf(
  claim: Claim,
  outcome: Outcome,
  { finished, gaveUp, history, blocks = false }: Kept,
): Settlement {
  const { key, lane } = claim.event;
  const holdsLane = blocks && (outcome.state === "dead" || outcome.state === "quarantined");
  return { key, fence: claim.fence, lane, outcome, finished, gaveUp, history, holdsLane };
}

/** What did not end in time: with what has ended of it so far, whenever it is asked. It is not run once the attempt ends after all. */
export function givenUp(held: Held): () => Settlement {
  const { claim, next = claim } = held;
  const { history } = next.event;
  const outcome = { state: "pending", afterMs: 0, handedBack: false } as const;
  held.next = undefined;
  return () => settlementOf(next, outcome, { ...endedIn(held, next.event), history });
}
