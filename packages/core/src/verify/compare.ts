/** Constant-time comparison of secrets. Lengths are hidden too: digests are compared, never the texts. */

import { timingSafeEqual } from "node:crypto";
import { sha256 } from "../hash.ts";

/** A credential longer than this is none: it is not even hashed. */
const credentialCharactersMax = 8192;

/** SHA-256 digests of the secrets a value is compared with. */
export type Digests = readonly Buffer[];

export function digestsOf(secrets: readonly string[]): Digests {
  return secrets.map((secret) => sha256(secret));
}

/**
 * Index of the secret that equals `given`, or -1. Every secret is compared, whichever matches, so that the time taken
 * says nothing.
 */
export function matchOf(given: string, digests: Digests): number {
  if (given.length > credentialCharactersMax) return -1;
  const own = sha256(given);
  let match = -1;
  for (const [index, expected] of digests.entries()) {
    if (timingSafeEqual(own, expected)) match = index;
  }
  return match;
}
