/**
 * A store: the durable holder of events. Its verbs are atomic acts of the domain, each in one transaction; most work on
 * batches, so that one commit serves everyone who waited. The suite in `@webhook-inbox/testing/store` is its specification.
 */

import type { Delivery } from "../model/delivery.ts";
import type { EventRecord, EventState, Note, QuarantineReason } from "../model/event.ts";
import type { Settlement } from "../model/settlement.ts";
import type { Clock } from "./clock.ts";

/** What a store can do. The suite reads it, tests what it claims, and tests the denial of what it denies. */
export interface StoreSupports {
  /** `commit`: what a verb answered survives the loss of power. `none`: it ends with the process. */
  readonly durability: "commit" | "none";
  /** Whether several processes may use it at once. */
  readonly shared: boolean;
}

/** An event to be taken. Events of one delivery share the same `delivery` object. */
export interface NewEvent {
  readonly key: string;
  readonly source: string;
  readonly id: string;
  readonly type: string;
  readonly occurredAt: number | undefined;
  readonly notes: readonly Note[];
  /** Set when it cannot be read: it is then born `quarantined`, never claimed. */
  readonly quarantine: QuarantineReason | undefined;
  readonly delivery: Delivery;
  /** Deliveries of the same event and content that are taken at once; at least 1. */
  readonly copies: number;
  /**
   * The key to use when `key` is held by an event with other bytes: the variant is then kept under it, quarantined as
   * `conflict`. Undefined where a redelivery may differ: it then counts as a duplicate.
   */
  readonly conflictKey: string | undefined;
}

/** What became of a `NewEvent`. */
export type Taken =
  | { readonly kind: "taken"; /** Set when the event was born claimed. */ readonly claim?: Claim }
  | { readonly kind: "duplicate" }
  /** `kept` is false when five variants were there already. */
  | { readonly kind: "conflict"; readonly kept: boolean };

/** Variants of one id that are kept; further ones are only counted. */
export const conflictsMax = 5;

/** A running event in a worker's hand. */
export interface Claim {
  readonly event: EventRecord;
  readonly delivery: Delivery;
  /** Equal to the event's fence for as long as nobody else has claimed it. */
  readonly fence: string;
}

/** Terms of a claim. */
export interface ClaimTerms {
  /** Unique for every call, and made by the caller. */
  readonly fence: string;
  readonly leaseMs: number;
}

export interface TakeAsk extends ClaimTerms {
  /** How many of the events may be born claimed, the first ones first. */
  readonly claimMax: number;
  /** The sources whose events the caller works on: only these are born claimed. */
  readonly worked: readonly string[];
}

export interface ClaimAsk extends ClaimTerms {
  /** How many events to claim, by source. Others are left alone. */
  readonly slots: Readonly<Record<string, number>>;
  /**
   * How many suspects may be among them: events with a crash. One at a time, so that an event that kills workers takes
   * no innocents with it; and those with the most crashes first, so that one that was twice in the way of somebody else's
   * end is not kept waiting for a third.
   */
  readonly suspectsMax: number;
  /** Upper bound on the sum of their bodies; the first is given whatever its size. */
  readonly bytesMax: number;
}

export interface ClaimAnswer {
  readonly claims: readonly Claim[];
  /**
   * Milliseconds, by the store's clock, until a further event of the sources asked for (those with no slot included) is
   * due or its lease ends: 0 when one is due now; undefined when there is none. Suspects beyond `suspectsMax` are left out.
   */
  readonly nextDueInMs: number | undefined;
}

/** Equality filters; newest first. */
export interface ListQuery {
  readonly source?: string;
  readonly type?: string;
  readonly state?: EventState;
  /** From an earlier answer. */
  readonly cursor?: string;
  /** Default and most: 100. */
  readonly limit?: number;
}

export interface ListAnswer {
  readonly events: readonly EventRecord[];
  /** Undefined when there is no more. */
  readonly cursor: string | undefined;
}

/**
 * Every verb MUST reject with `WebhookInboxError` of code `STORE_UNAVAILABLE` while the store cannot be used whatever is
 * asked; any other error says that a row of this call cannot be taken.
 */
export interface Store {
  readonly supports: StoreSupports;

  /** True when who configured it accepts that it loses what was acknowledged; such a store is otherwise refused. */
  readonly acceptsLoss?: boolean;

  /**
   * Makes the store ready: schema, settings, and the proof that they are durable. May be called again after it failed.
   * Rejects with `WebhookInboxError` when it cannot keep its promises.
   */
  open(context: { readonly clock: Clock }): Promise<void>;

  /** Releases everything. May be called twice, and before `open`. */
  close(): Promise<void>;

  /**
   * Custody. Inserts every event whose key is new, and its delivery once; answers in the order asked. A key occurs once
   * per call. When the promise resolves, everything it answers is durable; when it rejects, none of it may be assumed.
   * A call is repeated with the same fence when its outcome is unknown: an event that it had born claimed is answered so
   * again; others are duplicates.
   */
  take(events: readonly NewEvent[], ask: TakeAsk): Promise<readonly Taken[]>;

  /**
   * Gives due events, and those whose lease has ended, oldest due first, to the caller: each is `running` under the
   * fence asked, with `attempts` one higher, and `crashes` one higher if a lease had ended. No event goes to two callers.
   */
  claim(ask: ClaimAsk): Promise<ClaimAnswer>;

  /** Moves the lease of each claim to now + `leaseMs`. Answers, per claim, whether its fence still held. */
  extend(
    claims: readonly Pick<Claim, "event" | "fence">[],
    leaseMs: number,
  ): Promise<readonly boolean[]>;

  /** Writes the end of attempts. Guarded by equality of the fence, never by time. Answers, per settlement, whether it held. */
  settle(settlements: readonly Settlement[]): Promise<readonly boolean[]>;

  /** The event of a key with its delivery; undefined when there is none. */
  get(
    key: string,
  ): Promise<{ readonly event: EventRecord; readonly delivery: Delivery } | undefined>;

  /** Events without their deliveries, newest first. */
  list(query: ListQuery): Promise<ListAnswer>;
}
