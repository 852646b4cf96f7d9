/**
 * The spill as the inbox uses it: a store of whole deliveries, each of them one event that nobody has identified. What it
 * holds is read again when it drains, so that it goes into the store as it would have gone without it.
 */

import type { Clock } from "../contracts/clock.ts";
import type { ConfiguredSource } from "../contracts/source.ts";
import {
  unclaimed,
  type Claim,
  type ClaimAnswer,
  type InterveneAsk,
  type Kept,
  type Store,
} from "../contracts/store.ts";
import { nextTurn } from "../group-commit.ts";
import type { EventRecord, NewEvent } from "../model/event.ts";
import type { Outcome } from "../model/settlement.ts";
import { summaryOf } from "../observe/redact.ts";
import { inboxClosed } from "../errors.ts";
import type { Emit } from "../observe/signals.ts";
import { Pace } from "../pace.ts";
import { createCustody, type Custody } from "./custody.ts";
import { holdsOneOf } from "./holds.ts";
import { unidentified } from "./identify.ts";

interface SpillNeeds {
  readonly spill: Store;
  readonly sources: ReadonlyMap<string, ConfiguredSource>;
  readonly clock: Clock;
  readonly emit: Emit;
}

/** What became of an event whose delivery is kept in the spill. */
export interface Spilled {
  readonly kind: "spilled";
}

/** What became of a delivery on its way to the store; `refused` for another cause than the store's absence. */
export type Moved = "moved" | "away" | "refused";

type Erasure = Pick<InterveneAsk, "by" | "reason" | "dryRun">;

const leaseMs = 30_000;
const bytesMax = 524_288;
/** Until a delivery that the store refuses is tried again. */
const refusedMsFirst = 1000;
const refusedMsMost = 3_600_000;
const pruneLimit = 50;
const erasedPageMax = 10;

export class Spill {
  readonly #needs: SpillNeeds;
  readonly #custody: Custody;
  #opening: Promise<void> | undefined;
  #isOpen = false;
  #hasClosed = false;

  constructor(needs: SpillNeeds) {
    this.#needs = needs;
    const { spill } = needs;
    this.#custody = createCustody({ store: spill, terms: unclaimed, begin: () => undefined });
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** May be called again; rejects while it cannot be opened. */
  open(): Promise<void> {
    const { spill, clock } = this.#needs;
    if (this.#hasClosed) return Promise.reject(inboxClosed());
    this.#opening ??= spill.open({ clock }).then(
      () => void (this.#isOpen = true),
      (error: unknown) => {
        this.#opening = undefined;
        throw error;
      },
    );
    return this.#opening;
  }

  async close(): Promise<void> {
    this.#hasClosed = true;
    await this.#opening?.catch(() => undefined);
    this.#isOpen = false;
    await this.#custody.flushed();
    await this.#needs.spill.close();
  }

  flushed(): Promise<void> {
    return this.#custody.flushed();
  }

  /** Resolves when the delivery of these events is on disk. */
  async keep(source: ConfiguredSource, events: readonly NewEvent[]): Promise<void> {
    const deliveries = new Set(events.map(({ delivery }) => delivery));
    await this.#said("take", async () => {
      await this.open();
      await this.#needs.spill.needRoom?.();
      await this.#custody.take([...deliveries].map((one) => unidentified(source, one, undefined)));
    });
  }

  /** Deliveries to move, oldest first. */
  async claim(most: number): Promise<ClaimAnswer> {
    const { spill, sources } = this.#needs;
    const slots = Object.fromEntries([...sources.keys()].map((name) => [name, most]));
    const terms = { fence: crypto.randomUUID(), leaseMs, suspectsMax: most, crashesMax: Infinity };
    return await this.#said("claim", () => spill.claim({ ...terms, slots, bytesMax }));
  }

  /** What the store has is over here. What it cannot take stays, and is tried again. */
  async settle(claims: readonly Claim[], ends: readonly Moved[]): Promise<void> {
    const { spill, clock } = this.#needs;
    const settlements = claims.map(({ event, fence }, index) => {
      const { key, finished, gaveUp, history } = event;
      const outcome = outcomeOf(ends[index] ?? "away", event, clock.now());
      return { key, fence, outcome, finished, gaveUp, history };
    });
    if (claims.length === 0) return;
    // What is moved twice is a duplicate the second time.
    await this.#said("settle", () => spill.settle(settlements));
  }

  /** How many deliveries are not in the store yet. */
  async waiting(): Promise<number> {
    await this.open();
    const { counted } = await this.#said("audit", () => this.#needs.spill.audit());
    return (counted.pending ?? 0) + (counted.running ?? 0);
  }

  /** Destroys what is over, and gives its space back. `rest` is waited for between any two steps, told how long one took. */
  async prune(rest: (tookMs: number) => Promise<void> = nextTurn): Promise<void> {
    const { spill } = this.#needs;
    const pace = new Pace(pruneLimit);
    let cursor: string | undefined;
    do {
      const from = cursor === undefined ? {} : { cursor };
      const ask = { payloadMs: 0, keyMs: 0, refusedMax: 0, limit: pace.size, ...from };
      const began = performance.now();
      ({ cursor } = await this.#said("prune", () => spill.prune(ask)));
      const tookMs = performance.now() - began;
      pace.took(tookMs);
      await rest(tookMs);
    } while (cursor !== undefined && this.#isOpen);
  }

  /**
   * Destroys the deliveries that hold one of these events; answers how many there are. Walks all that waits, which is
   * nothing while the store is there.
   */
  async erase(keys: ReadonlySet<string>, { by, reason, dryRun }: Erasure): Promise<number> {
    const { spill } = this.#needs;
    await this.open();
    const found: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await spill.list({ cursor });
      for (const { key } of page.events) {
        const kept = await spill.get(key);
        if (kept !== undefined && this.#holds(kept, keys)) found.push(key);
      }
      ({ cursor } = page);
    } while (cursor !== undefined);
    if (dryRun || found.length === 0) return found.length;
    const ask = { act: "erase" as const, by, reason, dryRun, limit: erasedPageMax };
    for (let first = 0; first < found.length; first += erasedPageMax) {
      const page = found.slice(first, first + erasedPageMax);
      await this.#said("intervene", () => spill.intervene({ keys: page }, ask));
      await nextTurn();
    }
    await this.prune();
    return found.length;
  }

  #holds({ event, delivery }: Kept, keys: ReadonlySet<string>): boolean {
    const source = this.#needs.sources.get(event.source);
    return source !== undefined && delivery !== undefined && holdsOneOf(source, delivery, keys);
  }

  /** Says what has failed. */
  async #said<T>(verb: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      this.#needs.emit({ kind: "store_failed", of: "spill", verb, error: summaryOf(error) });
      throw error;
    }
  }
}

function outcomeOf(end: Moved, { attempts, receivedAt }: EventRecord, now: number): Outcome {
  if (end === "moved") return { state: "done" };
  // Due as of its arrival: what came later must not overtake it.
  if (end === "away") return { state: "pending", afterMs: receivedAt - now, handedBack: true };
  const afterMs = Math.min(refusedMsFirst * 2 ** attempts, refusedMsMost);
  return { state: "pending", afterMs, handedBack: false };
}
