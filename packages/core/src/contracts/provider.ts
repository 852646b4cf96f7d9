/** A provider: a sender's dialect. Mostly data, so that a new one is one small file. */

import type { Delivery, Method } from "../model/delivery.ts";
import type { Note, QuarantineReason } from "../model/event.ts";
import type { EventMap, SchemasOf } from "./schema.ts";

/** A secret, or several while one replaces another. `undefined` is allowed by the type and stops the start. */
export type Secret = string | readonly string[] | undefined;

/** The credentials a source may be given. All that are given must match. */
export interface Credentials {
  /** A segment of the URL: `<path>/<source>/<token>`. */
  readonly token?: Secret;
  /** `Authorization: Bearer <value>`. */
  readonly bearer?: Secret;
  /** `Authorization: Basic …`. */
  readonly basic?: { readonly user: string; readonly password: Secret };
  /** Static headers, such as `{ "x-api-key": process.env.KEY }`. */
  readonly headers?: Readonly<Record<string, Secret>>;
  /** The key of the provider's signature, for providers that declare one. */
  readonly secret?: Secret;
}

/** How a provider signs: an HMAC in a header. */
export interface Signature {
  readonly algorithm: "sha1" | "sha256" | "sha512";
  /** Lower-case name of the header that carries it. */
  readonly header: string;
  readonly encoding: "hex" | "base64";
  /** What stands before the signature in its header, such as `sha256=`. */
  readonly prefix?: string;
  /** How the secret's text becomes the key. Default: `text`, its UTF-8 bytes. */
  readonly key?: "text" | "base64";
  /** When the signature carries a time: lower-case header name, unit, and how far it may be from our clock. */
  readonly timestamp?: {
    readonly header: string;
    readonly unit: "s" | "ms";
    /** In both directions. Default: 300,000. */
    readonly toleranceMs?: number;
  };
  /**
   * The signed parts, in order. `header` gives the value of a header by its lower-case name, `query` is as it came.
   * Default: the body alone, which is only for providers that send no GET.
   */
  readonly content?: (parts: {
    readonly body: Uint8Array;
    readonly query: string;
    readonly header: (name: string) => string;
  }) => readonly (string | Uint8Array)[];
}

/** What an operator has to know about a sender, as data. Each fact cites its source where it is written. */
export interface Habits {
  /** Whether a failed delivery is sent again. `manual` is by a person's hand. */
  readonly redelivers: "never" | "manual" | "automatic" | "unknown";
  /** False when a redelivery of the same event may differ in its bytes. */
  readonly bodyStable: boolean;
}

/** One event that a delivery speaks of: no more than the acknowledgement needs. */
export interface Identity {
  /** The provider's id, unique within the source; undefined when it sent none. */
  readonly id: string | undefined;
  readonly type: string;
  /** Milliseconds since 1970. */
  readonly occurredAt?: number | undefined;
  readonly notes?: readonly Note[];
}

/** What `identify` found. */
export type Identification =
  | { readonly kind: "events"; readonly events: readonly Identity[] }
  /** Authentic, and nothing to keep: a health check. */
  | { readonly kind: "nothing" }
  | { readonly kind: "unreadable"; readonly reason: QuarantineReason };

/** What a source may be given as credential. `WEBHOOK_INBOX_TOKEN_<SOURCE>` becomes the first of token and bearer. */
export type CredentialKind = keyof Credentials;

/** A sender's dialect. */
export interface Provider<Events extends EventMap = EventMap> {
  /** Lower case, such as `captain-data`. */
  readonly name: string;
  /** Credentials it can send, the most natural first. */
  readonly auth: readonly CredentialKind[];
  /** Needed when `auth` names `secret`. */
  readonly signature?: Signature;
  readonly methods: readonly Method[];
  /** Path segments that may follow the source (and its token). */
  readonly segments?: readonly string[];
  /** Whether the token may also come as `?token=`. */
  readonly tokenInQuery?: boolean;
  readonly habits: Habits;
  /** The schema of each event type: loose, and demanding only what the provider documents. */
  readonly events: SchemasOf<Events>;
  /**
   * Says which events a delivery holds. Runs before the acknowledgement: it MUST be cheap, MUST NOT throw, and sees the
   * delivery as it is stored, so that it finds the same whenever it is asked.
   */
  identify(delivery: Delivery): Identification;
  /**
   * The data of one identified event, before its schema is applied. Runs after the acknowledgement, and returns a fresh
   * value at each call. May throw: the event is then quarantined as `unparsable`.
   */
  parse(delivery: Delivery, identity: { readonly id: string; readonly type: string }): unknown;
}
