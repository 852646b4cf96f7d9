/** Questions of providers to a receiver: whether a URL is theirs to send to. They are answered, and nothing is stored. */

import type { HeldSecret } from "../contracts/credentials.ts";
import type { Challenge, Reply } from "../contracts/provider.ts";
import type { ConfiguredSource, Gate } from "../contracts/source.ts";
import type { Evidence } from "../contracts/verifier.ts";
import type { Delivery } from "../model/delivery.ts";
import type { Diagnosis } from "../model/verdict.ts";
import { summaryOf } from "../observe/redact.ts";
import { matchOf } from "../verify/compare.ts";
import { within } from "../verify/remembered.ts";
import type { Receiving } from "./receive.ts";

export type Replied =
  | { readonly kind: "replied"; readonly reply: Reply }
  /** A request that asks nothing, or what must not be answered. */
  | { readonly kind: "no_question" }
  | { readonly kind: "refused"; readonly diagnosis: Diagnosis }
  /** The answer could not be made just now. */
  | { readonly kind: "failed" };

const handshakeMs = 5000;
/** What is sent back word for word: nothing that a browser, a proxy or a log could take for something else. */
const echoPattern = /^[A-Za-z0-9_.~=+/-]{1,512}$/;

/** Answers a question by GET. */
export async function answerChallenge(
  { credential, token, answer }: Challenge,
  { challenged }: Gate,
  evidence: Evidence,
): Promise<Replied> {
  const query = new URLSearchParams(evidence.query);
  const holds = await heldNow(challenged, evidence);
  if (holds === undefined) {
    return { kind: "refused", diagnosis: { code: "key_unavailable", credential } };
  }
  const given = token?.(query);
  if (token !== undefined && typeof given !== "string") {
    return { kind: "refused", diagnosis: { code: "missing", credential } };
  }
  const secret = typeof given !== "string" ? holds[0] : matchOf(given, holds);
  if (secret === undefined) {
    return { kind: "refused", diagnosis: { code: "mismatch", credential } };
  }
  return checked(answer(query, secret.value));
}

async function heldNow(
  challenged: Gate["challenged"],
  evidence: Evidence,
): Promise<readonly HeldSecret[] | undefined> {
  try {
    const held = (await challenged?.(evidence)) ?? [];
    const { now } = evidence;
    return held.filter(({ notBefore, notAfter }) => notBefore <= now && now <= notAfter);
  } catch (error) {
    evidence.report(error);
    return undefined;
  }
}

/** Answers an authentic delivery that is a question; undefined for every other. */
export async function answerHandshake(
  { name: source, provider }: ConfiguredSource,
  delivery: Delivery,
  { fetch, emit }: Pick<Receiving, "fetch" | "emit">,
): Promise<Replied | undefined> {
  try {
    const reply = await provider.handshake?.(delivery, {
      fetch: async (url) => {
        const signal = AbortSignal.timeout(handshakeMs);
        const response = await within(handshakeMs, fetch(url, { redirect: "error", signal }));
        response.body?.cancel().catch(() => undefined);
        return { ok: response.ok, status: response.status };
      },
    });
    return reply === undefined ? undefined : checked(reply);
  } catch (error) {
    emit({ kind: "keys_failed", source, error: summaryOf(error) });
    return { kind: "failed" };
  }
}

function checked(reply: Reply | undefined): Replied {
  if (reply === undefined) return { kind: "no_question" };
  const isText = (reply.contentType ?? "text/plain") === "text/plain";
  return isText && reply.body !== "" && !echoPattern.test(reply.body)
    ? { kind: "no_question" }
    : { kind: "replied", reply };
}
