/** The outcome of verifying a delivery: which secret matched, or a diagnosis for the operator. */

export type Verdict =
  | { readonly ok: true; /** Which secret matched, such as `token#1`. */ readonly secret: string }
  | { readonly ok: false; readonly diagnosis: Diagnosis };

/**
 * Why a credential was not accepted. The operator sees it; the sender sees one 401 whatever it is.
 *
 * - `missing`: what should carry the credential is absent.
 * - `malformed`: it is there, but cannot be a credential of this kind (alphabet, length, scheme).
 * - `mismatch`: it is well formed and matches none of the secrets.
 * - `stale`: the signature may be right, but its timestamp is too far from our clock; `skewMs` says how far.
 * - `exposed`: the source has no credential and the request did not come straight from this machine.
 */
export interface Diagnosis {
  readonly code: "missing" | "malformed" | "mismatch" | "stale" | "exposed";
  /** The credential it speaks of, such as `token`, `bearer`, `header x-api-key` or `signature`. */
  readonly credential: string;
  /** Our clock minus the sender's, in milliseconds. */
  readonly skewMs?: number;
}
