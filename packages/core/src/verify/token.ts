/** A token in the URL: `<path>/<source>/<token>`. */

import type { Verifier } from "../contracts/verifier.ts";
import { digestsOf, matchOf } from "./compare.ts";

export function tokenVerifier(secrets: readonly string[]): Verifier {
  const digests = digestsOf(secrets);
  return {
    covers: "head",
    headers: [],
    verify({ token }) {
      if (token === undefined) {
        return { ok: false, diagnosis: { code: "missing", credential: "token" } };
      }
      const match = matchOf(token, digests);
      return match === -1
        ? { ok: false, diagnosis: { code: "mismatch", credential: "token" } }
        : { ok: true, secret: `token#${match + 1}` };
    },
  };
}
