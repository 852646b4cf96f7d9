/** Credentials as digests: what was presented can be held against a secret later, and not be read. */

import { randomBytes } from "node:crypto";
import type { HeldSecret } from "../contracts/credentials.ts";
import { sha256 } from "../hash.ts";
import { headerOf, type Sealed } from "../model/delivery.ts";

const saltBytes = 16;

/** Seals the token, and the values of the headers named, in lower case. */
export function sealOf(
  headers: readonly string[],
  names: Iterable<string>,
  token: string | undefined,
): Sealed {
  const salt = randomBytes(saltBytes).toString("base64url");
  const sealed: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const name of names) {
    const value = headerOf(headers, name);
    if (value !== undefined && value !== "") sealed[name] = digestOf(salt, canonical(value));
  }
  const given = { salt, headers: sealed };
  return token === undefined ? given : { ...given, token: digestOf(salt, token) };
}

/** The secret that the sealed token was; undefined when it was none of them. */
export function sealedToken(
  { salt, token }: Sealed,
  secrets: readonly HeldSecret[],
): HeldSecret | undefined {
  return secrets.find(({ value }) => digestOf(salt, value) === token);
}

/** The secret with which the header would have had the sealed value. `written` is how the header says a secret. */
export function sealedHeader(
  { salt, headers }: Sealed,
  name: string,
  secrets: readonly HeldSecret[],
  written: (secret: string) => string,
): HeldSecret | undefined {
  return secrets.find(({ value }) => digestOf(salt, canonical(written(value))) === headers[name]);
}

function digestOf(salt: string, text: string): string {
  return sha256(`${salt}\0${text}`).toString("base64url");
}

/** One writing for all of the same credential: a scheme's case does not matter, nor how base64 is padded. */
function canonical(value: string): string {
  const space = value.indexOf(" ");
  const scheme = value.slice(0, space).toLowerCase();
  const rest = value.slice(space + 1);
  if (scheme === "bearer") return `bearer ${rest}`;
  if (scheme !== "basic") return value;
  return `basic ${Buffer.from(rest, "base64").toString("base64")}`;
}
