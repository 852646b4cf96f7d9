/** Proving who sent a delivery: all credentials of its gate, each refusal explained. */

import type { Gate } from "../contracts/source.ts";
import type { Evidence } from "../contracts/verifier.ts";
import type { DeliveryHead } from "../model/delivery.ts";
import type { Diagnosis, Verdict } from "../model/verdict.ts";
import { isDirectLoopback } from "./head.ts";

/** Of a delivery that comes in: what matched is counted. */
export async function prove(
  gate: Gate,
  kind: "headVerifiers" | "bodyVerifiers",
  evidence: Evidence,
): Promise<Verdict> {
  const verdict = await verify(gate, kind, evidence);
  const secrets = verdict.ok && verdict.secret !== "" ? verdict.secret.split(" ") : [];
  for (const secret of secrets) {
    const count = (gate.matches.get(secret)?.count ?? 0) + 1;
    gate.matches.set(secret, { count, lastAt: evidence.now });
  }
  return verdict;
}

/** All of them must accept; `secret` names the ones that matched. */
export async function verify(
  gate: Gate,
  kind: "headVerifiers" | "bodyVerifiers",
  evidence: Evidence,
): Promise<Verdict> {
  const secrets: string[] = [];
  for (const verifier of gate[kind]) {
    const later = verifier.verify(evidence);
    // A promise only where keys are fetched: all others are judged in one turn.
    const verdict = later instanceof Promise ? await later : later;
    if (!verdict.ok) return { ok: false, diagnosis: compared(gate, verdict.diagnosis) };
    if (verdict.secret !== "") secrets.push(verdict.secret);
  }
  return { ok: true, secret: secrets.join(" ") };
}

/** A secret that has served before is hardly the wrong one. */
function compared(gate: Gate, diagnosis: Diagnosis): Diagnosis {
  if (diagnosis.code !== "mismatch") return diagnosis;
  const kind =
    diagnosis.credential === "signature" ? /^(?:secret|publicKey|webhookId|topicArn)#/ : undefined;
  let matchedBefore = 0;
  for (const [name, { count }] of gate.matches) {
    const isOfKind = kind?.test(name) ?? name.startsWith(`${diagnosis.credential}#`);
    if (isOfKind) matchedBefore += count;
  }
  return { ...diagnosis, matchedBefore };
}

/** What stands for a credential on a source that has none, outside of production. */
export function direct(head: DeliveryHead): Verdict {
  return isDirectLoopback(head)
    ? { ok: true, secret: "" }
    : { ok: false, diagnosis: { code: "exposed", credential: "none" } };
}
