/** How an attempt ends: the decision that a worker asks a store to write, guarded by its claim's fence. */

import type { AttemptRecord, DeadReason, QuarantineReason } from "./event.ts";

/** Where the event goes. */
export type Outcome =
  | { readonly state: "done" }
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

export interface Settlement {
  readonly key: string;
  /** The claim's fence. A store writes the settlement only while the event still carries it. */
  readonly fence: string;
  readonly outcome: Outcome;
  /** Names of all handlers that need not run again. */
  readonly finished: readonly string[];
  /** All attempts to keep, oldest first. */
  readonly history: readonly AttemptRecord[];
}
