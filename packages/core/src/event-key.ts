/** Event keys: 16 bytes of SHA-256 over source and id, written as 26 characters of base32. */

import { sha256 } from "./hash.ts";

/** Crockford's alphabet: no I, L, O or U, so that a key can be read aloud. */
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const keyBytesLength = 16;
const keyLength = 26;

/** A key that no event has. */
export const noKey: string = "0".repeat(keyLength);

/** The key of the event that `source` knows as `id`. A source name never holds a NUL, so no two pairs meet. */
export function eventKey(source: string, id: string): string {
  return encodeKey(sha256(`${source}\0${id}`));
}

/** Reused: what is written into it is read before anything else can be. */
const letters = Buffer.alloc(keyLength);
const codes = Buffer.from(alphabet, "latin1");

/** Writes the first 16 bytes as 26 characters. */
export function encodeKey(bytes: Uint8Array): string {
  let bits = 0;
  let held = 0;
  let next = 0;
  for (let index = 0; index < keyBytesLength; index++) {
    held = (held << 8) | (bytes[index] ?? 0);
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      letters[next++] = codes[(held >>> bits) & 31] ?? 0;
    }
    held &= (1 << bits) - 1;
  }
  letters[next] = codes[(held << (5 - bits)) & 31] ?? 0;
  return letters.toString("latin1");
}

/** The first ten bits of a key, as a number below this one: keys that are near each other in order have the same. */
export const firstBitsEnd = 1024;
export const firstBits = (key: string): number =>
  alphabet.indexOf(key.charAt(0)) * alphabet.length + alphabet.indexOf(key.charAt(1));

/** Reads 26 characters back into 16 bytes; undefined for anything that is not a key. */
export function decodeKey(key: string): Uint8Array | undefined {
  if (key.length !== keyLength) return undefined;
  const bytes = new Uint8Array(keyBytesLength);
  let bits = 0;
  let held = 0;
  let next = 0;
  for (const letter of key) {
    const value = alphabet.indexOf(letter);
    if (value === -1) return undefined;
    held = (held << 5) | value;
    bits += 5;
    if (bits >= 8 && next < keyBytesLength) {
      bits -= 8;
      bytes[next++] = (held >>> bits) & 255;
      held &= (1 << bits) - 1;
    }
  }
  return bytes;
}
