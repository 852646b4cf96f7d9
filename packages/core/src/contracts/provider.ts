/** A provider: a sender's dialect. Mostly data, so that a new one is one small file. */

import type { Delivery, Method } from "../model/delivery.ts";
import type { Note, QuarantineReason } from "../model/event.ts";
import type { CredentialKind } from "./credentials.ts";
import type { EventMap, SchemasOf } from "./schema.ts";
import type { Signature } from "./signature.ts";

/** What an operator has to know about a sender, as data. Each fact cites its source where it is written. */
export interface Habits {
  /** Whether a failed delivery is sent again. `manual` is by a person's hand. */
  readonly redelivers: "never" | "manual" | "automatic" | "unknown";
  /** False when a redelivery of the same event may differ in its bytes. */
  readonly bodyStable: boolean;
  /** How long the sender waits for its answer, in milliseconds. Default: not known, taken as 4,000. */
  readonly ackDeadlineMs?: number;
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

/** What a provider wants to read. Its content type is `text/plain` unless said otherwise. */
export interface Reply {
  /** Default: 200. */
  readonly status?: 200 | 204;
  readonly contentType?: "text/plain" | "application/json" | "text/xml";
  /**
   * As text, the answer to a question may only hold letters, digits and `_.~=+/-`, at most 512: what is sent back word for
   * word must be nothing that a browser could take for something else. Another one is answered 400, as no question.
   */
  readonly body: string;
}

/** A question that a provider asks of a URL by GET, unsigned, before it sends there. */
export interface Challenge {
  /** One of the provider's `auth`. */
  readonly credential: "verifyToken" | "secret";
  /**
   * What of the query must equal the credential. Without it anybody may ask: an answer that is made with a secret must then be
   * of no use as a signature, so it should be made of nothing that could be a body.
   */
  readonly token?: (query: URLSearchParams) => string | null | undefined;
  /** The answer, made with the secret that matched (without `token`: the first); undefined when this is no question. */
  readonly answer: (query: URLSearchParams, secret: string) => Reply | undefined;
}

/** What a handshake may reach out with. */
export interface HandshakeTools {
  /** Without redirects, and given up after five seconds. */
  readonly fetch: (url: string) => Promise<{ readonly ok: boolean; readonly status: number }>;
}

/** A sender's dialect. */
export interface Provider<Events extends EventMap = EventMap> {
  /** Lower case, such as `captain-data`. */
  readonly name: string;
  /** Credentials it can send, the most natural first. */
  readonly auth: readonly CredentialKind[];
  /** Needed when `auth` names the kind of its keys. */
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
   * Where personal data stands in the content: names joined by dots, `*` for any one name or index; all below is meant
   * too. People see it masked. Default: `["*"]`, everything.
   */
  readonly personal?: readonly string[];
  /** What an accepted delivery is answered. Default: 200 and `ok`. */
  readonly accepted?: Reply;
  readonly challenge?: Challenge;
  /**
   * Answers an authentic delivery that is a question to the receiver and no event: nothing of it is stored. Undefined for
   * every other delivery. What it throws is answered 503.
   */
  handshake?(
    delivery: Delivery,
    tools: HandshakeTools,
  ): Reply | undefined | Promise<Reply | undefined>;
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
