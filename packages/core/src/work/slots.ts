/**
 * Slots: which events may be taken in hand. Counts what runs and what was promised to a take or claim under way; no source
 * can take all of them while there are others, and none takes more than its handlers allow.
 */

import type { ConfiguredSource } from "../contracts/source.ts";
import type { ClaimTerms } from "../contracts/store.ts";
import type { HandlerLimits, Registry } from "./handlers.ts";

/** Slots that were promised, and not used yet. */
export type Offer = Required<Pick<ClaimTerms, "slots" | "typesMax">>;

interface Named {
  readonly source: string;
  readonly type: string;
}

/** Share of all slots that is kept free for sources that use fewer than their part of it. */
const keptShare = 0.25;

export class Slots {
  readonly #max: number;
  readonly #limits: ReadonlyMap<string, HandlerLimits>;
  /** Slots that each source can always count on, as long as there are more slots than sources. */
  readonly #kept: number;
  /** What runs and what is promised; and of that, what runs. */
  readonly #used = new Map<string, number>();
  readonly #running = new Map<string, number>();
  #total = 0;
  #runningTotal = 0;
  #turn = 0;

  constructor(max: number, limits: ReadonlyMap<string, HandlerLimits>) {
    this.#max = max;
    this.#limits = limits;
    const isShared = limits.size > 1 && max > limits.size;
    this.#kept = isShared ? Math.ceil((max * keptShare) / limits.size) : 0;
  }

  get free(): number {
    return Math.max(0, this.#max - this.#total);
  }

  /** Whether any source could be given a slot. */
  get isOpen(): boolean {
    return this.free > 0 && [...this.#limits.keys()].some((source) => this.#room(source) > 0);
  }

  use({ source, type }: Named): void {
    this.#count(source, type, 1);
  }

  leave({ source, type }: Named): void {
    this.#count(source, type, -1);
  }

  /** Whether a source could be given a slot. */
  hasSlot(source: string): boolean {
    return this.#room(source) > 0;
  }

  /** Whether one more event of this type may run now. */
  hasRoom({ source, type }: Named): boolean {
    const ofType = this.#limits.get(source)?.types.get(type) ?? Infinity;
    return this.#room(source) > 0 && this.#usedBy(pair(source, type)) < ofType;
  }

  /** The same, whatever is promised. */
  mayRun({ source, type }: Named): boolean {
    const { max = 0, types } = this.#limits.get(source) ?? {};
    return (
      this.#runningTotal < this.#max &&
      (this.#running.get(source) ?? 0) < max &&
      (this.#running.get(pair(source, type)) ?? 0) < (types?.get(type) ?? Infinity)
    );
  }

  /** Whether handlers are so quick, or so few, that what is promised twice hardly ever comes to more than there is. */
  get isEasy(): boolean {
    return this.#runningTotal * 2 <= this.#max;
  }

  /** Whether events of this type may have been left out of a claim because too many of them ran. */
  isLimited({ source, type }: Named): boolean {
    return this.#limits.get(source)?.types.has(type) === true;
  }

  /**
   * Promises free slots: one by one to each source in turn, who is first changing at every call, so that a single slot
   * goes round. `wanted` bounds them by source; without it everybody gets what there is. What was promised as `twice` may be
   * promised once more: then `mayRun` has to be asked of what comes.
   */
  offer(wanted?: ReadonlyMap<string, number>, twice: Offer = noOffer): Offer {
    this.#promise(twice, -1);
    const order = wanted === undefined ? this.#rotated() : [...wanted.keys()];
    const slots = Object.fromEntries(order.map((source) => [source, 0]));
    for (let isGiving = true; isGiving;) {
      isGiving = false;
      for (const source of order) {
        const given = slots[source] ?? 0;
        const isWanted = wanted === undefined || given < (wanted.get(source) ?? 0);
        if (!isWanted || this.#room(source) <= 0) continue;
        slots[source] = given + 1;
        this.#add(source, 1);
        this.#total += 1;
        isGiving = true;
      }
    }
    const offer = { slots, typesMax: this.#offerTypes() };
    this.#promise(twice, 1);
    return offer;
  }

  /** Takes back what was promised: what of it was used is counted by itself. */
  takeBack(offer: Offer): void {
    this.#promise(offer, -1);
  }

  #promise({ slots, typesMax }: Offer, sign: 1 | -1): void {
    for (const [source, count] of Object.entries(slots)) {
      this.#add(source, sign * count);
      this.#total += sign * count;
    }
    for (const [source, types] of Object.entries(typesMax)) {
      for (const [type, count] of Object.entries(types)) {
        this.#add(pair(source, type), sign * count);
      }
    }
  }

  #rotated(): readonly string[] {
    const sources = [...this.#limits.keys()];
    this.#turn += 1;
    return sources.map((_, index) => sources[(index + this.#turn) % sources.length] ?? "");
  }

  #offerTypes(): Offer["typesMax"] {
    const limited = [...this.#limits].filter(([, { types }]) => types.size > 0);
    return Object.fromEntries(
      limited.map(([source, { types }]) => {
        const left = [...types].map(([type, max]) => {
          const count = Math.max(0, max - this.#usedBy(pair(source, type)));
          this.#add(pair(source, type), count);
          return [type, count] as const;
        });
        return [source, Object.fromEntries(left)];
      }),
    );
  }

  /** How many slots a source may still be given, what is kept for others set aside. */
  #room(source: string): number {
    let keptForOthers = 0;
    if (this.#kept > 0) {
      for (const other of this.#limits.keys()) {
        if (other !== source) keptForOthers += Math.max(0, this.#kept - this.#usedBy(other));
      }
    }
    const ownMax = this.#limits.get(source)?.max ?? 0;
    return Math.min(ownMax - this.#usedBy(source), this.free - keptForOthers);
  }

  #usedBy(name: string): number {
    return this.#used.get(name) ?? 0;
  }

  #count(source: string, type: string, change: 1 | -1): void {
    this.#total += change;
    this.#runningTotal += change;
    const names = this.isLimited({ source, type }) ? [source, pair(source, type)] : [source];
    for (const name of names) {
      this.#add(name, change);
      this.#running.set(name, (this.#running.get(name) ?? 0) + change);
    }
  }

  #add(name: string, change: number): void {
    this.#used.set(name, this.#usedBy(name) + change);
  }
}

const noOffer: Offer = { slots: {}, typesMax: {} };
const pair = (source: string, type: string): string => `${source}\0${type}`;

/** What each source may use: as many as it says itself, and as its handlers allow. */
export function limitsOf(
  names: readonly string[],
  sources: ReadonlyMap<string, Pick<ConfiguredSource, "handlersMax">>,
  registry: Pick<Registry, "limits">,
): ReadonlyMap<string, HandlerLimits> {
  return new Map(
    names.map((name) => {
      const { max, types } = registry.limits(name);
      return [name, { max: Math.min(max, sources.get(name)?.handlersMax ?? Infinity), types }];
    }),
  );
}
