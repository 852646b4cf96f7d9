/** Signatures that are made with a private key: with a public key that is given, or one that the provider publishes. */

import { createPublicKey, verify, X509Certificate, type KeyObject } from "node:crypto";
import type { HeldSecret, SignatureKind } from "../contracts/credentials.ts";
import type { Judging, Signature, SignedParts } from "../contracts/signature.ts";
import { refused } from "./keyring.ts";
import { andThen } from "../later.ts";
import { Remembered } from "./remembered.ts";
import { signatureOf, type Signing } from "./signing.ts";

export interface PublicKey extends Signing {
  readonly algorithm: "ed25519" | "ecdsa-sha256" | "rsa-sha256";
  /**
   * How the key is given: the 32 bytes of an Ed25519 key in hex or base64, a SubjectPublicKeyInfo in base64 or PEM, or
   * what a function makes of the text (the 32 bytes; undefined for a text that can be no key).
   */
  readonly key: "hex" | "base64" | "spki" | ((text: string) => Uint8Array | undefined);
}

/** A signature that is checked with a public key of the source's options: Ed25519, ECDSA (DER) or RSA (PKCS #1 v1.5). */
export function publicKey({ algorithm, key, ...signing }: PublicKey): Signature {
  const keys = new WeakMap<HeldSecret, KeyObject>();
  return signatureOf<KeyObject>(signing, {
    kind: "publicKey",
    bytes: algorithm === "ed25519" ? 64 : undefined,
    refusal: (text) => (keyOf(algorithm, key, text) === undefined ? "is no public key" : undefined),
    keyOf(held) {
      const known = keys.get(held);
      if (known !== undefined) return known;
      const made = keyOf(algorithm, key, held.value);
      if (made === undefined) throw new Error("a key was not checked before its use");
      keys.set(held, made);
      return made;
    },
    tester: (made, content) => (signature) =>
      isSigned(digestOf[algorithm], made, content, signature),
  });
}

const digestOf = { ed25519: undefined, "ecdsa-sha256": "sha256", "rsa-sha256": "sha256" } as const;
const keyTypeOf = { ed25519: "ed25519", "ecdsa-sha256": "ec", "rsa-sha256": "rsa" } as const;

function isSigned(
  digest: "sha1" | "sha256" | undefined,
  key: KeyObject,
  content: readonly (string | Uint8Array)[],
  signature: Buffer,
): boolean {
  return verify(digest, Buffer.concat(content.map((part) => Buffer.from(part))), key, signature);
}

function keyOf(
  algorithm: PublicKey["algorithm"],
  form: PublicKey["key"],
  text: string,
): KeyObject | undefined {
  try {
    const made = form === "spki" ? spkiOf(text) : rawOf(form, text);
    return made?.asymmetricKeyType === keyTypeOf[algorithm] ? made : undefined;
  } catch {
    return undefined;
  }
}

/** Of PEM also on one line of an environment's file, with `\n` written out. A private key is none to be given here. */
function spkiOf(text: string): KeyObject | undefined {
  if (text.includes("PRIVATE KEY")) return undefined;
  return text.includes("-----BEGIN")
    ? createPublicKey(text.replaceAll(String.raw`\n`, "\n"))
    : createPublicKey({ key: Buffer.from(text, "base64"), format: "der", type: "spki" });
}

const ed25519Bytes = 32;

function rawOf(form: Exclude<PublicKey["key"], "spki">, text: string): KeyObject | undefined {
  const bytes = typeof form === "function" ? form(text) : Buffer.from(text, form);
  if (bytes?.length !== ed25519Bytes) return undefined;
  const x = Buffer.from(bytes).toString("base64url");
  return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
}

export interface Certificate extends Signing {
  /** What binds the signature to this receiver, as others' deliveries are signed with the same key. */
  readonly kind: Extract<SignatureKind, "webhookId" | "topicArn">;
  /** The digest that the request names; undefined where it names none that is known. */
  readonly digest: (parts: SignedParts) => "sha1" | "sha256" | undefined;
  /** Where the request says its certificate is. */
  readonly url: (parts: SignedParts) => unknown;
  /** Which certificates are the provider's: exact host and path. Of https without a port or credentials, in any case. */
  readonly isTrusted: (url: URL, parts: SignedParts) => boolean;
  /** What the option's value looks like. */
  readonly pattern: RegExp;
}

/** Certificates are kept for a day, and for a month while they cannot be fetched anew. */
const certificateTerms = {
  freshMs: 86_400_000,
  staleMs: 30 * 86_400_000,
  entriesMax: 32,
  newPerMinuteMax: 30,
};
const certificateBytesMax = 16_384;
const urlCharactersMax = 512;

/**
 * An RSA signature (PKCS #1 v1.5) that is checked with a certificate which the request points to. It is fetched over https
 * from the provider's own host, without redirects, bounded in size and time, and kept.
 */
export function certificate(options: Certificate): Signature {
  const { kind, digest, url, isTrusted, pattern, ...signing } = options;
  // One for each `fetch`: what one inbox was told is nothing to another.
  const byFetch = new WeakMap<Judging["fetch"], Remembered<X509Certificate>>();
  const certificatesOf = (fetch: Judging["fetch"]): Remembered<X509Certificate> => {
    const known = byFetch.get(fetch);
    if (known !== undefined) return known;
    const made = new Remembered({
      ...certificateTerms,
      load: (at, signal) => fetched(fetch, at, signal),
    });
    byFetch.set(fetch, made);
    return made;
  };
  const method = (made: X509Certificate, algorithm: "sha1" | "sha256"): Signature =>
    signatureOf<KeyObject>(signing, {
      kind,
      bytes: undefined,
      refusal: () => undefined,
      keyOf: () => made.publicKey,
      tester: (key, content) => (signature) => isSigned(algorithm, key, content, signature),
    });
  const shape = signatureOf<undefined>(signing, {
    kind,
    bytes: undefined,
    refusal: (text) => (pattern.test(text) ? undefined : `is no ${kind}`),
    keyOf: () => undefined,
    tester: () => () => true,
  });
  return {
    ...shape,
    judge(parts, secrets, judging) {
      // What is not well formed, or not meant for this receiver, is worth no question to anybody.
      const formal = shape.judge(parts, secrets, judging);
      if (formal instanceof Promise || !formal.ok) return formal;
      const at = trustedUrl(url(parts), (one) => isTrusted(one, parts));
      const algorithm = digest(parts);
      if (at === undefined) return refused({ code: "malformed", credential: "certificate URL" });
      if (algorithm === undefined) return refused({ code: "malformed", credential: "signature" });
      const { fetch, now, arrivedAt, report } = judging;
      const made = certificatesOf(fetch).get(at, now, report);
      const judge = (one: X509Certificate): ReturnType<Signature["judge"]> =>
        isValidAt(one, arrivedAt)
          ? method(one, algorithm).judge(parts, secrets, judging)
          : refused({
              code: "malformed",
              credential: "certificate",
              detail: "not valid at this time",
            });
      const unavailable = (error: unknown): ReturnType<Signature["judge"]> => {
        report(error);
        return refused({ code: "key_unavailable", credential: "certificate" });
      };
      return made instanceof Promise ? made.then(judge, unavailable) : andThen(made, judge);
    },
  };
}

function trustedUrl(text: unknown, isTrusted: (url: URL) => boolean): string | undefined {
  if (typeof text !== "string" || text.length > urlCharactersMax || !URL.canParse(text)) {
    return undefined;
  }
  const url = new URL(text);
  const isPlain =
    url.protocol === "https:" && url.port === "" && url.username === "" && url.password === "";
  return isPlain && url.search === "" && url.hash === "" && isTrusted(url) ? url.href : undefined;
}

async function fetched(
  fetch: Judging["fetch"],
  url: string,
  signal: AbortSignal,
): Promise<X509Certificate> {
  const response = await fetch(url, { redirect: "error", signal });
  if (!response.ok) throw new Error(`the certificate is answered ${response.status}`);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > certificateBytesMax) throw new Error("the certificate is too large");
    chunks.push(chunk);
  }
  return new X509Certificate(Buffer.concat(chunks));
}

function isValidAt(made: X509Certificate, now: number): boolean {
  return made.validFromDate.getTime() <= now && now <= made.validToDate.getTime();
}
