/** An event: what a delivery says, the unit of custody and of dedup. States and fields, with who moves them. */

/**
 * Where an event stands. There is no other state, and no way between them but those in `work/lifecycle.ts`.
 *
 * - `pending`: waits for a worker until `dueAt`. Set when it is taken, and again after a failed attempt.
 * - `running`: a worker holds a claim on it until its lease ends. Claims set it; a lapsed lease makes it claimable again.
 * - `done`: every handler has succeeded.
 * - `dead`: no attempt is left, or its attempts killed workers; `reason` says which. It is kept, and nothing tries it again.
 * - `quarantined`: in custody but not readable as its type promises; `reason` says why. It is kept as it came.
 * - `unhandled`: no handler was registered for its type when a worker came to it. It is kept.
 */
export type EventState = "pending" | "running" | "done" | "dead" | "quarantined" | "unhandled";

/**
 * Why an event is quarantined.
 *
 * - `empty`: the body has no bytes.
 * - `coding`: the body is compressed, which this version does not read.
 * - `unparsable`: the content is not what the provider's format says (broken JSON, invalid UTF-8).
 * - `unidentified`: it parses, but lacks the fields by which the provider's events are known.
 * - `invalid`: its data does not fit the schema of its type.
 * - `conflict`: an event with the same id but other bytes had been taken before.
 */
export type QuarantineReason =
  | "empty"
  | "coding"
  | "unparsable"
  | "unidentified"
  | "invalid"
  | "conflict";

/** Why an event is dead: it `exhausted` its attempts, or is `poison`: its attempts killed workers. */
export type DeadReason = "exhausted" | "poison";

/**
 * Something worth a look that did not keep the event from being taken.
 *
 * - `id_missing`: the provider's id was absent, so the event is known by the hash of its content.
 * - `body_reconstructed`: a parser had consumed the body; the exact bytes are lost.
 * - `sender_unparsed`: Audata's `sender` arrived in a form that carries no record (see `senderText`).
 * - `partial_success`: Captain Data says succeeded and reports an error: some inputs failed.
 * - `type_disagreement`: Captain Data's webhook is wired to one event type and its body speaks of another.
 */
export type Note =
  | "id_missing"
  | "body_reconstructed"
  | "sender_unparsed"
  | "partial_success"
  | "type_disagreement";

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

/** An event as a store keeps it, without its delivery. Instants are milliseconds since 1970. */
export interface EventRecord {
  /** Public key: 26 characters of base32, made from source and id. */
  readonly key: string;
  readonly source: string;
  /** The provider's id, or `sha256:<hex>` of the content when it sends none. */
  readonly id: string;
  readonly type: string;
  readonly state: EventState;
  /** Why it is quarantined or dead; undefined in other states. */
  readonly reason: QuarantineReason | DeadReason | undefined;
  /** When the provider says it happened, if it says so. */
  readonly occurredAt: number | undefined;
  readonly receivedAt: number;
  /** When it may be claimed next; meaningful while `pending`. */
  readonly dueAt: number;
  /** Attempts begun, counted when the event is claimed, so that a crash counts. */
  readonly attempts: number;
  /** Attempts that ended with the death of their worker. */
  readonly crashes: number;
  /** Deliveries of this event beyond the first. */
  readonly duplicates: number;
  /** Names of the handlers that need not run again: they succeeded. */
  readonly finished: readonly string[];
  /** The last 20 attempts, oldest first. */
  readonly history: readonly AttemptRecord[];
  readonly notes: readonly Note[];
}
