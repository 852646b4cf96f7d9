/**
 * A store: the durable holder of events. Its verbs are atomic acts of the domain, each in one transaction; most work on
 * batches, so that one commit serves everyone who waited. The suite in `@webhook-inbox/testing/store` is its specification.
 */

import type { Delivery } from "../model/delivery.ts";
import type { EventRecord, EventState, NewEvent, Reason } from "../model/event.ts";
import type { Act } from "../model/intervention.ts";
import type { Settlement } from "../model/settlement.ts";
import type { Gone } from "../model/transitions.ts";
import type { Clock } from "./clock.ts";

/** What a store can do. The suite reads it, tests what it claims, and tests the denial of what it denies. */
export interface StoreSupports {
  /** `commit`: what a verb answered survives the loss of power. `none`: it ends with the process. */
  readonly durability: "commit" | "none";
  /** Whether several processes may use it at once. */
  readonly shared: boolean;
  /** Whether it has `transaction`. */
  readonly transactions: boolean;
  /** Whether it has `subscribe`. */
  readonly wakeups: boolean;
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

/** Enough of a claim to show that it is held. */
export interface Hold {
  readonly key: string;
  readonly fence: string;
}

/** Terms of a claim, and how many may be given. */
export interface ClaimTerms {
  /** Unique for every call, and made by the caller. */
  readonly fence: string;
  readonly leaseMs: number;
  /** How many events to claim, by source. Others are left alone. */
  readonly slots: Readonly<Record<string, number>>;
  /** How many of a type may be among them, by source and type, where that is fewer than the slots of the source. */
  readonly typesMax?: TypesMax;
}

/** How many events of a type a claim may give, by source. */
export type TypesMax = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** Terms under which events may be born claimed, the first ones first. */
export type TakeAsk = ClaimTerms;

/** Terms under which nothing is born claimed. */
export const unclaimed = (): TakeAsk => ({ fence: crypto.randomUUID(), leaseMs: 0, slots: {} });

export interface ClaimAsk extends ClaimTerms {
  /**
   * How many suspects may be among them: events with a crash. Those with more than one come one at a time, so that an event
   * that kills workers takes no innocents with it; and those with the most crashes first, so that one that was twice in the
   * way of somebody else's end is not kept waiting for a third.
   */
  readonly suspectsMax: number;
  /**
   * Suspects with more crashes than this are left alone, the one of a lease that has just ended counted: the last attempt
   * of an event must not be lost to a process that dies young for reasons of its own.
   */
  readonly crashesMax: number;
  /** Upper bound on the sum of their bodies; the first is given whatever its size. */
  readonly bytesMax: number;
}

/** What a store gives to a worker. */
export interface ClaimAnswer {
  readonly claims: readonly Claim[];
  /**
   * Milliseconds, by the store's clock, until a further event of the sources asked for (those with no slot included) is
   * due (what waits in its lane is not) or its lease ends: 0 when one is due now; undefined when there is none. Suspects beyond `suspectsMax` and
   * `crashesMax`, and types of which none may be given, are left out.
   */
  readonly nextDueInMs: number | undefined;
}

/** Which events: all that are equal in what is given, within the time that is given. */
export interface EventFilter {
  readonly source?: string;
  readonly type?: string;
  readonly state?: EventState;
  readonly reason?: Reason;
  /** First and last instant of `receivedAt`, in milliseconds since 1970: from this one on, and before that one. */
  readonly receivedFrom?: number;
  readonly receivedBefore?: number;
}

export interface ListQuery extends EventFilter {
  /** From an earlier answer. */
  readonly cursor?: string | undefined;
  /** Default and most: 100. */
  readonly limit?: number | undefined;
  /** By the time of receipt, and the order of arrival where that is equal. Default: `newest` first. */
  readonly order?: "newest" | "oldest" | undefined;
}

/** A page of events, and where the next one begins. */
export interface ListAnswer {
  /** May be fewer than asked, even none, while there is more: a page looks at a bounded number of events. */
  readonly events: readonly EventRecord[];
  /** Undefined when there is no more. */
  readonly cursor: string | undefined;
}

/** The events of an intervention: by key, in that order, or all of a state that fit, oldest first. */
export type Selection =
  | { readonly keys: readonly string[] }
  | (EventFilter & { readonly state: EventState });

/** An act of a person. */
export interface InterveneAsk {
  readonly act: Act;
  /** Who, and why. */
  readonly by: string;
  readonly reason: string;
  /** Changes nothing, and answers what would be changed. */
  readonly dryRun: boolean;
  /** How many to change at most in this call. */
  readonly limit: number;
  /** From an earlier answer of the same intervention. */
  readonly cursor?: string;
  /** Of a replay: forgets what has succeeded, one generation on. */
  readonly rerun?: boolean;
  /** Of a replay: time until it is due, in whole milliseconds by the store's clock. Default: 0. */
  readonly afterMs?: number;
}

/** What an act was done to, and where it goes on. */
export interface InterveneAnswer {
  /** Keys of what was changed. Of an erasure also those that went along. */
  readonly keys: readonly string[];
  /** Undefined when there is no more. */
  readonly cursor: string | undefined;
}

/** What is old enough to be forgotten, and how much of it in one step. */
export interface PruneAsk {
  /** Age since its receipt at which the delivery of an event that is over is destroyed, and at which its key is forgotten. */
  readonly payloadMs: number;
  readonly keyMs: number;
  /** How many events of each source may be `refused`: the newest ones stay, and others are forgotten with their deliveries. */
  readonly refusedMax: number;
  /** How many deliveries and keys to look at in this call, about. */
  readonly limit: number;
  /** From an earlier answer of the same round. */
  readonly cursor?: string;
}

/** How much was forgotten, and where it goes on. */
export interface PruneAnswer {
  /** Deliveries destroyed, and keys forgotten. */
  readonly payloads: number;
  readonly keys: number;
  /** Undefined when the round is over: nothing more is old enough now. */
  readonly cursor: string | undefined;
}

/**
 * How many events went one way between states. `from` is undefined for new ones; `to` may also be `duplicate` (a further
 * delivery of an event), `conflict` (a variant that was not kept), or `pruned`.
 */
export interface Tally {
  /** Beginning of the time it covers, in milliseconds since 1970; 0 for all that was longest ago. */
  readonly at: number;
  readonly source: string;
  readonly type: string;
  readonly from: EventState | undefined;
  readonly to: EventState | Gone | "duplicate" | "conflict";
  readonly count: number;
}

/** Which numbers of the ledger are asked for. */
export interface TallyQuery {
  readonly source?: string;
  readonly type?: string;
  /** First and last instant, in milliseconds since 1970: from this one on, and before that one. */
  readonly from?: number;
  readonly before?: number;
  /** Sums up in steps of this length, at least a minute. Default: one sum over all time. */
  readonly stepMs?: number;
}

/** What the tallies say and what is there, both of the same instant. */
export interface AuditAnswer {
  readonly tallies: readonly Tally[];
  /** Events by state, counted one by one. */
  readonly counted: Readonly<Partial<Record<EventState, number>>>;
}

/** Lets the heartbeat thread open a connection of its own. */
export interface ThreadAccess {
  /** A module whose export `connectHeartbeat` is a `ConnectHeartbeat`. */
  readonly module: URL;
  /** Handed to it. Must be cloneable. */
  readonly options: unknown;
}

/** Makes, inside the heartbeat thread, what extends leases there. */
export type ConnectHeartbeat = (options: unknown) => Promise<Pick<Store, "extend" | "close">>;

/** The type of `ctx.transaction` where the store has none. */
export type NoTransaction = undefined;

/**
 * `Transaction` is the type of the function that handlers find as `ctx.transaction`.
 *
 * Every verb MUST reject with `WebhookInboxError` of code `STORE_UNAVAILABLE` while the store cannot be used whatever is
 * asked; any other error says that a row of this call cannot be taken. Every verb that moves events between states writes
 * the tally of it in the same transaction.
 */
export interface Store<Transaction = unknown> {
  readonly supports: StoreSupports;

  /** True when who configured it accepts that it loses what was acknowledged; such a store is otherwise refused. */
  readonly acceptsLoss?: boolean;

  /** True where what senders say is encrypted before it is written. */
  readonly isEncrypted?: boolean;

  /** Where it is kept, if that is a file of this machine. */
  readonly file?: string;

  /**
   * Rejects with `STORE_UNAVAILABLE` where its disk has no room left but what is set aside, so that it can be emptied still.
   * Asked of a spill, before each delivery.
   */
  readonly needRoom?: () => Promise<void>;

  /** Where a store that is shared has none, leases last as long as the longest handler may run. */
  readonly threadAccess?: ThreadAccess;

  /**
   * Makes the store ready: schema, settings, and the proof that they are durable. May be called again after it failed.
   * Rejects with `WebhookInboxError` when it cannot keep its promises.
   */
  open(context: { readonly clock: Clock }): Promise<void>;

  /** Releases everything. May be called twice, and before `open`. */
  close(): Promise<void>;

  /**
   * Custody. Inserts every event whose key is new, and its delivery once; answers in the order asked. A key occurs once
   * per call. An event with a lane heads it if there is room, and else waits behind (`headsAfter` of `records` says when
   * there is). When the promise resolves, everything it answers is durable; when it rejects, none of it may be assumed.
   * A call is repeated with the same fence when its outcome is unknown: an event that it had born claimed is answered so
   * again; others are duplicates.
   */
  take(events: readonly NewEvent[], ask: TakeAsk): Promise<readonly Taken[]>;

  /**
   * Gives due events, and those whose lease has ended, to the caller: suspects first, then those that were not replayed,
   * then the oldest due. Each is `running` under the fence asked, with `attempts` one higher, and `crashes` one higher if
   * a lease had ended. No event goes to two callers.
   */
  claim(ask: ClaimAsk): Promise<ClaimAnswer>;

  /** Moves the lease of each claim to now + `leaseMs`. Answers, per claim, whether its fence still held. */
  extend(holds: readonly Hold[], leaseMs: number): Promise<readonly boolean[]>;

  /**
   * Writes the end of attempts, and takes what an event `became`, as `take` does, with the delivery of that event. Guarded
   * by equality of the fence, never by time. What is `pending` and was not handed back has `crashes` 0 again: its attempt
   * killed nobody. Where an event no longer heads its lane the next one does, and is due. Answers, per settlement, whether it held.
   * It need not outlive a loss of power: what is undone by one is handled once more, as after any death.
   */
  settle(settlements: readonly Settlement[]): Promise<readonly boolean[]>;

  /** The event of a key with its delivery, which is undefined once it was pruned or erased; undefined when there is none. */
  get(key: string): Promise<Kept | undefined>;

  /** Events without their deliveries, in the order asked. A cursor goes on in the order of its page. */
  list(query: ListQuery): Promise<ListAnswer>;

  /**
   * What people do: see `Act`. Leaves alone what is in a state that `statesFor` does not name. Whoever has an event in
   * hand is fenced out. Replay and release set `attempts` and `crashes` to 0; replay clears `gaveUp`. What comes back
   * takes the last place of its lane, unless it heads it still; what is cancelled or erased makes room there.
   */
  intervene(selection: Selection, ask: InterveneAsk): Promise<InterveneAnswer>;

  /** Forgets what is old or too much, of events in a state of `prunable`; those of other states stay whatever their age. */
  prune(ask: PruneAsk): Promise<PruneAnswer>;

  /** How many events went which way. Does not count events: it is fast whatever is kept. */
  tally(query: TallyQuery): Promise<readonly Tally[]>;

  /** Counts every event: it takes long when there are many, and holds up nothing meanwhile. */
  audit(): Promise<AuditAnswer>;

  /**
   * Calls `onWork`, until it is closed, soon after another instance has left work here. It may stay silent, or speak in
   * vain: workers look once a second besides.
   */
  readonly subscribe?: (onWork: () => void) => void;

  /**
   * What `ctx.transaction` is for this claim: it runs the user's function inside a transaction that also adds `handler`
   * to the event's `finished`, so that both happen or neither. Rejects with `CLAIM_LOST` when the fence does not hold.
   */
  transaction?(hold: Hold, handler: string): Transaction;
}

/** An event with the delivery that brought it. */
export interface Kept {
  readonly event: EventRecord;
  readonly delivery: Delivery | undefined;
}
