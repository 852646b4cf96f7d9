/** An event: what a delivery says, the unit of custody and of dedup. States and fields, with who moves them. */

import type { Delivery } from "./delivery.ts";
import type { InterventionRecord } from "./intervention.ts";
import type { Diagnosis } from "./verdict.ts";

/**
 * Where an event stands. There is no other state, and no way between them but those in `model/transitions.ts`.
 *
 * - `pending`: waits for a worker until `dueAt`. Set when it is taken, after a failed attempt, and by replay and release.
 * - `running`: a worker holds a claim on it until its lease ends. Claims set it; a lapsed lease makes it claimable again.
 * - `done`: every handler has succeeded; of an unidentified one, that the events it holds were taken.
 * - `dead`: given up; `reason` says why. It is kept until a person replays, cancels or erases it.
 * - `quarantined`: in custody but not readable as its type promises; `reason` says why. It is kept as it came, until a
 *   person releases, cancels or erases it.
 * - `unhandled`: no handler was registered for its type when a worker came to it. Replayed once there is one.
 * - `cancelled`: a person said that it is not to be handled.
 * - `erased`: a person had its content destroyed; its key is kept, so that it is not taken again.
 * - `refused`: a delivery that was answered 401, so not in custody; `reason` is its diagnosis. The newest few of a source are
 *   kept. Once `verifyAgain` finds that it was authentic when it came, it becomes the events that it holds.
 */
export type EventState =
  | "pending"
  | "running"
  | "done"
  | "dead"
  | "quarantined"
  | "unhandled"
  | "cancelled"
  | "erased"
  | "refused";

/** All states, in the order of an event's life. */
export const everyState: readonly EventState[] = [
  "pending",
  "running",
  "done",
  "dead",
  "quarantined",
  "unhandled",
  "cancelled",
  "erased",
  "refused",
];

/**
 * Why an event is quarantined.
 *
 * - `empty`: the body has no bytes.
 * - `coding`: the body is compressed, which this version does not read.
 * - `unparsable`: the content is not what the provider's format says (broken JSON, invalid UTF-8).
 * - `unidentified`: it parses, but lacks the fields by which the provider's events are known.
 * - `invalid`: its data does not fit the schema of its type.
 * - `conflict`: an event with the same id but other bytes had been taken before.
 * - `encrypted`: what was encrypted is not what was written: somebody, or the disk, has altered it.
 * - `unknown_type`: neither the provider nor the source's `events` knows its type, and `onUnknownType` says `quarantine`.
 */
export type QuarantineReason =
  | "empty"
  | "coding"
  | "unparsable"
  | "unidentified"
  | "invalid"
  | "conflict"
  | "encrypted"
  | "unknown_type";

/**
 * Why an event is dead.
 *
 * - `exhausted`: a handler failed at every attempt that its schedule allows.
 * - `fatal`: a handler answered `dead(…)`, and no other one is left to run.
 * - `poison`: its attempts killed workers.
 */
export type DeadReason = "exhausted" | "fatal" | "poison";

/** Why a delivery was refused: see `Diagnosis`. */
export type RefusedReason = Diagnosis["code"];

/** Why an event is quarantined, dead or refused. */
export type Reason = QuarantineReason | DeadReason | RefusedReason;

/**
 * Something worth a look that did not keep the event from being taken.
 *
 * - `id_missing`: the provider's id was absent, so the event is known by the hash of its content.
 * - `body_reconstructed`: a parser had consumed the body; the exact bytes are lost.
 * - `sender_unparsed`: Audata's `sender` arrived in a form that carries no record (see `senderText`).
 * - `partial_success`: Captain Data says succeeded and reports an error: some inputs failed.
 * - `type_disagreement`: Captain Data's webhook is wired to one event type and its body speaks of another.
 * - `lane_missing`: `orderBy` or `lanes.by` has thrown, so that it is handled in no order.
 * - `fetched`: its webhook had not come in time, and it was fetched from the provider's API.
 * - `data_invalid`: its data does not fit the schema of its type, and `onInvalid` says `handle`. Only handlers see this.
 */
export type Note =
  | "id_missing"
  | "body_reconstructed"
  | "sender_unparsed"
  | "partial_success"
  | "type_disagreement"
  | "lane_missing"
  | "fetched"
  | "data_invalid";

/** One execution of an event's unfinished handlers. */
export interface AttemptRecord {
  /** When it began, in milliseconds since 1970. */
  readonly startedAt: number;
  readonly durationMs: number;
  /** What failed, by handler name; empty when all succeeded. */
  readonly failures: readonly HandlerFailure[];
}

/** How a handler failed. `message` may quote the payload: it is kept with the event and never logged. */
export interface HandlerFailure {
  readonly handler: string;
  readonly name: string;
  readonly message: string;
}

/**
 * A lane: events that are handled one at a time in the order of their arrival, or a few at a time in none, over all
 * instances. What may be handled heads its lane; what waits behind is `pending` and due at `forever`.
 */
export interface Lane {
  /** 26 characters, made from the source and the user's key: that one may be personal, and is not kept. */
  readonly key: string;
  /** One at a time, in the order of arrival; an event that waits for its next attempt keeps its place. */
  readonly isOrdered: boolean;
  /** How many at a time; 1 where it is ordered. */
  readonly max: number;
}

/** When an event is due that waits behind others of its lane: the last instant there is. */
export const forever = 8.64e15;

/** An event as a store keeps it, without its delivery. Instants are milliseconds since 1970. */
export interface EventRecord {
  /** Public key: 26 characters of base32, made from source and id. */
  readonly key: string;
  readonly source: string;
  /** The provider's id, or `sha256:<hex>` of the content when it sends none. */
  readonly id: string;
  readonly type: string;
  /** False until somebody could say which events its delivery holds. A worker that comes to it tries, and it becomes them. */
  readonly identified: boolean;
  readonly state: EventState;
  /** Why it is quarantined, dead or refused; undefined in other states. */
  readonly reason: Reason | undefined;
  /** When the provider says it happened, if it says so. */
  readonly occurredAt: number | undefined;
  readonly receivedAt: number;
  /** When it may be claimed next; meaningful while `pending`. `forever` while it waits behind others of its lane. */
  readonly dueAt: number;
  /** `isHead` while it is among those of its lane that may be handled. Undefined for an event that waits for no other. */
  readonly lane: (Lane & { readonly isHead: boolean }) | undefined;
  /** True once it was replayed: it is then claimed after those that are not. */
  readonly replayed: boolean;
  /** How often a person had it run from the start, all handlers again. Part of the idempotency key. */
  readonly generation: number;
  /** Attempts begun since it was taken or replayed, counted when the event is claimed, so that a crash counts. */
  readonly attempts: number;
  /** Attempts in a row that ended with the death of their worker: one that failed in an orderly way ends the row. */
  readonly crashes: number;
  /** Deliveries of this event beyond the first. */
  readonly duplicates: number;
  /** Names of the handlers that succeeded. */
  readonly finished: readonly string[];
  /** Names of the handlers that answered `dead(…)`: they run again only when it is replayed. */
  readonly gaveUp: readonly string[];
  /** The last 20 attempts, oldest first. */
  readonly history: readonly AttemptRecord[];
  /** The last 20 acts of people on it, oldest first. */
  readonly interventions: readonly InterventionRecord[];
  readonly notes: readonly Note[];
}

/** An event that is to be taken. Events of one delivery share the same `delivery` object. */
export interface NewEvent {
  readonly key: string;
  readonly source: string;
  readonly id: string;
  readonly type: string;
  /** False while nobody has said which events the delivery holds: it was not read yet, or cannot be. */
  readonly identified: boolean;
  readonly occurredAt: number | undefined;
  readonly notes: readonly Note[];
  /** Set when it cannot be read: it is then born `quarantined`, never claimed. */
  readonly quarantine: QuarantineReason | undefined;
  /** Set for a delivery that was refused: it is then born `refused`, never claimed. */
  readonly refused?: RefusedReason;
  readonly delivery: Delivery;
  /** Deliveries of the same event and content that are taken at once; at least 1. */
  readonly copies: number;
  /**
   * The key to use when `key` is held by an event with other bytes: the variant is then kept under it, quarantined as
   * `conflict`. Undefined where a redelivery may differ: it then counts as a duplicate.
   */
  readonly conflictKey: string | undefined;
  /** Then it is never born claimed. Its place in the lane is the last one. */
  readonly lane?: Lane | undefined;
  /** Time until it may be claimed, in milliseconds by the store's clock; never born claimed then. Default: 0, at once. */
  readonly dueAfterMs?: number;
}
