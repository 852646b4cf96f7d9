/** How an attempt ends: the decision that a worker asks a store to write, guarded by its claim's fence. */

import type { AttemptRecord, DeadReason, Lane, NewEvent, QuarantineReason } from "./event.ts";

/** Where the event goes. */
export type Outcome =
  | {
      readonly state: "done";
      /** What an unidentified event turned out to hold: taken in the same transaction, with its own delivery. */
      readonly became?: readonly NewEvent[];
    }
  | { readonly state: "unhandled" }
  | { readonly state: "dead"; readonly reason: DeadReason }
  | { readonly state: "quarantined"; readonly reason: QuarantineReason }
  | {
      readonly state: "pending";
      /** Time from now, by the store's clock, until it is due again. */
      readonly afterMs: number;
      /** True when the attempt did not begin, so that it does not count. */
      readonly handedBack: boolean;
    };

/** What ends an attempt, under the fence of its claim. */
export interface Settlement {
  readonly key: string;
  /** The claim's fence. A store writes the settlement only while the event still carries it. */
  readonly fence: string;
  readonly outcome: Outcome;
  /** That of the event. */
  readonly lane?: Lane | undefined;
  /** True when what is dead or quarantined now is to keep its lane waiting, until a person acts on it. Default: false. */
  readonly holdsLane?: boolean;
  /** Names of handlers that succeeded: added to those that are there, among which may be what a transaction finished. */
  readonly finished: readonly string[];
  /** Names of all handlers that gave up. */
  readonly gaveUp: readonly string[];
  /** All attempts to keep, oldest first. */
  readonly history: readonly AttemptRecord[];
}
