/** Why a delivery was not believed, in words for the log. */

import type { Diagnosis } from "../model/verdict.ts";
import { durationText } from "./duration.ts";

/** The cause, with what to look at. Our own words and numbers alone. */
export function diagnosisText({ credential, code, ...more }: Diagnosis): string {
  const skew = more.skewMs === undefined ? "" : ` by ${durationText(Math.abs(more.skewMs))}`;
  const hint = more.detail ?? hintOf(credential, code, more.matchedBefore);
  return `${credential}: ${code}${skew}${hint === "" ? "" : `, ${hint}`}`;
}

function hintOf(credential: string, code: Diagnosis["code"], matchedBefore?: number): string {
  if (code === "mismatch") return mismatchText(credential, matchedBefore);
  return code === "exposed"
    ? "the source has no credential, and this did not come straight from this machine: give it one"
    : "";
}

function mismatchText(credential: string, matchedBefore: number | undefined): string {
  if (matchedBefore === undefined) return "is the secret here the one that the provider shows?";
  if (matchedBefore === 0) {
    return "the secrets have matched no delivery yet: is this the one that the provider shows?";
  }
  const otherwise =
    credential === "signature" ? "altered on its way, or forged" : "an old one, or another's";
  return `the secrets have matched others: ${otherwise}`;
}
