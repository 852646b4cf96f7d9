/** Constant-time comparison of secrets. Lengths are hidden too: digests are compared, never the texts. */

import { timingSafeEqual } from "node:crypto";
import type { HeldSecret } from "../contracts/credentials.ts";
import { sha256 } from "../hash.ts";

/** A credential longer than this is none: it is not even hashed. */
const credentialCharactersMax = 8192;

const digests = new WeakMap<HeldSecret, Buffer>();

function digestOf(secret: HeldSecret): Buffer {
  const known = digests.get(secret);
  if (known !== undefined) return known;
  const digest = sha256(secret.value);
  digests.set(secret, digest);
  return digest;
}

/**
 * The secret that equals `given`; undefined when none does. Every secret is compared, whichever matches, so that the time
 * taken says nothing.
 */
export function matchOf(given: string, secrets: readonly HeldSecret[]): HeldSecret | undefined {
  if (given.length > credentialCharactersMax) return undefined;
  const own = sha256(given);
  let match: HeldSecret | undefined;
  for (const secret of secrets) {
    if (timingSafeEqual(own, digestOf(secret))) match = secret;
  }
  return match;
}
