/** What the inbox decided about a delivery. */

import type { QuarantineReason } from "./event.ts";
import type { Diagnosis } from "./verdict.ts";

/**
 * One per event of a delivery, or one for the delivery as a whole when it is refused or says nothing.
 *
 * - `taken`: a new event, on disk.
 * - `spilled`: on disk in the spill, because the store is away; what it is there is found out when the spill drains.
 * - `duplicate`: the event had been taken before; the copy is counted.
 * - `conflict`: the id had been taken before with other bytes; this variant is kept in quarantine.
 * - `quarantined`: kept, but not readable.
 * - `nothing`: authentic, and says nothing that is to be kept.
 * - `handshake`: a question of the provider's that was answered.
 * - `refused`: not in custody; the sender was told so.
 */
export type Receipt =
  | { readonly kind: "taken" | "spilled" | "duplicate" | "conflict"; readonly key: string }
  | { readonly kind: "quarantined"; readonly key: string; readonly reason: QuarantineReason }
  | { readonly kind: "nothing" | "handshake" }
  | { readonly kind: "refused"; readonly status: number; readonly diagnosis?: Diagnosis };
