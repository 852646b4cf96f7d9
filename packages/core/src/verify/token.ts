/** A token in the URL: `<path>/<source>/<token>`. */

import type { Verifier } from "../contracts/verifier.ts";
import { matchOf } from "./compare.ts";
import { refused, tried, type Keyring } from "./keyring.ts";
import { sealedToken } from "./seal.ts";

export function tokenVerifier(keyring: Keyring): Verifier {
  const credential = "token";
  return {
    covers: "head",
    headers: [],
    verify(evidence) {
      const { token, sealed } = evidence;
      if (token === undefined && sealed?.token === undefined) {
        return refused({ code: "missing", credential });
      }
      return tried(keyring, credential, evidence, (secrets) => {
        const match = sealed ? sealedToken(sealed, secrets) : matchOf(token ?? "", secrets);
        return match === undefined
          ? refused({ code: "mismatch", credential })
          : { ok: true, secret: match.name };
      });
    },
  };
}
