/** A delivery: one HTTP request as it came. This file says what of it is kept; it reads nothing. */

/** The methods a provider may send its webhooks with. */
export type Method = "GET" | "POST";

/** What stands before the body of a request. The only thing an adapter has to hand over besides the body. */
export interface DeliveryHead {
  readonly method: string;
  /** Path and query exactly as on the request line, below the adapter's mount point. Not decoded. */
  readonly target: string;
  /** Header lines as they came, flat: name, value, name, value. Repeats are kept. */
  readonly headers: readonly string[];
  /** Address of the socket's other end; no forwarding header is believed. */
  readonly remoteAddress: string | undefined;
}

/** A delivery as it is kept. Credentials are replaced by `***` in `target` and `headers`; all else is as it came. */
export interface Delivery {
  readonly method: string;
  /** Path and query as on the request line, with the token replaced by `***`. */
  readonly target: string;
  /** Whose delivery it is, on a source with accounts: the part of the path after the source. */
  readonly account: string | undefined;
  /** The part of the path after the token, when the provider knows it, such as `succeeded`. */
  readonly segment: string | undefined;
  /** Header lines, flat (name, value, …), with the values of credentials replaced by `***`. */
  readonly headers: readonly string[];
  /** The exact bytes of the body, as on the wire: not inflated, not decoded. */
  readonly body: Uint8Array;
  /** True when a parser had consumed the body before it reached us, so that `body` was rebuilt from its result. */
  readonly reconstructed: boolean;
  /**
   * Which secret matched, such as `token#1`; `none` on a source without a credential; `refused` for one that
   * was refused at first. Never the secret itself.
   */
  readonly verifiedWith: string;
  /** When the request came in, in milliseconds since 1970. */
  readonly receivedAt: number;
  /**
   * SHA-256 of the body, of a GET that of its query, in hex: two deliveries with the same hash say the same. Empty for what
   * nobody has sent: whatever is sent under the same id says the same.
   */
  readonly contentHash: string;
  /** Only of a refused delivery. */
  readonly sealed?: Sealed | undefined;
  /** Where its receipt was traced: the `traceparent` of that span. */
  readonly trace?: string | undefined;
  /** Why it could not be decrypted: what the sender said is then as it lies in the store. */
  readonly undecrypted?: Undecrypted | undefined;
}

/** The key that it was encrypted with is not there; or what lies there is not what was written. */
export type Undecrypted =
  | { readonly kind: "key_missing"; readonly keyId: string }
  | { readonly kind: "altered" };

/**
 * The credentials that a refused delivery presented, as digests under a salt of its own: they can be held against a secret,
 * and not be read.
 */
export interface Sealed {
  readonly salt: string;
  /** Of the token in the URL. */
  readonly token?: string;
  /** By the lower-case name of the header. */
  readonly headers: Readonly<Record<string, string>>;
}

/** First value of a header in flat header lines, whatever the case of its name. `name` is lower case. */
export function headerOf(headers: readonly string[], name: string): string | undefined {
  for (let line = 0; line + 1 < headers.length; line += 2) {
    const candidate = headers[line];
    if (candidate?.length === name.length && candidate.toLowerCase() === name) {
      return headers[line + 1];
    }
  }
  return undefined;
}

/** The query of a target without its question mark; empty when there is none. */
export function queryOf(target: string): string {
  const mark = target.indexOf("?");
  return mark === -1 ? "" : target.slice(mark + 1);
}
