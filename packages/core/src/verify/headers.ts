/** Credentials that stand in a header as they are: static headers, bearer, basic. */

import type { Verifier } from "../contracts/verifier.ts";
import { headerOf } from "../model/delivery.ts";
import { matchOf } from "./compare.ts";
import { refused, tried, type Keyring } from "./keyring.ts";
import { sealedHeader } from "./seal.ts";

/** A header whose whole value is the secret. `name` in any case. */
export function headerVerifier(name: string, keyring: Keyring): Verifier {
  const header = name.toLowerCase();
  return fromHeader(header, `header ${header}`, keyring, {
    read: (value) => value,
    written: (secret) => secret,
  });
}

/** `Authorization: Bearer <secret>`. */
export function bearerVerifier(keyring: Keyring): Verifier {
  return fromHeader("authorization", "bearer", keyring, {
    read: (value) => afterScheme(value, "bearer"),
    written: (secret) => `Bearer ${secret}`,
  });
}

/** `Authorization: Basic base64(user:password)`. */
export function basicVerifier(user: string, passwords: Keyring): Verifier {
  return fromHeader("authorization", "basic", passwords, {
    read(value) {
      const encoded = afterScheme(value, "basic");
      if (encoded === undefined) return undefined;
      const text = Buffer.from(encoded, "base64").toString("utf8");
      return text.startsWith(`${user}:`) && text.slice(user.length + 1);
    },
    written: (secret) => `Basic ${Buffer.from(`${user}:${secret}`).toString("base64")}`,
  });
}

interface Writing {
  /** Finds what is compared: undefined where the value is of another kind, false where nothing could match. */
  readonly read: (value: string) => string | undefined | false;
  /** The value with which the header says a secret. */
  readonly written: (secret: string) => string;
}

function fromHeader(
  header: string,
  credential: string,
  keyring: Keyring,
  { read, written }: Writing,
): Verifier {
  return {
    covers: "head",
    headers: [header],
    verify(evidence) {
      const value = headerOf(evidence.headers, header);
      if (value === undefined || value === "") {
        return refused({ code: "missing", credential, detail: `no header ${header}` });
      }
      const { sealed } = evidence;
      const isSealed = sealed?.headers[header] !== undefined;
      const given = isSealed ? false : read(value);
      if (given === undefined) return refused({ code: "malformed", credential });
      return tried(keyring, credential, evidence, (secrets) => {
        const plain = given === false ? undefined : matchOf(given, secrets);
        const match = isSealed ? sealedHeader(sealed, header, secrets, written) : plain;
        return match === undefined
          ? refused({ code: "mismatch", credential })
          : { ok: true, secret: match.name };
      });
    },
  };
}

/** What follows the scheme and one space; the scheme's case does not matter (RFC 9110, 11.1). */
function afterScheme(value: string, scheme: string): string | undefined {
  const start = value.slice(0, scheme.length + 1).toLowerCase();
  return start === `${scheme} ` ? value.slice(scheme.length + 1) : undefined;
}
