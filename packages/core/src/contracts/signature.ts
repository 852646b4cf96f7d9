/** How a provider signs: what `hmac`, `publicKey`, `certificate` and their combinations make. */

import type { Verdict } from "../model/verdict.ts";
import type { HeldSecret, SignatureKind } from "./credentials.ts";
import type { Evidence } from "./verifier.ts";

/** What a signature may be made of. */
export interface SignedParts {
  /** The exact body. */
  readonly body: Uint8Array;
  /** The body as JSON; undefined when it is none. */
  readonly json: unknown;
  /** The query as it came. */
  readonly query: string;
  /** The URL as the sender called it; only for a signature with `signsUrl`. */
  readonly url: string;
  /** The value of a header by its lower-case name; empty when it is absent. */
  readonly header: (name: string) => string;
}

/** What a signature is judged with. */
export interface Judging extends Pick<Evidence, "now" | "arrivedAt" | "fetch" | "report"> {
  /** How far a signed time may be from ours, where the source says so. */
  readonly toleranceMs: number | undefined;
  /** Whether there is time to find out more about a signature that matches nothing: once a second, for each source. */
  readonly mayExplain: () => boolean;
}

/** A way of signing. Total: judging neither throws nor rejects. */
export interface Signature {
  /** What its keys are given as in a source's options. */
  readonly kind: SignatureKind;
  /** Lower-case names of the headers that carry it: refused when repeated, never stored. */
  readonly headers: readonly string[];
  /** Lower-case names of further headers that it reads: refused when repeated. */
  readonly reads: readonly string[];
  /** Whether it covers the URL, so that the inbox needs a `publicUrl`. */
  readonly signsUrl: boolean;
  /** Whether it covers every byte of the body. */
  readonly signsBody: boolean;
  /** Whether it covers something of a request without a body. */
  readonly signsGet: boolean;
  /** Whether it covers a time. */
  readonly isTimed: boolean;
  /** Whether a delivery that carries none is left to the other credentials of its source. */
  readonly isOptional: boolean;
  /** Why a text cannot be one of its keys; undefined when it can. */
  refusal(secret: string): string | undefined;
  /** `secrets` are those that hold now, each without a `refusal`. */
  judge(
    parts: SignedParts,
    secrets: readonly HeldSecret[],
    judging: Judging,
  ): Verdict | Promise<Verdict>;
}
