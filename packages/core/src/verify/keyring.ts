/** The secrets of one credential: as given, for a time, or from somewhere that has to be asked. */

import type { HeldSecret, Secret } from "../contracts/credentials.ts";
import type { Evidence } from "../contracts/verifier.ts";
import { WebhookInboxError } from "../errors.ts";
import type { Diagnosis, Verdict } from "../model/verdict.ts";
import { andThen, type Later } from "../later.ts";
import { Remembered } from "./remembered.ts";

export interface Keyring {
  /** All secrets, those that do not hold now included. Rejects when they cannot be had. */
  held(evidence: Asked): Later<readonly HeldSecret[]>;
  /** Asks again for secrets of which none matched; undefined where that is pointless. */
  renewed(evidence: Asked): Promise<readonly HeldSecret[]> | undefined;
}

type Asked = Pick<Evidence, "now" | "report">;

/** How long a fetched list is used, and how long while fetching fails: a vault that is away must not refuse deliveries. */
const fetchedTerms = { freshMs: 60_000, staleMs: 86_400_000, entriesMax: 1 };

/**
 * The secrets of the option `option`, named `<name>#1` and on. `refusal` says why a text can be none. Throws
 * `CREDENTIAL_INVALID`.
 */
export function keyringOf(
  option: string,
  name: string,
  secret: Secret,
  refusal: (secret: string) => string | undefined = () => undefined,
): Keyring {
  const listOf = (given: unknown): readonly HeldSecret[] => heldOf(option, name, given, refusal);
  if (typeof secret !== "function") {
    const list = listOf(secret);
    return { held: () => list, renewed: () => undefined };
  }
  const fetched = new Remembered({ ...fetchedTerms, load: async () => listOf(await secret()) });
  return {
    held: ({ now, report }) => fetched.get("", now, report),
    renewed: ({ now }) => fetched.renew("", now),
  };
}

/** Tries a judgement on the secrets that hold now; if none matches, on those that do not, and on what is asked for anew. */
export function tried(
  keyring: Keyring,
  credential: string,
  evidence: Evidence,
  judge: (secrets: readonly HeldSecret[]) => Later<Verdict>,
): Later<Verdict> {
  const holds = ({ notBefore, notAfter }: HeldSecret): boolean =>
    notBefore <= evidence.arrivedAt && evidence.arrivedAt <= notAfter;
  const judged = (secrets: readonly HeldSecret[]): Later<Verdict> =>
    andThen(judge(secrets.filter(holds)), (verdict) => {
      const others = secrets.filter((one) => !holds(one));
      if (others.length === 0 || !mayBeAnother(verdict)) return verdict;
      return andThen(judge(others), (other) =>
        other.ok ? refused(untimely(credential, other.secret, others, evidence)) : verdict,
      );
    });
  const unavailable = (error: unknown): Verdict => {
    evidence.report(error);
    return refused({ code: "key_unavailable", credential });
  };
  const first = keyring.held(evidence);
  const verdict = first instanceof Promise ? first.then(judged, unavailable) : judged(first);
  return andThen(verdict, (one) => {
    const again = mayBeAnother(one) ? keyring.renewed(evidence) : undefined;
    if (again === undefined) return one;
    return again.then(judged, (error: unknown) => {
      evidence.report(error);
      return one;
    });
  });
}

function untimely(
  credential: string,
  name: string,
  secrets: readonly HeldSecret[],
  { arrivedAt }: Evidence,
): Diagnosis {
  const isEarly = secrets.some((secret) => secret.name === name && arrivedAt < secret.notBefore);
  const detail = `${name} ${isEarly ? "does not hold yet" : "holds no longer"}`;
  return { code: "expired", credential, detail };
}

function mayBeAnother(verdict: Verdict): boolean {
  return !verdict.ok && ["mismatch", "reencoded"].includes(verdict.diagnosis.code);
}

export function refused(diagnosis: Diagnosis): Verdict {
  return { ok: false, diagnosis };
}

/**
 * Refused are undefined, an empty list, and texts that an unset variable makes; the literal `NULL` is what SocialData
 * signs with while no secret is set, so that anybody could sign.
 */
const secretsMax = 32;

function heldOf(
  given: string,
  name: string,
  secrets: unknown,
  refusal: (secret: string) => string | undefined,
): readonly HeldSecret[] {
  if (secrets === undefined) throw unset(given, "is undefined");
  const list: readonly unknown[] = Array.isArray(secrets) ? secrets : [secrets];
  if (list.length === 0) throw unset(given, "is an empty list");
  if (list.length > secretsMax)
    throw invalidCredential(given, `has more than ${secretsMax} secrets`);
  return list.map((one, index) => {
    const option = list.length === 1 ? given : `${given}[${index}]`;
    const isDated = typeof one === "object" && one !== null && "value" in one;
    const {
      value,
      notBefore,
      notAfter,
    }: { value: unknown; notBefore?: unknown; notAfter?: unknown } = isDated ? one : { value: one };
    if (typeof value !== "string") {
      throw unset(option, `is ${value === null ? "null" : typeof value}`);
    }
    if (value.trim() === "") throw unset(option, "is empty");
    if (value === "NULL" || /(?:undefined|null)$/.test(value)) {
      throw unset(option, "looks like an unset variable");
    }
    const why = refusal(value);
    if (why !== undefined) throw invalidCredential(option, why);
    return {
      name: `${name}#${index + 1}`,
      value,
      notBefore: instantOf(option, "notBefore", notBefore, -Infinity),
      notAfter: instantOf(option, "notAfter", notAfter, Infinity),
    };
  });
}

function instantOf(option: string, name: string, given: unknown, otherwise: number): number {
  if (given === undefined) return otherwise;
  const instant = new Date(given as string).getTime();
  if (!Number.isNaN(instant)) return instant;
  throw invalidCredential(option, `has a ${name} that is no instant`);
}

export function invalidCredential(option: string, what: string): WebhookInboxError {
  return new WebhookInboxError("CREDENTIAL_INVALID", `${option} ${what}.`);
}

function unset(option: string, what: string): WebhookInboxError {
  const set = "Set it to the secret (is the environment variable that it is read from set?)";
  const none = `leave ${option} out and write auth: "none" to take deliveries from anybody`;
  return invalidCredential(option, `${what}. ${set}, or ${none}`);
}
