/** What proves who sent a delivery. */

import type { Sealed } from "../model/delivery.ts";
import type { Verdict } from "../model/verdict.ts";

/** What a verifier may look at, and reach out with. */
export interface Evidence {
  /** Header lines as they came, flat: name, value, name, value. */
  readonly headers: readonly string[];
  /** The query as it came, without its question mark. */
  readonly query: string;
  /** The URL that the sender asked for: `publicUrl` and the target as it came. Empty without a `publicUrl`. */
  readonly url: string;
  /** The token from the URL, undecoded; undefined when there is none. */
  readonly token: string | undefined;
  /** Of a delivery that is verified again: what it presented. Credentials in `headers` and `token` are masked then. */
  readonly sealed?: Sealed | undefined;
  /** The exact body; empty for a verifier that needs only the head. */
  readonly body: Uint8Array;
  /** The receiver's time, in milliseconds since 1970. */
  readonly now: number;
  /** When the delivery came: earlier than `now` where it is verified again. */
  readonly arrivedAt: number;
  /** For keys that the provider publishes. */
  readonly fetch: typeof globalThis.fetch;
  /** Told why keys could not be had. */
  readonly report: (error: unknown) => void;
}

/**
 * A verifier MUST be total: it comes to a verdict for every sequence of bytes, and neither throws nor rejects. It MUST
 * take the same time whichever of its secrets matches, and however much of a secret was guessed right. It answers at once,
 * but for keys that it has to fetch first.
 */
export interface Verifier {
  /** Whether the verdict depends on the body. One that does not is asked before the body is read. */
  readonly covers: "head" | "body";
  /** Lower-case names of the headers that carry its credential: refused when repeated, never stored. */
  readonly headers: readonly string[];
  /** Lower-case names of further headers that it reads: refused when repeated. */
  readonly reads?: readonly string[];
  verify(evidence: Evidence): Verdict | Promise<Verdict>;
}
