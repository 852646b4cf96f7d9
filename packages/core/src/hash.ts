/** SHA-256, for everything that is known by its content. */

import { hash } from "node:crypto";

/** The digest of a text's UTF-8, or of bytes. */
export function sha256(data: string | Uint8Array): Buffer {
  return hash("sha256", data, "buffer");
}

/** The same in hex. */
export function sha256Hex(data: string | Uint8Array): string {
  return hash("sha256", data, "hex");
}
