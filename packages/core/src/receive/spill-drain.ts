/**
 * What is in the spill goes into the store, oldest first, as if it had just come in: read by its provider, under the same
 * keys, with the time of its receipt. While deliveries come in they have the store for themselves at least half of the time.
 */

import type { Clock } from "../contracts/clock.ts";
import type { ConfiguredSource } from "../contracts/source.ts";
import type { Claim, Store } from "../contracts/store.ts";
import { isStoreAway, undecryptedError } from "../errors.ts";
import { noKey } from "../event-key.ts";
import { nextTurn } from "../group-commit.ts";
import type { NewEvent } from "../model/event.ts";
import { Pace, restAfter } from "../pace.ts";
import { summaryOf } from "../observe/redact.ts";
import type { Emit } from "../observe/signals.ts";
import type { Breaker } from "./breaker.ts";
import { createCustody, type Custody, type CustodyNeeds } from "./custody.ts";
import { eventsOf, unidentified } from "./identify.ts";
import type { Moved, Spill } from "./spill.ts";

interface SpillDrainNeeds extends Pick<CustodyNeeds, "terms" | "begin"> {
  readonly store: Store;
  /** Of live traffic, which goes first. */
  readonly live: Pick<Custody, "flushed">;
  /** How many deliveries have come in so far. */
  readonly arrivals: () => number;
  readonly spill: Spill;
  readonly breaker: Breaker;
  readonly sources: ReadonlyMap<string, ConfiguredSource>;
  /** Resolves once the store is open; rejects while it cannot be opened. */
  readonly ready: () => Promise<void>;
  readonly clock: Clock;
  readonly emit: Emit;
}

/** Deliveries in one step, at most. */
const rowsMax = 128;
/** Pauses while the store is away. */
const awayMsFirst = 100;
const awayMsMost = 2000;
const heldMs = 20;
/** How long a step waits for deliveries that came in meanwhile. */
const liveMsMax = 10;
/** The spill gives its space back when it is empty, and each time so many deliveries have left it. */
const prunedEvery = 10_000;

export class SpillDrain {
  readonly #needs: SpillDrainNeeds;
  readonly #custody: Custody;
  readonly #pace = new Pace(rowsMax);
  /** How many deliveries had come in at the last rest, and whether none had since the one before. */
  #arrivals = 0;
  #isAlone = false;
  #hasEnded = false;
  /** Whether there may be something that nobody has looked at. */
  #more = true;
  #underWay: Promise<void> | undefined;
  #endWait: () => void = () => undefined;
  #cancelLook: () => void = () => undefined;
  /** Deliveries that left since the spill was empty, and since it was pruned. */
  #moved = 0;
  #unpruned = 0;
  /** Whether it was pruned by this process: an earlier one may have ended before it could. */
  #hasPruned = false;
  /** Who wants nothing to be moved, and the step that goes on. */
  #holds = 0;
  #stepping: Promise<unknown> = Promise.resolve();
  #whenDrained: (() => void)[] = [];
  /** How often something was put into the spill; whether nothing is there, and whether little enough to wait for it. */
  #added = 0;
  #isEmpty = false;
  #isNearlyEmpty = false;
  readonly #whenStepped: ((isEmpty: boolean) => void)[] = [];

  constructor(needs: SpillDrainNeeds) {
    this.#needs = needs;
    const { store, breaker } = needs;
    const take: Store["take"] = (events, ask) => breaker.watched(() => store.take(events, ask));
    // Not the one of live traffic: where a call of that one hangs, this one may show that the store is back.
    this.#custody = createCustody({ ...needs, store: { take } });
  }

  /** Begins, once the spill is open, unless it goes on already. */
  look(): void {
    this.#more = true;
    if (this.#hasEnded || !this.#needs.spill.isOpen) return;
    this.#underWay ??= this.#run().finally(() => {
      this.#underWay = undefined;
      if (this.#more) this.look();
      else for (const resolve of this.#whenDrained.splice(0)) resolve();
    });
  }

  /** Something was put into the spill. */
  added(): void {
    this.#added += 1;
    this.#isEmpty = false;
    this.look();
  }

  /**
   * Resolves with true when nothing is in the spill that has to be in the store first: waits for the last of it, for so long
   * at most. With false when what comes now should take the way through the spill as well.
   */
  async passed(withinMs: number): Promise<boolean> {
    if (this.#isEmpty || !this.#isNearlyEmpty) return this.#isEmpty;
    return await new Promise((resolve) => {
      const cancel = this.#needs.clock.after(withinMs, () => resolve(false));
      this.#whenStepped.push((isEmpty) => {
        cancel();
        resolve(isEmpty);
      });
    });
  }

  /** Resolves when the store has all that is in the spill, but for what another process has in hand or is due later. */
  drained(): Promise<void> {
    const isIdle = this.#underWay === undefined && !this.#more;
    if (isIdle || this.#hasEnded || !this.#needs.spill.isOpen) return Promise.resolve();
    return new Promise((resolve) => this.#whenDrained.push(resolve));
  }

  /** Ends with what is under way. */
  async end(): Promise<void> {
    this.#hasEnded = true;
    this.#endWait();
    this.#cancelLook();
    await this.#underWay;
    for (const resolve of this.#whenDrained.splice(0)) resolve();
    if (this.#unpruned > 0) await this.#prune();
  }

  /** Does something between two steps, during which nothing is moved. */
  async held<T>(act: () => Promise<T>): Promise<T> {
    this.#holds += 1;
    try {
      await this.#stepping;
      return await act();
    } finally {
      this.#holds -= 1;
      this.look();
    }
  }

  async #run(): Promise<void> {
    const { breaker, emit } = this.#needs;
    let awayMs = awayMsFirst;
    while (!this.#hasEnded && (this.#more || breaker.isAway)) {
      await nextTurn();
      if (this.#holds > 0) {
        await this.#wait(heldMs);
        continue;
      }
      this.#more = false;
      const began = performance.now();
      const stepping = this.#step();
      this.#stepping = stepping;
      const moved = await stepping;
      if (this.#isEmpty || !this.#isNearlyEmpty || moved === undefined) {
        for (const tell of this.#whenStepped.splice(0)) tell(this.#isEmpty);
      }
      if (moved === undefined) {
        await this.#wait(awayMs);
        awayMs = Math.min(awayMs * 2, awayMsMost);
        this.#more = true;
      } else if (moved > 0) {
        awayMs = awayMsFirst;
        this.#more = true;
        const tookMs = performance.now() - began;
        if (!this.#isAlone && moved === this.#pace.size) this.#pace.took(tookMs);
        await this.#rest(tookMs);
      } else if (breaker.isAway) {
        // The store answers, and a call of it hangs all the same.
        await this.#wait(awayMsFirst);
      }
    }
    if (this.#hasEnded || (this.#moved === 0 && this.#hasPruned)) return;
    if (this.#moved > 0) emit({ kind: "spill_drained", deliveries: this.#moved });
    this.#moved = 0;
    await this.#prune();
  }

  /** How many deliveries were looked at, 0 when there is none in the spill; undefined while that cannot be. */
  async #step(): Promise<number | undefined> {
    const { ready, breaker, store, spill } = this.#needs;
    try {
      await ready();
      const size = breaker.isAway ? 1 : this.#isAlone ? rowsMax : this.#pace.size;
      const added = this.#added;
      const { claims, nextDueInMs } = await this.#part(() => spill.claim(size));
      this.#isEmpty = claims.length === 0 && added === this.#added;
      this.#isNearlyEmpty = claims.length < size;
      this.#lookIn(claims.length === 0 ? nextDueInMs : undefined);
      // Nothing to try the store with.
      if (claims.length === 0 && breaker.isAway) await breaker.watched(() => store.get(noKey));
      const ends = await this.#part(() => Promise.all(claims.map((claim) => this.#move(claim))));
      await this.#part(() => spill.settle(claims, ends));
      if (ends.includes("away")) return undefined;
      breaker.reset();
      const moved = ends.filter((end) => end === "moved").length;
      this.#moved += moved;
      this.#unpruned += moved;
      if (this.#unpruned >= prunedEvery) await this.#prune();
      return claims.length;
    } catch {
      // Whoever failed has said so.
      return undefined;
    }
  }

  /** Part of a step. What has come in meanwhile is looked at before the next one. */
  async #part<T>(act: () => Promise<T>): Promise<T> {
    const result = await act();
    await nextTurn();
    await Promise.race([this.#needs.live.flushed(), this.#wait(liveMsMax)]);
    return result;
  }

  async #move({ event, delivery }: Claim): Promise<Moved> {
    const { sources, emit } = this.#needs;
    try {
      const source = sources.get(event.source) as ConfiguredSource;
      const { undecrypted } = delivery;
      if (undecrypted?.kind === "key_missing") throw undecryptedError(undecrypted);
      const events =
        undecrypted === undefined
          ? eventsOf(source, delivery)
          : [unidentified(source, delivery, "encrypted")];
      // Equal deliveries were one in the spill.
      const copies = 1 + event.duplicates;
      if (events.length > 0) await this.#custody.take(events.map((one) => withCopies(one, copies)));
      return "moved";
    } catch (error) {
      const isRead = delivery.undecrypted === undefined;
      const at = isRead
        ? ({ of: "store", verb: "take" } as const)
        : ({ of: "spill", verb: "claim" } as const);
      emit({ kind: "store_failed", ...at, error: summaryOf(error) });
      return isRead && isStoreAway(error) ? "away" : "refused";
    }
  }

  async #prune(): Promise<void> {
    this.#unpruned = 0;
    this.#hasPruned = true;
    // What is over and could not be destroyed stays until the next time.
    await this.#needs.spill.prune((tookMs) => this.#rest(tookMs)).catch(() => undefined);
  }

  /** Leaves the store and the event loop to those who come in; where nobody does, there is nobody to wait for. */
  async #rest(tookMs: number): Promise<void> {
    const arrivals = this.#needs.arrivals();
    this.#isAlone = arrivals === this.#arrivals;
    this.#arrivals = arrivals;
    await (this.#isAlone ? nextTurn() : this.#wait(restAfter(tookMs)));
  }

  /** For what was refused, or is in the hand of another process. */
  #lookIn(ms: number | undefined): void {
    this.#cancelLook();
    if (ms === undefined) return;
    this.#cancelLook = this.#needs.clock.after(Math.max(ms, awayMsFirst), () => this.look());
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#hasEnded) return void setImmediate(resolve);
      const cancel = this.#needs.clock.after(ms, resolve);
      this.#endWait = () => {
        cancel();
        resolve();
      };
    });
  }
}

function withCopies(event: NewEvent, copies: number): NewEvent {
  // What an event makes only when it is asked for stays unmade where nothing is to be counted.
  return copies === 1 ? event : { ...event, copies };
}
