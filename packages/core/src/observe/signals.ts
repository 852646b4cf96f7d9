/** Everything observable about an inbox, as one union. Logging consumes it; no signal holds a secret or a payload. */

import type { Act } from "../model/intervention.ts";
import type { Outcome } from "../model/settlement.ts";
import type { Receipt } from "../model/receipt.ts";

/** An event, as signals name it. */
export interface EventName {
  readonly source: string;
  readonly type: string;
  readonly key: string;
}

/** Everything observable that happens in an inbox. */
export type Signal =
  /** The store is open and work has begun. */
  | { readonly kind: "started"; readonly sources: readonly SourceSummary[] }
  /** The store cannot be opened; deliveries are answered 503 until it can. */
  | { readonly kind: "start_failed"; readonly error: ErrorSummary }
  /** The store is away: from now on deliveries are kept in the spill. */
  | { readonly kind: "spilling"; readonly error: ErrorSummary }
  /** The store is back, and has all that was in the spill. */
  | {
      readonly kind: "spill_drained";
      /** Deliveries that were taken over. */ readonly deliveries: number;
    }
  /**
   * An authentic delivery was answered 503, because neither the store nor a spill could keep it, and its provider does not
   * send again by itself.
   */
  | { readonly kind: "possibly_lost"; readonly source: string }
  /** The store keeps nothing when the process ends, and its owner accepts that. */
  | { readonly kind: "store_volatile" }
  /** A delivery was answered. */
  | {
      readonly kind: "received";
      readonly source: string;
      readonly receipt: Receipt;
      /** Names of the secrets that matched, such as `secret#1`, separated by spaces; absent where none was needed. */
      readonly verifiedWith?: string;
    }
  /**
   * A path below the inbox's own was answered 404: it names no source, or is none of the URLs of this one. It is not told:
   * it may hold a token.
   */
  | { readonly kind: "not_found"; readonly source: string | undefined }
  /** Secrets, keys or accounts could not be fetched, or a handshake not be made. */
  | { readonly kind: "keys_failed"; readonly source: string; readonly error: ErrorSummary }
  /** A body parser ran first. `lost`: not even a reconstruction could be taken, and the delivery was answered 500. */
  | { readonly kind: "body_consumed"; readonly source: string; readonly lost: boolean }
  /** An event was in hand when one worker too few died to give it up: it runs once more, with no other suspect beside it. */
  | { readonly kind: "suspected"; readonly event: EventName; readonly deaths: number }
  /** An attempt ended. */
  | {
      readonly kind: "settled";
      readonly event: EventName;
      readonly attempt: number;
      readonly outcome: NamedOutcome;
      readonly failures: readonly FailureSummary[];
    }
  /** Authentic data does not fit the schema of its type. Said once for each source, type and path. */
  | {
      readonly kind: "schema_drift";
      /** The first that it was seen in. */
      readonly event: EventName;
      /** Names joined with dots, `[]` for an index, `*` for one that its schema does not name; empty for the data as a whole. */
      readonly path: string;
      /** What the schema wants there, where it says so in a word. */
      readonly expected?: string;
      /** What kind of value is there: `absent`, `null`, `array`, `object`, `string`, `number` or `boolean`. */
      readonly received: string;
      readonly policy: "quarantine" | "handle";
    }
  /** An expected webhook did not come in time, and its event was fetched from the provider's API. */
  | { readonly kind: "fetched"; readonly event: EventName }
  /** Another worker had claimed the event meanwhile: what this one found was discarded. */
  | { readonly kind: "fenced"; readonly event: EventName }
  /** A person has done something to events. */
  | {
      readonly kind: "intervened";
      readonly act: Act;
      readonly by: string;
      readonly reason: string;
      readonly count: number;
    }
  /** A person has looked at a delivery without masks. */
  | {
      readonly kind: "revealed";
      readonly event: EventName;
      readonly by: string;
      readonly reason: string;
    }
  /** Deliveries were destroyed and keys forgotten, because of their age. */
  | { readonly kind: "pruned"; readonly payloads: number; readonly keys: number }
  /** Nothing else could run for so long: a handler does not give the event loop back, or the machine slept. */
  | {
      readonly kind: "loop_blocked";
      readonly blockedMs: number;
      readonly events: readonly EventName[];
    }
  /** The side thread cannot extend leases just now, so they last as long as handlers may run: a crash is noticed later. */
  | { readonly kind: "heartbeat_failed"; readonly error: ErrorSummary }
  /** The platform would not wait for the work that follows a delivery: the next drain does it. */
  | { readonly kind: "wait_until_failed"; readonly error: ErrorSummary }
  /** A verb of the store, or of the spill, failed. */
  | {
      readonly kind: "store_failed";
      readonly of: "store" | "spill";
      readonly verb: string;
      readonly error: ErrorSummary;
    }
  /** A delivery met a bug of the inbox, and was answered 500. */
  | { readonly kind: "receive_failed"; readonly source: string; readonly error: ErrorSummary };

/** An outcome, without the deliveries of what an event became. */
export type NamedOutcome =
  | Exclude<Outcome, { readonly state: "done" }>
  | { readonly state: "done"; /** How many events it became. */ readonly became?: number };

/** Gets every signal, at once. Must not throw. */
export type Emit = (signal: Signal) => void;

/** A source, as it is configured, without its secrets. */
export interface SourceSummary {
  readonly name: string;
  /** Path below the mount point, with `***` for the token. */
  readonly path: string;
  /** What stands before it; empty where nobody said. */
  readonly publicUrl: string;
  /** Path segments that may follow, such as `created`. */
  readonly segments: readonly string[];
  readonly methods: readonly string[];
  /** Lower-case names of the headers that carry its credentials. */
  readonly headers: readonly string[];
  readonly credential: "required" | "none" | "loopback";
}

/** An error without its message, which may quote what must not be logged. */
export interface ErrorSummary {
  readonly name: string;
  readonly code: string | undefined;
  /** Our own messages hold no payload and say what to do. */
  readonly message: string | undefined;
  /** Where it was thrown: the first line of its stack. */
  readonly at: string | undefined;
}

export interface FailureSummary extends ErrorSummary {
  readonly handler: string;
}
