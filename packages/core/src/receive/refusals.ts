/**
 * The ring of refused deliveries: what was answered 401 is kept for a while, because the wrong secret may have been ours. It
 * is nobody's custody: little of it is kept, no answer waits for it, and a store that is away loses it.
 */

import type { Clock } from "../contracts/clock.ts";
import type { ConfiguredSource, Gate } from "../contracts/source.ts";
import { unclaimed, type Store } from "../contracts/store.ts";
import { eventKey } from "../event-key.ts";
import { headerOf, type Delivery, type DeliveryHead } from "../model/delivery.ts";
import type { NewEvent } from "../model/event.ts";
import type { Diagnosis } from "../model/verdict.ts";
import { sealOf } from "../verify/seal.ts";
import { deliveryOf } from "./delivery.ts";

interface RefusalsNeeds {
  readonly store: Pick<Store, "take">;
  /** Whether the store is there, as far as is known. */
  readonly isThere: () => boolean;
  readonly clock: Clock;
}

/** Larger bodies are not kept. */
export const refusedBytesMax = 65_536;
/** So many of a source at once, and one more in each of these times. */
const burst = 100;
const everyMs = 10_000;
/** Until what has come is written: one commit for all of it. */
const flushMs = 1000;
const waitingMax = 200;

/** What a delivery that is refused was when it came. */
export interface Refused {
  readonly gate: Gate;
  readonly head: DeliveryHead;
  readonly read: Pick<
    Delivery,
    "target" | "account" | "segment" | "body" | "reconstructed" | "receivedAt"
  > & { readonly token: string | undefined };
  readonly diagnosis: Diagnosis;
}

export class Refusals {
  readonly #needs: RefusalsNeeds;
  /** By their keys: what comes again and again is one. */
  readonly #waiting = new Map<string, NewEvent>();
  readonly #budgets = new Map<string, { left: number; at: number }>();
  #cancel: (() => void) | undefined;
  #flushing: Promise<void> = Promise.resolve();

  constructor(needs: RefusalsNeeds) {
    this.#needs = needs;
  }

  /** Whether one more of a source would be kept. */
  hasRoom(source: string): boolean {
    return this.#waiting.size < waitingMax && this.#budgetOf(source).left >= 1;
  }

  add(source: ConfiguredSource, refused: Refused): void {
    if (!this.hasRoom(source.name)) return;
    const event = refusedEvent(source, refused);
    const known = this.#waiting.get(event.key);
    if (known !== undefined) {
      this.#waiting.set(event.key, { ...known, copies: known.copies + 1 });
      return;
    }
    this.#budgetOf(source.name).left -= 1;
    this.#waiting.set(event.key, event);
    this.#cancel ??= this.#needs.clock.after(flushMs, () => void this.flush());
  }

  /** Writes what waits, once what is under way has ended. Never rejects: what the store does not take is forgotten. */
  async flush(): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    await this.#flushing;
    const events = [...this.#waiting.values()];
    this.#waiting.clear();
    if (events.length > 0 && this.#needs.isThere()) {
      this.#flushing = this.#write(events);
    }
    await this.#flushing;
  }

  async #write(events: readonly NewEvent[]): Promise<void> {
    await this.#needs.store.take(events, unclaimed()).catch(() => undefined);
  }

  #budgetOf(source: string): { left: number; at: number } {
    const now = this.#needs.clock.now();
    const budget = this.#budgets.get(source) ?? { left: burst, at: now };
    const more = Math.max(0, now - budget.at) / everyMs;
    budget.left = Math.min(burst, budget.left + more);
    budget.at = now;
    this.#budgets.set(source, budget);
    return budget;
  }
}

function refusedEvent(
  source: ConfiguredSource,
  { gate, head, read, diagnosis }: Refused,
): NewEvent {
  const signed = signatureHeaders(gate);
  const names = credentialHeaders(gate, signed, head.headers);
  const kept = deliveryOf({ ...gate, secretHeaders: names }, head, {
    ...read,
    verifiedWith: "refused",
  });
  const { contentHash, account, segment = "" } = kept;
  const proof = [read.token, ...[...names, ...signed].map((name) => headerOf(head.headers, name))];
  const scope = account === undefined ? source.name : `${source.name}/${account}`;
  return {
    // With its credentials: a stranger who knows the content must not stand in its place.
    key: eventKey(`refused of ${scope}`, JSON.stringify([contentHash, segment, ...proof])),
    source: source.name,
    id: `sha256:${contentHash}`,
    type: "",
    identified: false,
    occurredAt: undefined,
    notes: [],
    quarantine: undefined,
    refused: diagnosis.code,
    delivery: { ...kept, sealed: sealOf(head.headers, names, read.token) },
    copies: 1,
    conflictKey: undefined,
  };
}

const looksSecret = /auth|token|secret|passw|key|credential|cookie|session/;
const looksSigned = /sign|hmac|digest|algo|cert|timestamp/;

function signatureHeaders({ bodyVerifiers }: Gate): ReadonlySet<string> {
  return new Set(bodyVerifiers.flatMap(({ headers, reads = [] }) => [...headers, ...reads]));
}

/**
 * Which headers may carry a secret as it is: those that the source asks for, and those that look like it, since the wrong
 * name may have been ours. What a signature is made of is no secret.
 */
function credentialHeaders(
  gate: Gate,
  signed: ReadonlySet<string>,
  headers: readonly string[],
): ReadonlySet<string> {
  const names = new Set(["authorization", ...gate.secretHeaders]);
  for (let line = 0; line < headers.length; line += 2) {
    const name = headers[line]?.toLowerCase() ?? "";
    if (looksSecret.test(name) && !looksSigned.test(name)) names.add(name);
  }
  return new Set(
    [...names].filter((name) => !signed.has(name) && headerOf(headers, name) !== undefined),
  );
}
