/** What all ways of signing share: where the signatures stand, what they cover, and when they were made. */

import type { HeldSecret, SignatureKind } from "../contracts/credentials.ts";
import type { Judging, Signature, SignedParts } from "../contracts/signature.ts";
import type { Diagnosis, Verdict } from "../model/verdict.ts";
import { refused } from "./keyring.ts";

/** Where a signature stands and what it covers. */
export interface Signing {
  /** The header that carries it, or several of which one does. A signature inside the body needs none. */
  readonly header?: string | readonly string[];
  /** What stands before each signature, such as `sha256=`. */
  readonly prefix?: string;
  /** The signatures of a request, any of which may match; those without the prefix do not count. Default: the headers' values. */
  readonly signatures?: (parts: SignedParts) => readonly string[];
  readonly encoding: "hex" | "base64";
  /** Lower-case names of headers that are signed or read beside it. */
  readonly reads?: readonly string[];
  /** When the signature covers a time: where it stands, in which unit, and how far it may be from our clock. */
  readonly timestamp?: {
    readonly of: (parts: SignedParts) => unknown;
    /** Of a number since 1970, or ISO 8601. */
    readonly unit: "s" | "ms" | "iso";
    /** In both directions. Default: 300,000. */
    readonly toleranceMs?: number;
  };
  /**
   * The signed parts, in order; undefined where a request cannot have been signed. Default: the body alone, which is only
   * for providers that send no GET.
   */
  readonly content?: (
    parts: SignedParts,
    secret: string,
  ) => readonly (string | Uint8Array)[] | undefined;
  /**
   * Whether every byte of the body is covered, so that the body may be what an event is known by (`dedup: "body"`). False
   * where a form is signed by its fields, or fields of JSON are. Default: true.
   */
  readonly signsBody?: boolean;
  /** Whether the content holds the URL, so that the inbox needs a `publicUrl`. Default: no. */
  readonly signsUrl?: boolean;
}

/** How the bytes of a signature are tested. */
export interface Method<Key> {
  readonly kind: SignatureKind;
  /** How long its signatures are; undefined where that varies. */
  readonly bytes: number | undefined;
  readonly refusal: (secret: string) => string | undefined;
  readonly keyOf: (secret: HeldSecret) => Key;
  /** Tests signatures of one content. */
  readonly tester: (
    key: Key,
    content: readonly (string | Uint8Array)[],
  ) => (signature: Buffer) => boolean;
  /** More about signatures that match nothing. */
  readonly explain?: (mismatch: Mismatch<Key>) => Diagnosis | undefined;
}

export interface Mismatch<Key> {
  readonly parts: SignedParts;
  readonly secrets: readonly HeldSecret[];
  /** Whether the request would match with other parts or another key. */
  readonly matches: (parts: SignedParts, secret: HeldSecret, key: Key) => boolean;
}

const toleranceMsDefault = 300_000;
/** Strict, because `Number` and `parseInt` read much that no sender means. */
const timestampPattern = /^\d{1,15}$/;
const isoPattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;
/** While secrets change a sender signs with a few; each further one costs as much as a delivery. */
const signaturesMax = 16;
const signatureCharactersMax = 2048;

/** Checks the signature first and its time second, so that only the holder of the secret learns that a time is stale. */
export function signatureOf<Key>(signing: Signing, method: Method<Key>): Signature {
  const headers = [signing.header ?? []].flat().map((name) => name.toLowerCase());
  return {
    kind: method.kind,
    headers,
    reads: (signing.reads ?? []).map((name) => name.toLowerCase()),
    signsUrl: signing.signsUrl === true,
    signsBody: signing.signsBody ?? true,
    signsGet: signing.content !== undefined,
    isTimed: signing.timestamp !== undefined,
    isOptional: false,
    refusal: method.refusal,
    judge: (parts, secrets, judging) => {
      try {
        return judged(signing, method, headers, parts, secrets, judging);
      } catch {
        // What the provider's own functions cannot read was not signed.
        return refused({ code: "mismatch", credential });
      }
    },
  };
}

const credential = "signature";

function judged<Key>(
  signing: Signing,
  method: Method<Key>,
  headers: readonly string[],
  parts: SignedParts,
  secrets: readonly HeldSecret[],
  judging: Judging,
): Verdict {
  const texts =
    signing.signatures?.(parts) ??
    headers.map((name) => parts.header(name)).filter((value) => value !== "");
  if (texts.length === 0) {
    const names = headers.join(" or ");
    const detail = names === "" ? {} : { detail: `no header ${names}` };
    return refused({ code: "missing", credential, ...detail });
  }
  const signatures = texts.flatMap((text) => decoded(text, signing, method.bytes) ?? []);
  if (signatures.length === 0 || texts.length > signaturesMax) {
    return refused({ code: "malformed", credential });
  }
  const matches = (given: SignedParts, secret: HeldSecret, key: Key): boolean => {
    const content =
      signing.content === undefined ? [given.body] : signing.content(given, secret.value);
    if (content === undefined) return false;
    return signatures.map(method.tester(key, content)).includes(true);
  };
  let match: HeldSecret | undefined;
  for (const secret of secrets) if (matches(parts, secret, method.keyOf(secret))) match = secret;
  if (match === undefined) {
    const why = judging.mayExplain() ? method.explain?.({ parts, secrets, matches }) : undefined;
    return refused(why ?? { code: "mismatch", credential });
  }
  return untimely(signing, parts, judging) ?? { ok: true, secret: match.name };
}

/** The bytes of a signature. Its alphabet and exact length are checked before it is decoded: decoders forgive too much. */
function decoded(
  text: string,
  { prefix = "", encoding }: Signing,
  bytes: number | undefined,
): Buffer | undefined {
  if (!text.startsWith(prefix) || text.length > signatureCharactersMax) return undefined;
  const coded = text.slice(prefix.length);
  if (encoding === "hex" && !/^(?:[0-9a-f]{2})+$/i.test(coded)) return undefined;
  const buffer = Buffer.from(coded, encoding);
  if (encoding === "base64" && buffer.toString("base64") !== coded) return undefined;
  return buffer.length > 0 && buffer.length === (bytes ?? buffer.length) ? buffer : undefined;
}

/** A verdict when the signed time is absent, malformed or too far from ours; undefined when it is fine. */
function untimely(
  { timestamp }: Signing,
  parts: SignedParts,
  { arrivedAt, toleranceMs }: Judging,
): Verdict | undefined {
  if (timestamp === undefined) return undefined;
  const given = timestamp.of(parts);
  const value = typeof given === "number" ? String(given) : given;
  if (value === undefined || value === "") {
    return refused({ code: "missing", credential: "timestamp" });
  }
  const pattern = timestamp.unit === "iso" ? isoPattern : timestampPattern;
  if (
    typeof value !== "string" ||
    !pattern.test(value) ||
    Number.isNaN(instantOf(value, timestamp.unit))
  ) {
    return refused({ code: "malformed", credential: "timestamp" });
  }
  const skewMs = arrivedAt - instantOf(value, timestamp.unit);
  return Math.abs(skewMs) <= (toleranceMs ?? timestamp.toleranceMs ?? toleranceMsDefault)
    ? undefined
    : refused({ code: "stale", credential: "timestamp", skewMs });
}

function instantOf(value: string, unit: "s" | "ms" | "iso"): number {
  return unit === "iso" ? Date.parse(value) : Number(value) * (unit === "s" ? 1000 : 1);
}

/** A part of a body's JSON: of nested records by their names; undefined where there is none. */
export function fieldOf(json: unknown, ...names: readonly string[]): unknown {
  let value = json;
  for (const name of names) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name))
      return undefined;
    value = (value as Readonly<Record<string, unknown>>)[name];
  }
  return value;
}
