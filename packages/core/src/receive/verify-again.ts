/** Verifying refused deliveries again, as of their arrival: after a secret was put right. */

import type { ConfiguredSource, Gate } from "../contracts/source.ts";
import type { Kept, Store } from "../contracts/store.ts";
import type { Diagnosis, Verdict } from "../model/verdict.ts";
import { nextTurn } from "../group-commit.ts";
import { evidenceOf, evidenceTools, type EvidenceNeeds } from "./evidence.ts";
import { headFault } from "./head.ts";
import { holdsOneOf } from "./holds.ts";
import { verify } from "./prove.ts";

interface VerifyingAgain extends EvidenceNeeds {
  readonly store: Pick<Store, "list" | "get" | "intervene">;
  readonly sources: ReadonlyMap<string, ConfiguredSource>;
}

/** Which refused deliveries are verified again, and who asks. */
export interface VerifyAgainOptions {
  /** Only those of this source. Default: all. */
  readonly source?: string;
  /** Only these events. Default: all. */
  readonly keys?: readonly string[];
  /** Who does it; kept with each event. Default: `code`. */
  readonly by?: string;
  /** Why; kept with each event. Default: empty. */
  readonly reason?: string;
  /** Changes nothing, and answers what would be changed. Default: false. */
  readonly dryRun?: boolean;
}

/** What became of the refused deliveries that were verified again. */
export interface VerifiedAgain {
  /** Deliveries that were authentic: they are read now, and handled. */
  readonly count: number;
  /** Deliveries that are refused still, by diagnosis. */
  readonly refused: Readonly<Partial<Record<Diagnosis["code"], number>>>;
}

export async function verifyAgain(
  on: VerifyingAgain,
  { source, keys, by = "code", reason = "", dryRun = false }: VerifyAgainOptions,
): Promise<VerifiedAgain> {
  const refused: Partial<Record<Diagnosis["code"], number>> = {};
  let count = 0;
  const pages =
    keys === undefined
      ? refusedPages(on.store, source === undefined ? {} : { source })
      : [await refusedOf(on.store, keys, source)];
  for await (const page of pages) {
    const authentic: string[] = [];
    for (const kept of page) {
      const verdict = await verdictOf(on, kept);
      if (verdict?.ok === true) authentic.push(kept.event.key);
      else if (verdict?.ok === false) {
        const { code } = verdict.diagnosis;
        refused[code] = (refused[code] ?? 0) + 1;
      }
    }
    if (authentic.length > 0) {
      const ask = { act: "verify", by, reason, dryRun, limit: authentic.length } as const;
      count += (await on.store.intervene({ keys: authentic }, ask)).keys.length;
    }
  }
  return { count, refused };
}

/** Keys of the refused deliveries that hold one of these events. Walks all of them: they are few. */
export async function refusedWith(
  { store, sources }: Pick<VerifyingAgain, "store" | "sources">,
  keys: ReadonlySet<string>,
): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const page of refusedPages(store, {})) {
    for (const { event, delivery } of page) {
      const source = sources.get(event.source);
      if (source && delivery && holdsOneOf(source, delivery, keys)) found.push(event.key);
    }
  }
  return found;
}

/** Those of these events that were refused. */
async function refusedOf(
  store: Pick<Store, "get">,
  keys: readonly string[],
  source: string | undefined,
): Promise<readonly Kept[]> {
  const found: Kept[] = [];
  for (const key of new Set(keys)) {
    const kept = await store.get(key);
    const isMeant = source === undefined || kept?.event.source === source;
    if (kept?.event.state === "refused" && isMeant) found.push(kept);
  }
  return found;
}

/** Refused deliveries, in pages. */
async function* refusedPages(
  store: Pick<Store, "list" | "get">,
  filter: { readonly source?: string },
): AsyncGenerator<readonly Kept[]> {
  let cursor: string | undefined;
  do {
    const page = await store.list({ ...filter, state: "refused", cursor });
    const found: Kept[] = [];
    for (const { key } of page.events) {
      const kept = await store.get(key);
      if (kept !== undefined) found.push(kept);
    }
    yield found;
    ({ cursor } = page);
    await nextTurn();
  } while (cursor !== undefined);
}

/** Undefined for what cannot be verified: its source is gone, or asks for no credential, or its bytes are gone. */
export async function verdictOf(
  on: Omit<VerifyingAgain, "store">,
  { event, delivery }: Kept,
): Promise<Verdict | undefined> {
  const source = on.sources.get(event.source);
  if (source === undefined || delivery?.sealed === undefined) return undefined;
  const tools = evidenceTools(on, source);
  let gate: Gate | undefined;
  try {
    gate = source.gate ?? (await source.gateOf(delivery.account ?? "", tools));
  } catch (error) {
    tools.report(error);
    return { ok: false, diagnosis: { code: "key_unavailable", credential: "account" } };
  }
  if (gate?.credential !== "required") return undefined;
  const fault = headFault({ ...delivery, remoteAddress: undefined }, gate);
  if (fault !== undefined) {
    return { ok: false, diagnosis: { code: "malformed", credential: "headers" } };
  }
  if (delivery.undecrypted !== undefined) {
    return { ok: false, diagnosis: { code: "key_unavailable", credential: "encryption key" } };
  }
  const { sealed, body, receivedAt: arrivedAt } = delivery;
  const more = { token: undefined, sealed, body, arrivedAt, ...tools };
  const evidence = evidenceOf(on.publicUrl, delivery, more);
  const early = await verify(gate, "headVerifiers", evidence);
  const late = early.ok ? await verify(gate, "bodyVerifiers", evidence) : early;
  if (!early.ok || !late.ok) return late;
  return { ok: true, secret: [early.secret, late.secret].filter(Boolean).join(" ") };
}
