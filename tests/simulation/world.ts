/**
 * The world of the simulation: one store that several inboxes share, one clock, and a network between them that delays,
 * fails and loses replies. Looks at the store after every act on it, and says which invariant was broken.
 */

import {
  transitions,
  type Clock,
  type EventRecord,
  type Store,
  type Transition,
} from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { ManualClock } from "../support/clock.ts";
import type { Random } from "../support/random.ts";

/** What a verb did, as far as invariants look at it. */
export type By = Transition["by"];

const crashesMax = 3;
/**
 * The end of an attempt may be written though the answer is lost. It is then written once more under the next claim, which
 * was counted and runs nothing. More than so many in a row are no accident.
 */
const unwrittenMax = 4;

export class World {
  readonly clock = new ManualClock();
  readonly random: Random;
  readonly base: Store = memory({ acceptLoss: true });
  readonly violations = new Set<string>();
  /** The transitions that were walked, as `from → to`, with the verb. */
  readonly walked = new Set<string>();
  /** Whose claim holds, by key: the fence that was given last. */
  readonly holders = new Map<string, string>();
  readonly attemptsMax: number;
  /** Every key that was ever in the store. */
  readonly everSeen = new Set<string>();
  #seen = new Map<string, EventRecord>();
  #looking: Promise<void> = Promise.resolve();

  constructor(random: Random, attemptsMax: number) {
    this.random = random;
    this.attemptsMax = attemptsMax;
  }

  chance(share: number): boolean {
    return this.random() < share;
  }

  pick<T>(from: readonly T[]): T | undefined {
    return from[Math.floor(this.random() * from.length)];
  }

  /** Events as they were seen last. */
  get events(): readonly EventRecord[] {
    return [...this.#seen.values()];
  }

  /**
   * Does something to the store, and looks at it in the same instant: the memory store acts at the call. `check` gets the
   * answer in the order of the acts.
   */
  act<T>(by: By, work: () => Promise<T>, check: (answer: T) => void = () => undefined): Promise<T> {
    const answer = work();
    const listed = this.base.list({});
    const looked = this.#looking.then(async () => {
      check(await answer);
      this.#compare(by, (await listed).events);
    });
    this.#looking = looked.catch(() => undefined);
    return answer;
  }

  /** Resolves when all acts so far were looked at. */
  async looked(): Promise<void> {
    await this.#looking;
  }

  violate(what: string): void {
    this.violations.add(what);
  }

  #compare(by: By, events: readonly EventRecord[]): void {
    const now = new Map(events.map((event) => [event.key, event]));
    for (const event of events) {
      this.everSeen.add(event.key);
      const before = this.#seen.get(event.key);
      const hasActed = (before?.interventions.length ?? 0) < event.interventions.length;
      const isClaimed = by === "claim" && before?.attempts !== event.attempts;
      if (before === undefined) {
        // What an event became is taken by the settlement of it.
        this.#walk(undefined, event.state, by === "settle" ? "take" : by);
      } else if (before.state !== event.state || hasActed || isClaimed) {
        this.#walk(before.state, event.state, by);
      }
      this.#checkOne(event);
    }
    for (const [key, { state }] of this.#seen) if (!now.has(key)) this.#walk(state, "pruned", by);
    this.#checkUnique(events);
    this.#seen = now;
  }

  #walk(from: Transition["from"], to: Transition["to"], by: By): void {
    const isKnown = transitions.some((one) => one.from === from && one.to === to && one.by === by);
    if (!isKnown) this.violate(`I7 no such transition: ${nameOf({ from, to, by })}`);
    this.walked.add(nameOf({ from, to, by }));
  }

  #checkOne({ state, attempts, crashes, key }: EventRecord): void {
    if (crashes > crashesMax + unwrittenMax)
      this.violate(`I8 ${key} has killed ${crashes} workers`);
    if (attempts > this.attemptsMax + crashes + unwrittenMax)
      this.violate(`I8 ${key} has had ${attempts} attempts`);
    if (attempts < 0) this.violate("I8 attempts below zero");
    if (state !== "running") this.holders.delete(key);
  }

  /** Variants of an id are quarantined until a person releases them. */
  #checkUnique(events: readonly EventRecord[]): void {
    const seen = new Set<string>();
    for (const { source, id, reason, interventions, identified } of events) {
      // What has no id of its own is known for ten minutes only.
      if (
        id === "" ||
        id.startsWith("sha256:") ||
        !identified ||
        reason === "conflict" ||
        interventions.length > 0
      )
        continue;
      const name = `${source} ${id}`;
      if (seen.has(name)) this.violate(`I2 two events for ${name}`);
      seen.add(name);
    }
  }
}

export function nameOf({ from = "new" as never, to, by }: Omit<Transition, "when">): string {
  return `${from} → ${to} by ${by}`;
}

/** An instance's own clock: wrong by some time, silent once it is dead, and late after a pause. */
export class InstanceClock implements Clock {
  readonly #world: World;
  skewMs = 0;
  state: "alive" | "paused" | "dead" = "alive";
  #missed: (() => void)[] = [];
  readonly #cancels = new Set<() => void>();

  constructor(world: World) {
    this.#world = world;
  }

  now(): number {
    return this.#world.clock.now() + this.skewMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    if (this.state === "dead") return () => undefined;
    const cancel = this.#world.clock.after(delayMs, () => {
      this.#cancels.delete(cancel);
      if (this.state === "alive") callback();
      if (this.state === "paused") this.#missed.push(callback);
    });
    this.#cancels.add(cancel);
    return () => {
      this.#cancels.delete(cancel);
      cancel();
    };
  }

  resume(): void {
    if (this.state !== "paused") return;
    this.state = "alive";
    for (const callback of this.#missed.splice(0)) callback();
  }

  die(): void {
    this.state = "dead";
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
  }
}
