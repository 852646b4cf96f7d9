/**
 * Custody with a second place: what the store does not take in time is kept in the spill, and answered all the same. Once
 * the store is found to be away nobody waits for it any more, until what drains from the spill shows that it is back.
 */

import type { Clock } from "../contracts/clock.ts";
import type { ConfiguredSource } from "../contracts/source.ts";
import type { Store, Taken } from "../contracts/store.ts";
import { isStoreAway } from "../errors.ts";
import type { NewEvent } from "../model/event.ts";
import { summaryOf } from "../observe/redact.ts";
import type { Emit } from "../observe/signals.ts";
import { before, Breaker } from "./breaker.ts";
import { createCustody, type Custody, type CustodyNeeds } from "./custody.ts";
import { Spill, type Spilled } from "./spill.ts";
import { SpillDrain } from "./spill-drain.ts";

interface SpillingNeeds extends Omit<CustodyNeeds, "store"> {
  readonly store: Store;
  readonly spill: Store | undefined;
  readonly sources: ReadonlyMap<string, ConfiguredSource>;
  /** Resolves once the store is open; rejects while it cannot be opened. */
  readonly ready: () => Promise<void>;
  readonly clock: Clock;
  readonly emit: Emit;
}

/** While both are away. */
const pauseMs = 250;
/** How long a failure counts: where a balancer sends nothing any more, nothing shows that the store is back. */
const failingMs = 10_000;

export class Spilling {
  readonly #needs: SpillingNeeds;
  readonly #main: Custody;
  readonly #spill: Spill | undefined;
  readonly #drain: SpillDrain | undefined;
  readonly #breaker: Breaker;
  #isReady = false;
  #hasClosed = false;
  #failedAt: number | undefined;
  #arrivals = 0;

  constructor(needs: SpillingNeeds) {
    this.#needs = needs;
    const { store, spill, clock, emit } = needs;
    const look = (): void => this.#drain?.look();
    this.#breaker = new Breaker({
      clock,
      onAway(error) {
        emit({ kind: "spilling", error: summaryOf(error) });
        look();
      },
      onLate: look,
    });
    if (spill === undefined) {
      this.#main = createCustody(needs);
      return;
    }
    const take: Store["take"] = (events, ask) =>
      this.#breaker.watched(() => store.take(events, ask));
    this.#main = createCustody({ ...needs, store: { take } });
    this.#spill = new Spill({ ...needs, spill });
    const [breaker, live] = [this.#breaker, this.#main];
    const arrivals = (): number => this.#arrivals;
    this.#drain = new SpillDrain({ ...needs, live, spill: this.#spill, breaker, arrivals });
  }

  /** Opens the spill and begins to drain it. May be called again. Rejects while it cannot be opened. */
  async start(): Promise<void> {
    await this.#spill?.open();
    this.#drain?.look();
  }

  /** Whether the store is known to be away. */
  get isAway(): boolean {
    return this.#breaker.isAway;
  }

  /** Whether the last delivery could be kept nowhere, a moment ago. The store may answer to reading all the same. */
  get isFailing(): boolean {
    const { clock } = this.#needs;
    // A clock that was set back must not let it count for longer.
    return this.#failedAt !== undefined && Math.abs(clock.now() - this.#failedAt) < failingMs;
  }

  /** Whether deliveries can be kept whatever the store does. */
  get isOpen(): boolean {
    return this.#spill?.isOpen === true;
  }

  /**
   * Takes the events of one delivery. Resolves when they are durable, in the store or in the spill. While both are away it
   * tries again for `holdMs`; without a spill it rejects at once.
   */
  async take(
    source: ConfiguredSource,
    events: readonly NewEvent[],
    holdMs: number,
  ): Promise<readonly (Taken | Spilled)[]> {
    this.#arrivals += 1;
    const hasSpill = this.#spill !== undefined;
    try {
      const taking = hasSpill ? this.#takeWithin(source, events, holdMs) : this.#toStore(events);
      const taken = await taking;
      this.#failedAt = undefined;
      return taken;
    } catch (error) {
      // Without a spill, an error may be about what was given; and that the store is open shows that it is back.
      const counts = hasSpill || (this.#isReady && isStoreAway(error));
      if (counts) this.#failedAt = this.#needs.clock.now();
      throw error;
    }
  }

  /** Resolves when nothing is on its way to the store or to the spill. */
  async flushed(): Promise<void> {
    await Promise.all([this.#main.flushed(), this.#spill?.flushed()]);
  }

  /** Resolves when the store has all that is in the spill and is not in the hand of another process. */
  async drained(): Promise<void> {
    await this.#drain?.drained();
  }

  /** Deliveries that are in the spill of this instance. */
  async waiting(): Promise<number> {
    return (await this.#spill?.waiting()) ?? 0;
  }

  /** Destroys what the spill of this instance holds of these events; answers how many deliveries that are. */
  async erase(keys: ReadonlySet<string>, erasure: Parameters<Spill["erase"]>[1]): Promise<number> {
    return (await this.#spill?.erase(keys, erasure)) ?? 0;
  }

  /** Does something while nothing goes from the spill into the store. */
  async undrained<T>(act: () => Promise<T>): Promise<T> {
    return await (this.#drain?.held(act) ?? act());
  }

  /** Drains no more, and closes the spill; what it holds stays there until the next start. */
  async close(): Promise<void> {
    this.#hasClosed = true;
    this.#isReady = false;
    await this.#drain?.end();
    await this.#spill?.close();
  }

  async #takeWithin(
    source: ConfiguredSource,
    events: readonly NewEvent[],
    holdMs: number,
  ): Promise<readonly (Taken | Spilled)[]> {
    const { clock } = this.#needs;
    const until = clock.now() + holdMs;
    for (;;) {
      try {
        return await this.#takeOnce(source, events, until);
      } catch (error) {
        if (this.#hasClosed || clock.now() + pauseMs >= until) throw error;
        await new Promise<void>((resolve) => clock.after(pauseMs, resolve));
      }
    }
  }

  async #takeOnce(
    source: ConfiguredSource,
    events: readonly NewEvent[],
    until: number,
  ): Promise<readonly (Taken | Spilled)[]> {
    // One that has an order must not overtake what came before, and is on its way through the spill.
    const waits = source.lane?.isOrdered === true;
    const mayPass = !waits || (await this.#drain?.passed(pauseMs)) !== false;
    if (mayPass && !this.#breaker.isAway) {
      try {
        return await this.#breaker.unlessAway((isWanted) => this.#toStore(events, isWanted));
      } catch {
        // It was said, and there is another place.
      }
    }
    try {
      return await this.#toSpill(source, events);
    } catch {
      // The store may only have seemed to be away, or the spill be back before it.
      const { clock } = this.#needs;
      const soon = Math.min(until, clock.now() + pauseMs);
      return await before(clock, soon, (isWanted) => this.#toStore(events, isWanted));
    }
  }

  async #toStore(
    events: readonly NewEvent[],
    isWanted: () => boolean = () => true,
  ): Promise<readonly Taken[]> {
    if (!this.#isReady) await this.#ready();
    try {
      return await this.#main.take(events, isWanted);
    } catch (error) {
      const { emit } = this.#needs;
      if (isWanted()) {
        emit({ kind: "store_failed", of: "store", verb: "take", error: summaryOf(error) });
      }
      throw error;
    }
  }

  async #ready(): Promise<void> {
    const { ready } = this.#needs;
    if (this.#spill === undefined) {
      await ready();
      this.#isReady = !this.#hasClosed;
      return;
    }
    try {
      await this.#breaker.watched(ready);
      this.#isReady = true;
    } catch (error) {
      this.#breaker.trip(error);
      throw error;
    }
  }

  async #toSpill(source: ConfiguredSource, events: readonly NewEvent[]): Promise<Spilled[]> {
    await this.#spill?.keep(source, events);
    this.#drain?.added();
    return events.map(() => ({ kind: "spilled" }));
  }
}
