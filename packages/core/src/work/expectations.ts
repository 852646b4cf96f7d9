/**
 * Expectations: events that the user's own code has asked a provider for. If the webhook has not come in time, the provider
 * is asked, and its answer is taken as the event that the webhook would have been: by the same id, so that the two are one.
 */

import type { Clock } from "../contracts/clock.ts";
import type { Polled } from "../contracts/poll.ts";
import type { ConfiguredSource } from "../contracts/source.ts";
import { unclaimed, type Claim, type Store } from "../contracts/store.ts";
import { isStoreAway } from "../errors.ts";
import { eventKey } from "../event-key.ts";
import type { Delivery } from "../model/delivery.ts";
import type { NewEvent } from "../model/event.ts";
import { summaryOf } from "../observe/redact.ts";
import type { Emit } from "../observe/signals.ts";
import { within } from "../verify/remembered.ts";
import type { Identify } from "./data.ts";
import type { Finding } from "./lifecycle.ts";

/** What was found, and why it is not over. */
interface Fulfilment {
  readonly finding: Finding;
  readonly failure?: string;
}

interface ExpectationsNeeds {
  readonly store: Store;
  readonly fetch: typeof globalThis.fetch;
  readonly identify: Identify;
  readonly clock: Clock;
  readonly emit: Emit;
}

const kinds: ReadonlySet<unknown> = new Set(["ended", "pending", "never", "failed"]);
const askMs = 10_000;
/** Longer waits for a turn are made in the store. */
const turnMsMax = 5000;
const pendingMsMin = 30_000;
const pendingMsMax = 3_600_000;
/** What a provider has not ended by then is given up. */
const pendingDays = 30;
const dayMs = 86_400_000;

export class Expectations {
  readonly #needs: ExpectationsNeeds;
  /** When the next question of a source may be asked. */
  readonly #turns = new Map<string, number>();

  constructor(needs: ExpectationsNeeds) {
    this.#needs = needs;
  }

  /** Looks whether the event is there, and else asks for it. Never rejects. */
  async fulfil(claim: Claim, source: ConfiguredSource, signal: AbortSignal): Promise<Fulfilment> {
    try {
      return await this.#fulfil(claim, source, signal);
    } catch (error) {
      // A store that is away is said by whoever settles.
      if (isStoreAway(error) || signal.aborted) return { finding: { kind: "interrupted" } };
      const { name, code } = summaryOf(error);
      return failed(`it cannot be asked or taken: ${[name, code].filter(Boolean).join(" ")}`);
    }
  }

  async #fulfil(claim: Claim, source: ConfiguredSource, signal: AbortSignal): Promise<Fulfilment> {
    const { poll, name } = source;
    const { id: ref, receivedAt } = claim.event;
    if (poll === undefined) return failed("this source cannot be asked: it has no `api`");
    const { clock, fetch } = this.#needs;
    for (const id of poll.ids(ref)) {
      if ((await this.#needs.store.get(eventKey(name, id))) !== undefined) return over;
    }
    const waitMs = this.#turnIn(name, poll.spacingMs);
    if (waitMs > turnMsMax) return { finding: { kind: "postponed", afterMs: waitMs } };
    if (waitMs > 0) await new Promise<void>((resolve) => clock.after(waitMs, resolve));
    const asking = AbortSignal.any([signal, AbortSignal.timeout(askMs)]);
    const polled = await within(askMs, poll.ask(ref, { fetch, signal: asking }));
    // Polls are written by strangers.
    if (!kinds.has((polled as Polled | undefined)?.kind)) {
      return failed("its poll answered nothing that is known");
    }
    return await this.#answered(polled, source, ref, clock.now() - receivedAt);
  }

  /** Time until it is this question's turn. */
  #turnIn(source: string, spacingMs: number): number {
    const now = this.#needs.clock.now();
    const at = Math.max(now, this.#turns.get(source) ?? 0);
    if (at - now <= turnMsMax) this.#turns.set(source, at + spacingMs);
    return at - now;
  }

  async #answered(
    polled: Polled,
    source: ConfiguredSource,
    ref: string,
    ageMs: number,
  ): Promise<Fulfilment> {
    switch (polled.kind) {
      case "failed":
        return failed(polled.reason, polled.retryAfterMs);
      case "never":
        return never(polled.reason);
      case "pending": {
        if (ageMs > pendingDays * dayMs) return never(`still pending after ${pendingDays} days`);
        const afterMs = Math.min(Math.max(ageMs / 4, pendingMsMin), pendingMsMax);
        return { finding: { kind: "postponed", afterMs } };
      }
      case "ended":
        return await this.#take(polled, source, ref);
    }
  }

  async #take(
    { body, segment }: Extract<Polled, { kind: "ended" }>,
    source: ConfiguredSource,
    ref: string,
  ): Promise<Fulfilment> {
    const { store, identify, clock, emit } = this.#needs;
    const { name } = source;
    const delivery: Delivery = {
      method: "POST",
      target: ["", name, ...(segment === undefined ? [] : [segment])].join("/"),
      account: undefined,
      segment,
      headers: ["content-type", "application/json"],
      body: new TextEncoder().encode(body),
      reconstructed: false,
      verifiedWith: "api",
      receivedAt: clock.now(),
      // Not what the provider sends: its webhook, should it come after all, is a duplicate and no conflict.
      contentHash: "",
    };
    const found = identify(source, delivery);
    const ids = new Set(source.poll?.ids(ref));
    // What is known by other ids is not what was expected, and could be handled beside it.
    if (found.kind !== "events" || !found.events.every(({ id }) => ids.has(id))) {
      return failed("its API answered something else than the event that is expected");
    }
    const events = found.events.map((event): NewEvent => ({
      ...event,
      notes: [...event.notes, "fetched"],
      conflictKey: undefined,
    }));
    const taken = await store.take(events, unclaimed());
    for (const [index, { key, type }] of events.entries()) {
      if (taken[index]?.kind !== "taken") continue;
      emit({ kind: "fetched", event: { source: name, type, key } });
    }
    return over;
  }
}

const over: Fulfilment = { finding: { kind: "became", events: [] } };

function failed(failure: string, retryAfterMs?: number): Fulfilment {
  const unfinished = [pollName];
  return {
    finding: { kind: "ran", unfinished, retryAfterMs, hasFailed: true, hasGivenUp: false },
    failure,
  };
}

function never(failure: string): Fulfilment {
  return { finding: { kind: "ran", unfinished: [], hasFailed: false, hasGivenUp: true }, failure };
}

/** What stands for a handler in the attempts of an expectation. */
export const pollName = "(poll)";
