/** What people may do to events, beside the work that goes on by itself. */

import type { EventState } from "./event.ts";

/**
 * - `replay`: unfinished handlers run again, from the first attempt; with `rerun` all handlers.
 * - `release`: out of quarantine: it is read again, and handled if that succeeds.
 * - `verify`: a refused delivery was verified again, and was authentic: it is read, and becomes the events that it holds.
 * - `cancel`: it is not to be handled. A worker that has it in hand is told by its signal, and changes nothing any more.
 * - `erase`: its delivery is destroyed, with all events of that delivery and all variants of their ids.
 */
export type Act = "replay" | "release" | "verify" | "cancel" | "erase";

/** An act, as it is kept with the event. */
export interface InterventionRecord {
  readonly act: Act;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Who did it, in the words of the caller. */
  readonly by: string;
  /** Why, in the words of the caller. */
  readonly reason: string;
}

/** The states that an act applies to; events in other states are left as they are. */
export const statesFor: Readonly<Record<Act, readonly EventState[]>> = {
  replay: ["pending", "done", "dead", "unhandled", "cancelled"],
  release: ["quarantined"],
  verify: ["refused"],
  cancel: ["pending", "running", "dead", "quarantined", "unhandled"],
  erase: ["pending", "running", "done", "dead", "quarantined", "unhandled", "cancelled", "refused"],
};
