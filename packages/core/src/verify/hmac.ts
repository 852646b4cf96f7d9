/** Signatures that are made with a shared secret. */

import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from "node:crypto";
import type { HeldSecret } from "../contracts/credentials.ts";
import type { Signature } from "../contracts/signature.ts";
import { explained } from "./explain.ts";
import { signatureOf, type Signing } from "./signing.ts";

export interface Hmac extends Signing {
  readonly algorithm: "sha1" | "sha256" | "sha512";
  /**
   * How the secret's text becomes the key: its UTF-8, its base64 decoded, or what a function makes of it (undefined for a
   * text that can be no secret). Default: `text`.
   */
  readonly key?: "text" | "base64" | ((secret: string) => Uint8Array | undefined);
  /** Why a text can be no secret of this provider, such as another of its credentials: the end of a sentence. */
  readonly refusal?: (secret: string) => string | undefined;
  /** What the provider signs with while no secret is set at it: named in the diagnosis, never accepted. */
  readonly unset?: string;
}

const digestBytes = { sha1: 20, sha256: 32, sha512: 64 } as const;

/**
 * An HMAC.
 *
 * @example
 * hmac({ algorithm: "sha256", encoding: "hex", header: "x-hub-signature-256", prefix: "sha256=" })
 */
export function hmac({ algorithm, key = "text", refusal, unset, ...signing }: Hmac): Signature {
  const bytesOf = (secret: string): Uint8Array | undefined =>
    typeof key === "function" ? key(secret) : decodedKey(secret, key);
  const keys = new WeakMap<HeldSecret, KeyObject>();
  return signatureOf<KeyObject>(signing, {
    kind: "secret",
    bytes: digestBytes[algorithm],
    refusal: (secret) =>
      refusal?.(secret) ??
      (bytesOf(secret) === undefined
        ? "is not the text of a key that its signature needs"
        : undefined),
    keyOf(secret) {
      const known = keys.get(secret);
      if (known !== undefined) return known;
      const made = createSecretKey(bytesOf(secret.value) ?? new Uint8Array());
      keys.set(secret, made);
      return made;
    },
    tester(secretKey, content) {
      const mac = createHmac(algorithm, secretKey);
      for (const part of content) mac.update(part);
      const own = mac.digest();
      return (signature) => timingSafeEqual(own, signature);
    },
    explain: explained({ bytesOf, keyOf: createSecretKey, unset }),
  });
}

function decodedKey(secret: string, key: "text" | "base64"): Uint8Array | undefined {
  if (key === "text") return Buffer.from(secret, "utf8");
  const bytes = Buffer.from(secret, "base64");
  return bytes.length > 0 && bytes.toString("base64") === secret ? bytes : undefined;
}
