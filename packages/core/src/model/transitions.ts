/** Every way of an event between its states, as data: what the documentation draws and the simulation must have walked. */

import type { EventState } from "./event.ts";
import { statesFor, type Act } from "./intervention.ts";

/** Where a transition leads when no row is left. */
export type Gone = "pruned";

/** A way between two states, and who takes it. */
export interface Transition {
  /** Undefined: it was not there before. */
  readonly from: EventState | undefined;
  readonly to: EventState | Gone;
  /** The verb of the store that does it. */
  readonly by: "take" | "claim" | "settle" | "intervene" | "prune";
  readonly when: string;
}

/** Where an act leads. */
export const stateAfter: Readonly<Record<Act, EventState>> = {
  replay: "pending",
  release: "pending",
  verify: "pending",
  cancel: "cancelled",
  erase: "erased",
};

/** The states in which an event is forgotten once it is old: nobody has to look at it any more. */
export const prunable: readonly EventState[] = [
  "done",
  "unhandled",
  "cancelled",
  "erased",
  "refused",
];

const work: readonly Transition[] = [
  { from: undefined, to: "pending", by: "take", when: "a new event, no free slot" },
  { from: undefined, to: "running", by: "take", when: "a new event, born claimed" },
  {
    from: undefined,
    to: "quarantined",
    by: "take",
    when: "unreadable, or a variant of a known id",
  },
  { from: undefined, to: "refused", by: "take", when: "a delivery that was answered 401" },
  { from: "pending", to: "running", by: "claim", when: "it is due" },
  {
    from: "running",
    to: "running",
    by: "claim",
    when: "its lease ended, or its worker is known to be dead: a crash more",
  },
  {
    from: "running",
    to: "done",
    by: "settle",
    when: "every handler succeeded, or it became events",
  },
  { from: "running", to: "pending", by: "settle", when: "a handler failed, or it was handed back" },
  { from: "running", to: "dead", by: "settle", when: "exhausted, fatal or poison" },
  { from: "running", to: "quarantined", by: "settle", when: "its data cannot be read" },
  { from: "running", to: "unhandled", by: "settle", when: "no handler is registered" },
];

/** Every way between two states; there is no other. */
export const transitions: readonly Transition[] = [
  ...work,
  ...(Object.keys(statesFor) as Act[]).flatMap((act) =>
    statesFor[act].map((from): Transition => ({
      from,
      to: stateAfter[act],
      by: "intervene",
      when: act,
    })),
  ),
  ...prunable.map((from): Transition => ({
    from,
    to: "pruned",
    by: "prune",
    when:
      from === "refused"
        ? "older than its retention, or more of its source were refused"
        : "older than its retention",
  })),
];
