/** What the verifiers of a source are given, for a delivery that comes in and for one that is verified again. */

import type { Clock } from "../contracts/clock.ts";
import type { ConfiguredSource } from "../contracts/source.ts";
import type { Evidence } from "../contracts/verifier.ts";
import { queryOf, type Delivery } from "../model/delivery.ts";
import { summaryOf } from "../observe/redact.ts";
import type { Emit } from "../observe/signals.ts";

export interface EvidenceNeeds {
  readonly publicUrl: string;
  readonly clock: Clock;
  readonly fetch: typeof globalThis.fetch;
  readonly emit: Emit;
}

/** What a source may reach out with. */
export function evidenceTools(
  { clock, emit, fetch }: Omit<EvidenceNeeds, "publicUrl">,
  { name }: ConfiguredSource,
): Pick<Evidence, "now" | "fetch" | "report"> {
  return {
    now: clock.now(),
    fetch,
    report: (error) => emit({ kind: "keys_failed", source: name, error: summaryOf(error) }),
  };
}

/** `target` as it came in, or as it is kept. */
export function evidenceOf(
  publicUrl: string,
  { headers, target }: Pick<Delivery, "headers" | "target">,
  more: Omit<Evidence, "headers" | "query" | "url">,
): Evidence {
  return {
    headers,
    query: queryOf(target),
    url: publicUrl === "" ? "" : publicUrl + target,
    ...more,
  };
}
