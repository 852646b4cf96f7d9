/** The outcome of verifying a delivery: which secret matched, or a diagnosis for the operator. */

export type Verdict =
  | {
      readonly ok: true;
      /** Which secret matched, such as `token#1`; empty where an optional signature was absent. */
      readonly secret: string;
    }
  | { readonly ok: false; readonly diagnosis: Diagnosis };

/**
 * Why a credential was not accepted. The operator sees it; the sender sees one 401 whatever it is, and 503 only for
 * `key_unavailable`, because it is no fault of his.
 *
 * - `missing`: what should carry the credential is absent.
 * - `malformed`: it is there, but cannot be a credential of this kind (alphabet, length, scheme, host of a certificate).
 * - `mismatch`: it is well formed and matches none of the secrets: one of another secret, or the content was altered.
 * - `reencoded`: it matches another writing of the same content, which `detail` names: something between the sender and
 *   the inbox rewrites bodies.
 * - `stale`: the signature is right, but its timestamp is too far from our clock; `skewMs` says how far.
 * - `expired`: it matches a secret that does not hold at this time.
 * - `key_unavailable`: the keys could not be fetched.
 * - `exposed`: the source has no credential and the request did not come straight from this machine.
 */
export interface Diagnosis {
  readonly code:
    | "missing"
    | "malformed"
    | "mismatch"
    | "reencoded"
    | "stale"
    | "expired"
    | "key_unavailable"
    | "exposed";
  /** The credential it speaks of, such as `token`, `bearer`, `header x-api-key` or `signature`. */
  readonly credential: string;
  /** Our clock minus the sender's, in milliseconds. */
  readonly skewMs?: number;
  /** More of what was found, in our own words: which header is absent, which writing or which form of a secret fits. */
  readonly detail?: string;
  /** Of a `mismatch`: how many deliveries the source's secrets had matched since the start. None hints at a wrong secret. */
  readonly matchedBefore?: number;
}
