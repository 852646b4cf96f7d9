/** Credentials that stand in a header as they are: static headers, bearer, basic. */

import type { Verifier } from "../contracts/verifier.ts";
import { headerOf } from "../model/delivery.ts";
import type { Verdict } from "../model/verdict.ts";
import { digestsOf, matchOf, type Digests } from "./compare.ts";

/** A header whose whole value is the secret. `name` in any case. */
export function headerVerifier(name: string, secrets: readonly string[]): Verifier {
  const header = name.toLowerCase();
  return fromHeader(header, `header ${header}`, secrets, (value) => value);
}

/** `Authorization: Bearer <secret>`. */
export function bearerVerifier(secrets: readonly string[]): Verifier {
  return fromHeader("authorization", "bearer", secrets, (value) => afterScheme(value, "bearer"));
}

/** `Authorization: Basic base64(user:password)`. */
export function basicVerifier(user: string, passwords: readonly string[]): Verifier {
  const encoded = passwords.map((password) =>
    Buffer.from(`${user}:${password}`, "utf8").toString("base64"),
  );
  return fromHeader("authorization", "basic", encoded, (value) => afterScheme(value, "basic"));
}

function fromHeader(
  header: string,
  credential: string,
  secrets: readonly string[],
  read: (value: string) => string | undefined,
): Verifier {
  const digests = digestsOf(secrets);
  return {
    covers: "head",
    headers: [header],
    verify: ({ headers }) => judge(headerOf(headers, header), credential, digests, read),
  };
}

function judge(
  value: string | undefined,
  credential: string,
  digests: Digests,
  read: (value: string) => string | undefined,
): Verdict {
  if (value === undefined || value === "") {
    return { ok: false, diagnosis: { code: "missing", credential } };
  }
  const given = read(value);
  if (given === undefined) return { ok: false, diagnosis: { code: "malformed", credential } };
  const match = matchOf(given, digests);
  return match === -1
    ? { ok: false, diagnosis: { code: "mismatch", credential } }
    : { ok: true, secret: `${credential}#${match + 1}` };
}

/** What follows the scheme and one space; the scheme's case does not matter (RFC 9110, 11.1). */
function afterScheme(value: string, scheme: string): string | undefined {
  const start = value.slice(0, scheme.length + 1).toLowerCase();
  return start === `${scheme} ` ? value.slice(scheme.length + 1) : undefined;
}
