/** The search for work: claims until the slots are full or nothing is due, and again when a slot, an event or time says so. */

import type { Clock } from "../contracts/clock.ts";
import type { Claim, ClaimAnswer, ClaimAsk, Store } from "../contracts/store.ts";
import { nextTurn } from "../group-commit.ts";
import type { EventRecord } from "../model/event.ts";
import { summaryOf } from "../observe/redact.ts";
import type { Emit } from "../observe/signals.ts";
import { crashesMax } from "./lifecycle.ts";
import type { Offer, Slots } from "./slots.ts";

interface SearchNeeds {
  readonly store: Pick<Store, "claim">;
  /** Names of the sources to work on. */
  readonly worked: readonly string[];
  readonly slots: Slots;
  readonly clock: Clock;
  readonly emit: Emit;
  /** Whether work may be taken up now. */
  readonly isAsked: () => boolean;
  /** Called before every claim. */
  readonly prepare: () => Promise<void>;
  readonly terms: () => Pick<ClaimAsk, "fence" | "leaseMs" | "suspectsMax" | "crashesMax">;
  /** Gets what was found. */
  readonly take: (claims: readonly Claim[]) => void;
  /** Called when a search has ended. */
  readonly onEnd: () => void;
}

/** How often to look for what only time brings: work of other instances, and leases that ended. */
const pollMs = 1000;
const claimBytesMax = 16 * 1024 * 1024;

export class Search {
  readonly #needs: SearchNeeds;
  /** Whether something may be due in the store. */
  #more = false;
  /** Sources that had no slot at the last claim, while something was due. */
  #waits: readonly string[] = [];
  #underWay: Promise<void> | undefined;
  #hasFailed = false;
  #cancelPoll: () => void = () => undefined;
  /** What is promised to the claim that is under way. */
  #offer: Offer | undefined;

  constructor(needs: SearchNeeds) {
    this.#needs = needs;
  }

  /** The search that goes on now. */
  get underWay(): Promise<void> | undefined {
    return this.#underWay;
  }

  /** Whether the store could not say, when it was asked last, what is due. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  get offer(): Offer | undefined {
    return this.#offer;
  }

  /** Whether something may be due that nobody has looked for. */
  get hasMore(): boolean {
    return this.#more;
  }

  /** Begins, unless one is under way, which then goes on a little longer. */
  look(): void {
    const { worked, slots, isAsked, onEnd } = this.#needs;
    if (!isAsked() || worked.length === 0) return;
    this.#more = true;
    this.#underWay ??= this.#claimAll().finally(() => {
      this.#underWay = undefined;
      if (this.#more && slots.isOpen) this.look();
      onEnd();
    });
  }

  /** Looks when something is due then, if that is sooner than it would look anyway. */
  lookIn(delayMs: number): void {
    if (delayMs === 0) this.look();
    else if (delayMs < pollMs) this.#needs.clock.after(delayMs, () => this.look());
  }

  /** A slot is free again: it may be what others have waited for. */
  lookForWaiting(): void {
    if (this.#more || this.#waits.some((name) => this.#needs.slots.hasSlot(name))) this.look();
  }

  /** A source has something due, and had no slot. */
  waitsFor(source: string): void {
    this.#waits = [...new Set([...this.#waits, source])];
    this.lookForWaiting();
  }

  /** Looks no more by itself. */
  rest(): void {
    this.#cancelPoll();
  }

  async #claimAll(): Promise<void> {
    const { clock, emit, worked, slots, isAsked, prepare } = this.#needs;
    let wakeMs = pollMs;
    let misses = 0;
    while (this.#more && slots.isOpen && isAsked()) {
      // A backlog must not keep deliveries waiting: they are looked at between any two claims.
      await nextTurn();
      await prepare();
      this.#more = false;
      try {
        const { claims, nextDueInMs = pollMs, without } = await this.#claimOnce();
        this.#hasFailed = false;
        misses = claims.length === 0 ? misses + 1 : 0;
        // The slots may have gone to sources that have nothing, while others wait for their turn.
        this.#waits = nextDueInMs === 0 ? without : [];
        const turns = worked.length / Math.max(1, slots.free);
        if (nextDueInMs === 0 && misses < turns) this.#more = true;
        // What is due now and was not given has no slot: one that becomes free is reason enough to look.
        wakeMs = nextDueInMs === 0 ? pollMs : Math.min(nextDueInMs, pollMs);
      } catch (error) {
        this.#hasFailed = true;
        emit({ kind: "store_failed", of: "store", verb: "claim", error: summaryOf(error) });
      }
    }
    this.#cancelPoll();
    if (isAsked()) this.#cancelPoll = clock.after(wakeMs, () => this.look());
  }

  /** Said before it runs: should it take this process with it, that was its last word. */
  #suspect({ source, type, key, crashes }: EventRecord): void {
    if (crashes !== crashesMax - 1) return;
    this.#needs.emit({ kind: "suspected", event: { source, type, key }, deaths: crashes });
  }

  async #claimOnce(): Promise<ClaimAnswer & { readonly without: readonly string[] }> {
    const { store, worked, slots, terms, take } = this.#needs;
    const offer = slots.offer();
    this.#offer = offer;
    try {
      const answer = await store.claim({ ...terms(), ...offer, bytesMax: claimBytesMax });
      for (const { event } of answer.claims) this.#suspect(event);
      take(answer.claims);
      return { ...answer, without: worked.filter((name) => offer.slots[name] === 0) };
    } finally {
      this.#offer = undefined;
      slots.takeBack(offer);
    }
  }
}
