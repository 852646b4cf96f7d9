/** An HMAC in a header, over the body or what the provider's signature names, with a timestamp if it has one. */

import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from "node:crypto";
import type { Signature } from "../contracts/provider.ts";
import type { Evidence, Verifier } from "../contracts/verifier.ts";
import { headerOf } from "../model/delivery.ts";
import type { Diagnosis, Verdict } from "../model/verdict.ts";

const digestBytes = { sha1: 20, sha256: 32, sha512: 64 } as const;
const toleranceMsDefault = 300_000;
/** Strict, because `Number` and `parseInt` read much that no sender means. */
const timestampPattern = /^\d{1,15}$/;

/** Checks the signature first and its time second, so that only the holder of the secret learns that a time is stale. */
export function hmacVerifier(signature: Signature, secrets: readonly string[]): Verifier {
  const name = signature.header.toLowerCase();
  const keys = secrets.map((secret) =>
    createSecretKey(Buffer.from(secret, signature.key === "base64" ? "base64" : "utf8")),
  );
  return {
    covers: "body",
    headers: [name],
    reads: signature.timestamp === undefined ? [] : [signature.timestamp.header.toLowerCase()],
    verify(evidence) {
      const given = readSignature(signature, headerOf(evidence.headers, name));
      if ("code" in given) return { ok: false, diagnosis: given };
      try {
        const match = matchingKey(signature, keys, evidence, given.bytes);
        if (match !== -1) {
          return (
            withinTolerance(signature, evidence) ?? { ok: true, secret: `secret#${match + 1}` }
          );
        }
      } catch {
        // What the provider's own `content` cannot read was not signed.
      }
      return { ok: false, diagnosis: { code: "mismatch", credential: "signature" } };
    },
  };
}

/** The signature's bytes. Its alphabet and exact length are checked before it is decoded: decoders forgive too much. */
function readSignature(
  { prefix = "", encoding, algorithm }: Signature,
  value: string | undefined,
): { readonly bytes: Buffer } | Diagnosis {
  if (value === undefined || value === "") return { code: "missing", credential: "signature" };
  const text = value.startsWith(prefix) ? value.slice(prefix.length) : "";
  const bytes = digestBytes[algorithm];
  const malformed: Diagnosis = { code: "malformed", credential: "signature" };
  if (encoding === "hex") {
    if (text.length !== bytes * 2 || !/^[0-9a-f]+$/i.test(text)) return malformed;
    return { bytes: Buffer.from(text, "hex") };
  }
  const decoded = Buffer.from(text, "base64");
  return decoded.length === bytes && decoded.toString("base64") === text
    ? { bytes: decoded }
    : malformed;
}

/** Index of the key that made the signature, or -1. All keys are tried, whichever matches. */
function matchingKey(
  signature: Signature,
  keys: readonly KeyObject[],
  { headers, query, body }: Evidence,
  given: Buffer,
): number {
  const header = (name: string): string => headerOf(headers, name) ?? "";
  const content = signature.content?.({ body, query, header }) ?? [body];
  let match = -1;
  for (const [index, key] of keys.entries()) {
    const hmac = createHmac(signature.algorithm, key);
    for (const part of content) hmac.update(part);
    if (timingSafeEqual(hmac.digest(), given)) match = index;
  }
  return match;
}

/** A verdict when the signed time is absent, malformed or too far from ours; undefined when it is fine. */
function withinTolerance({ timestamp }: Signature, evidence: Evidence): Verdict | undefined {
  if (timestamp === undefined) return undefined;
  const credential = "timestamp";
  const value = headerOf(evidence.headers, timestamp.header.toLowerCase());
  if (value === undefined) return { ok: false, diagnosis: { code: "missing", credential } };
  if (!timestampPattern.test(value)) {
    return { ok: false, diagnosis: { code: "malformed", credential } };
  }
  const sentAt = Number(value) * (timestamp.unit === "s" ? 1000 : 1);
  const skewMs = evidence.now - sentAt;
  return Math.abs(skewMs) <= (timestamp.toleranceMs ?? toleranceMsDefault)
    ? undefined
    : { ok: false, diagnosis: { code: "stale", credential, skewMs } };
}
