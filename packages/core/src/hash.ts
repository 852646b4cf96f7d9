/** SHA-256, for everything that is known by its content. */

import { createHash } from "node:crypto";

/** The digest of the parts, one after the other. */
export function sha256(...parts: readonly (string | Uint8Array)[]): Buffer {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}
