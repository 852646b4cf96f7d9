/** Ways of signing, combined. */

import type { Signature } from "../contracts/signature.ts";
import type { Diagnosis, Verdict } from "../model/verdict.ts";
import { andThen, type Later } from "../later.ts";

/** Which diagnosis says most, where several are to be had: the last of these. */
const byWeight: readonly Diagnosis["code"][] = [
  "missing",
  "malformed",
  "mismatch",
  "reencoded",
  "stale",
  "key_unavailable",
];

/**
 * Any of several ways of signing. Each is tried with those of the secrets that can be its keys, so that secrets of two
 * kinds may stand in one list.
 */
export function anyOf(...signatures: readonly [Signature, ...Signature[]]): Signature {
  const [first] = signatures;
  return {
    kind: first.kind,
    headers: [...new Set(signatures.flatMap(({ headers }) => headers))],
    reads: [...new Set(signatures.flatMap(({ reads }) => reads))],
    signsUrl: signatures.some(({ signsUrl }) => signsUrl),
    signsBody: signatures.every(({ signsBody }) => signsBody),
    signsGet: signatures.every(({ signsGet }) => signsGet),
    isTimed: signatures.some(({ isTimed }) => isTimed),
    isOptional: false,
    refusal(secret) {
      const refusals = signatures.map((one) => one.refusal(secret));
      return refusals.includes(undefined) ? undefined : refusals[0];
    },
    judge(parts, secrets, judging) {
      const judgeFrom = (index: number, worst: Verdict | undefined): Later<Verdict> => {
        const signature = signatures[index];
        if (signature === undefined) return worst ?? nothing;
        const own = secrets.filter(({ value }) => signature.refusal(value) === undefined);
        if (own.length === 0) return judgeFrom(index + 1, worst);
        return andThen(signature.judge(parts, own, judging), (verdict) =>
          verdict.ok ? verdict : judgeFrom(index + 1, weightier(worst, verdict)),
        );
      };
      return judgeFrom(0, undefined);
    },
  };
}

/** No secret of any of the kinds holds now. */
const nothing: Verdict = { ok: false, diagnosis: { code: "mismatch", credential: "signature" } };

function weightier(one: Verdict | undefined, other: Verdict): Verdict {
  const weight = (verdict: Verdict | undefined): number =>
    verdict === undefined || verdict.ok ? -2 : byWeight.indexOf(verdict.diagnosis.code);
  return weight(other) > weight(one) || one === undefined ? other : one;
}

/** A signature that is checked where there is one; a delivery without it is left to the other credentials of its source. */
export function whenPresent(signature: Signature): Signature {
  return {
    ...signature,
    isOptional: true,
    judge: (parts, secrets, judging) =>
      andThen(signature.judge(parts, secrets, judging), (verdict) =>
        !verdict.ok && verdict.diagnosis.code === "missing" && isSignature(verdict.diagnosis)
          ? { ok: true, secret: "" }
          : verdict,
      ),
  };
}

const isSignature = ({ credential }: Diagnosis): boolean => credential === "signature";
