/**
 * Finds out for the operator why an HMAC does not match: whether the same content in another writing would, or the secret
 * in another form. Costs as much as a dozen deliveries, so it is not done for every forged one.
 */

import type { KeyObject } from "node:crypto";
import type { HeldSecret } from "../contracts/credentials.ts";
import type { SignedParts } from "../contracts/signature.ts";
import type { Diagnosis } from "../model/verdict.ts";
import type { Mismatch } from "./signing.ts";

const bodyBytesMax = 65_536;
const credential = "signature";

export function explained({
  bytesOf,
  keyOf,
  unset,
}: {
  readonly bytesOf: (secret: string) => Uint8Array | undefined;
  readonly keyOf: (bytes: Uint8Array) => KeyObject;
  readonly unset: string | undefined;
}): (mismatch: Mismatch<KeyObject>) => Diagnosis | undefined {
  return ({ parts, secrets, matches }) => {
    if (parts.body.length > bodyBytesMax) return undefined;
    const fits = (given: SignedParts, secret: HeldSecret, bytes: Uint8Array | undefined): boolean =>
      bytes !== undefined && matches(given, secret, keyOf(bytes));
    for (const secret of secrets) {
      for (const [detail, body] of writings(parts)) {
        const rewritten = { ...parts, body };
        if (fits(rewritten, secret, bytesOf(secret.value))) {
          return { code: "reencoded", credential, detail };
        }
      }
      for (const [detail, bytes] of forms(secret.value)) {
        if (fits(parts, secret, bytes)) return { code: "mismatch", credential, detail };
      }
    }
    const none = { name: "", value: unset ?? "", notBefore: -Infinity, notAfter: Infinity };
    return unset !== undefined && fits(parts, none, bytesOf(unset))
      ? { code: "mismatch", credential, detail: "no secret is set at the provider" }
      : undefined;
  };
}

/** Other writings of the same body, as middleware and proxies make them of one another. */
function* writings({ body, json }: SignedParts): Generator<readonly [string, Uint8Array]> {
  const text = Buffer.from(body).toString("utf8");
  yield ["the body without white space around it", Buffer.from(text.trim())];
  yield ["the body with a line end behind it", Buffer.from(`${text}\n`)];
  yield ["the body with CR LF behind it", Buffer.from(`${text}\r\n`)];
  yield ["the body with LF for CR LF", Buffer.from(text.replaceAll("\r\n", "\n"))];
  yield ["the body with CR LF for LF", Buffer.from(text.replaceAll(/\r?\n/g, "\r\n"))];
  yield ["the body without a byte order mark", Buffer.from(text.replace(/^\uFEFF/, ""))];
  if (json === undefined) return;
  const compact = JSON.stringify(json);
  yield ["the JSON without spaces", Buffer.from(compact)];
  yield ["the JSON with spaces after commas and colons", Buffer.from(spaced(json))];
  yield ["the JSON indented by two", Buffer.from(JSON.stringify(json, undefined, 2))];
  yield ["the JSON in ASCII", Buffer.from(ascii(compact))];
  yield ["the JSON in ASCII, with spaces", Buffer.from(ascii(spaced(json)))];
  yield ["the JSON with escaped slashes", Buffer.from(compact.replaceAll("/", String.raw`\/`))];
  const escaped = ascii(compact).replaceAll("/", String.raw`\/`);
  yield ["the JSON in ASCII, with escaped slashes", Buffer.from(escaped)];
}

function spaced(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spaced).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).map(
    ([name, one]) => `${JSON.stringify(name)}: ${spaced(one)}`,
  );
  return `{${fields.join(", ")}}`;
}

function ascii(text: string): string {
  return text.replaceAll(
    /[^\0-\x7F]/g,
    (character) => String.raw`\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Other forms of a secret, as people copy them. */
function* forms(secret: string): Generator<readonly [string, Uint8Array]> {
  if (secret.trim() !== secret) {
    yield ["the secret has white space around it", Buffer.from(secret.trim())];
  }
  yield ["the secret is text, not base64", Buffer.from(secret)];
  yield ["the secret is base64, not text", Buffer.from(secret, "base64")];
  yield ["the secret is hexadecimal, not text", Buffer.from(secret, "hex")];
}
