/** Proving who sent a delivery: all credentials of its gate, each refusal explained. */

import type { Gate } from "../contracts/source.ts";
import type { Evidence } from "../contracts/verifier.ts";
import type { DeliveryHead } from "../model/delivery.ts";
import type { Diagnosis, Verdict } from "../model/verdict.ts";
import { andThen, type Later } from "../later.ts";
import { isDirectLoopback } from "./head.ts";

/** Of a delivery that comes in: what matched is counted. */
export function prove(
  gate: Gate,
  kind: "headVerifiers" | "bodyVerifiers",
  evidence: Evidence,
): Later<Verdict> {
  return andThen(verify(gate, kind, evidence), (verdict) => {
    if (!verdict.ok || verdict.secret === "") return verdict;
    for (const secret of verdict.secret.split(" ")) {
      const count = (gate.matches.get(secret)?.count ?? 0) + 1;
      gate.matches.set(secret, { count, lastAt: evidence.now });
    }
    return verdict;
  });
}

/** All of them must accept; `secret` names the ones that matched. At once, but where keys are fetched. */
export function verify(
  gate: Gate,
  kind: "headVerifiers" | "bodyVerifiers",
  evidence: Evidence,
): Later<Verdict> {
  const verifiers = gate[kind];
  const from = (index: number, secrets: string): Later<Verdict> => {
    const verifier = verifiers[index];
    if (verifier === undefined) return { ok: true, secret: secrets };
    return andThen(verifier.verify(evidence), (verdict) => {
      if (!verdict.ok) return { ok: false, diagnosis: compared(gate, verdict.diagnosis) };
      const { secret } = verdict;
      const isFirst = secrets === "" || secret === "";
      return from(index + 1, isFirst ? secrets + secret : `${secrets} ${secret}`);
    });
  };
  return from(0, "");
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
