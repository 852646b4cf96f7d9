/**
 * The worker of one inbox: keeps its slots busy with claims, holds their leases while handlers run, and settles what
 * they found. It owns every background promise of the working half.
 */

import type { Clock } from "../contracts/clock.ts";
import type { ConfiguredSource } from "../contracts/source.ts";
import type { Claim, ClaimAnswer, Store, TakeAsk } from "../contracts/store.ts";
import { nextTurn } from "../group-commit.ts";
import type { EventRecord, NewEvent } from "../model/event.ts";
import type { Logger } from "../observe/logger.ts";
import { summaryOf } from "../observe/redact.ts";
import type { Emit } from "../observe/signals.ts";
import { attempt, type AttemptReport, type Identify } from "./attempt.ts";
import { Bell } from "./bell.ts";
import type { OnInvalid } from "./data.ts";
import type { Registry } from "./handlers.ts";
import {
  endedIn,
  heldOf,
  holdOf,
  meet,
  namedOutcome,
  nameOf,
  settlementOf,
  takenAway,
  type Held,
} from "./held.ts";
import { Leases } from "./leases.ts";
import { crashesMax, decide, type Finding, type Policy } from "./lifecycle.ts";
import { Settlements } from "./settlements.ts";
import { limitsOf, Slots, type Offer } from "./slots.ts";
import { startUpkeep, type Retention } from "./upkeep.ts";

export interface WorkerNeeds {
  readonly store: Store;
  readonly sources: ReadonlyMap<string, ConfiguredSource>;
  /** Names of the sources to work on. */
  readonly worked: readonly string[];
  readonly registry: Registry;
  readonly identify: Identify;
  readonly onInvalid: OnInvalid;
  readonly onUnknownType: Policy["onUnknownType"];
  readonly random: () => number;
  readonly handlersMax: number;
  readonly leaseMs: number;
  readonly retention: Retention;
  /** Unique for this inbox in this process. */
  readonly owner: string;
  readonly clock: Clock;
  readonly logger: Logger | undefined;
  readonly emit: Emit;
}

/** How often to look for what only time brings: work of other instances, and leases that ended. */
const pollMs = 1000;
/** How long an instance has to live before it runs the last attempt of a suspect. */
const stableMs = 10_000;
const claimBytesMax = 16 * 1024 * 1024;

export class Worker {
  readonly #needs: WorkerNeeds;
  readonly #settlements: Settlements;
  readonly #leases: Leases;
  readonly #held = new Map<string, Held>();
  /** What was promised to takes under way, by the terms they were given. */
  readonly #offers = new Map<TakeAsk, Offer>();
  /** Made at the start, when all handlers are known. */
  #slots = new Slots(0, new Map());
  #fences = 0;
  #state: "new" | "working" | "closing" | "closed" = "new";
  /** Whether something may be due in the store. */
  #more = false;
  /** Sources that had no slot at the last claim, while something was due. */
  #waits: readonly string[] = [];
  #claiming: Promise<void> | undefined;
  /** When this instance is known not to die young, by its own clock. */
  #stableAt = Infinity;
  #cancelPoll: () => void = () => undefined;
  #endUpkeep: () => void = () => undefined;
  /** Rung at every change of what is in hand. */
  readonly #change = new Bell();

  constructor(needs: WorkerNeeds) {
    this.#needs = needs;
    this.#settlements = new Settlements({ ...needs, isLast: () => this.#state === "closed" });
    this.#leases = new Leases({
      ...needs,
      timeoutMsMax: () => needs.registry.timeoutMsMax(),
      held: () => [...this.#held.values()].map(holdOf),
      running: () => [...this.#held.values()].filter(({ isSettling }) => !isSettling).map(nameOf),
      onLost: ({ key, fence }) => {
        const held = this.#held.get(key);
        if (held?.next?.fence === fence) held.next = undefined;
        if (held?.claim.fence === fence) held.abort.abort(takenAway());
      },
    });
  }

  /** Begins to look for work; false when it had begun already. */
  start(): boolean {
    if (this.#state !== "new") return false;
    this.#state = "working";
    const { worked, handlersMax, registry, sources, clock } = this.#needs;
    this.#slots = new Slots(handlersMax, limitsOf(worked, sources, registry));
    if (worked.length > 0) {
      this.#leases.start();
      this.#needs.store.subscribe?.(() => this.look());
      this.#endUpkeep = startUpkeep(this.#needs);
    }
    this.#stableAt = clock.now() + stableMs;
    clock.after(stableMs, () => this.look());
    this.look();
    return true;
  }

  get isWorking(): boolean {
    return this.#state === "working";
  }

  /** Terms for a take: what of it can run now may be born claimed. */
  reserve(events: readonly NewEvent[]): TakeAsk {
    const wanted = new Map<string, number>();
    if (this.#state === "working") {
      for (const { source } of events) wanted.set(source, (wanted.get(source) ?? 0) + 1);
    }
    const offer = this.#slots.offer(wanted);
    const ask = { fence: this.#fence(), leaseMs: this.#leases.leaseMs, ...offer };
    this.#offers.set(ask, offer);
    return ask;
  }

  /**
   * Runs what a take was given, on a later turn of the event loop, so that the answers go out first. `left` says whether
   * events were taken that are not in hand.
   */
  begin(claims: readonly Claim[], ask: TakeAsk, left: boolean): void {
    const offer = this.#offers.get(ask);
    if (offer !== undefined) this.#slots.takeBack(offer);
    this.#offers.delete(ask);
    const held = this.#hold(claims);
    if (held.length > 0) {
      setImmediate(() => {
        for (const one of held) this.#run(one);
      });
    }
    if (left || this.#more) this.look();
    this.#change.ring();
  }

  /** Resolves when this instance has nothing in hand and nothing is due. */
  async idle(): Promise<void> {
    // Who waits for everything waits for suspects as well.
    this.#stableAt = -Infinity;
    this.look();
    await this.#drained();
  }

  /** Takes no more, aborts the signals of running handlers, waits for them up to `drainMs`, and settles what ended. */
  async close(drainMs: number): Promise<void> {
    if (this.#state === "closing" || this.#state === "closed") return;
    this.#state = "closing";
    this.#cancelPoll();
    this.#endUpkeep();
    const reason = new Error("the inbox is closing");
    for (const { abort } of this.#held.values()) abort.abort(reason);
    let cancel: () => void = () => undefined;
    const patience = new Promise<void>((resolve) => {
      cancel = this.#needs.clock.after(drainMs, resolve);
    });
    await Promise.race([this.#drained(), patience]);
    cancel();
    this.#state = "closed";
    await this.#settlements.flushed();
    await this.#giveUp();
  }

  /** After the closing: settles what takes under way have brought, and ends. */
  async end(): Promise<void> {
    await this.#drained();
    await this.#settlements.flushed();
    await this.#leases.stop();
  }

  /** Tells the handlers of events that a person has ended. */
  abandon(keys: readonly string[]): void {
    for (const key of keys) this.#held.get(key)?.abort.abort(takenAway());
  }

  async #drained(): Promise<void> {
    while (this.#held.size > 0 || this.#offers.size > 0 || this.#claiming !== undefined) {
      await this.#change.heard();
    }
  }

  /** Claims until the slots are full or nothing is due. Called whenever a slot, an event or time may change that. */
  look(): void {
    if (this.#state !== "working" || this.#needs.worked.length === 0) return;
    this.#more = true;
    this.#claiming ??= this.#claimAll().finally(() => {
      this.#claiming = undefined;
      if (this.#more && this.#slots.isOpen) this.look();
      this.#change.ring();
    });
  }

  async #claimAll(): Promise<void> {
    const { clock, emit, worked } = this.#needs;
    let wakeMs = pollMs;
    let misses = 0;
    while (this.#more && this.#slots.isOpen && this.#state === "working") {
      // A backlog must not keep deliveries waiting: they are looked at between any two claims.
      await nextTurn();
      // After a blocked event loop or a sleeping machine, leases in hand may have ended: they go on before others look.
      await this.#leases.catchUp();
      this.#more = false;
      try {
        const { claims, nextDueInMs = pollMs, without } = await this.#claimOnce();
        misses = claims.length === 0 ? misses + 1 : 0;
        // The slots may have gone to sources that have nothing, while others wait for their turn.
        this.#waits = nextDueInMs === 0 ? without : [];
        const turns = worked.length / Math.max(1, this.#slots.free);
        if (nextDueInMs === 0 && misses < turns) this.#more = true;
        // What is due now and was not given has no slot: one that becomes free is reason enough to look.
        wakeMs = nextDueInMs === 0 ? pollMs : Math.min(nextDueInMs, pollMs);
      } catch (error) {
        emit({ kind: "store_failed", verb: "claim", error: summaryOf(error) });
      }
    }
    this.#cancelPoll();
    if (this.#state === "working") this.#cancelPoll = clock.after(wakeMs, () => this.look());
  }

  async #claimOnce(): Promise<ClaimAnswer & { readonly without: readonly string[] }> {
    const { store, clock, worked } = this.#needs;
    const offer = this.#slots.offer();
    try {
      const answer = await store.claim({
        fence: this.#fence(),
        leaseMs: this.#leases.leaseMs,
        ...offer,
        bytesMax: claimBytesMax,
        suspectsMax: this.#suspectsFree(),
        crashesMax: clock.now() < this.#stableAt ? crashesMax - 2 : Infinity,
      });
      this.#take(answer.claims);
      return { ...answer, without: worked.filter((name) => offer.slots[name] === 0) };
    } finally {
      this.#slots.takeBack(offer);
    }
  }

  /** Takes claims in hand, before anything of them runs; answers those whose events were not in hand already. */
  #hold(claims: readonly Claim[]): readonly Held[] {
    const fresh: Held[] = [];
    const holds = claims.map((claim) => {
      const held = this.#held.get(claim.event.key);
      if (held === undefined) fresh.push(this.#holdNew(claim));
      else meet(held, claim);
      return holdOf(held ?? (fresh.at(-1) as Held));
    });
    if (holds.length > 0) this.#leases.hold(holds);
    return fresh;
  }

  #holdNew(claim: Claim): Held {
    const { event } = claim;
    const { clock, registry, leaseMs } = this.#needs;
    const timeouts = registry.of(event.source, event.type).map(({ timeoutMs }) => timeoutMs);
    // Beyond the deadline by the length of a lease: long enough to settle what ended in the last moment.
    const until = clock.now() + Math.max(0, ...timeouts) + leaseMs;
    const taken = heldOf(claim, until);
    if (this.#state !== "working") taken.abort.abort(new Error("the inbox is closing"));
    this.#held.set(event.key, taken);
    this.#slots.use(event);
    return taken;
  }

  /** One suspect at a time: should it kill this process, it takes no other suspect with it. */
  #suspectsFree(): number {
    return [...this.#held.values()].some(({ claim }) => claim.event.crashes > 0) ? 0 : 1;
  }

  /** Runs one claim to its settlement. Nothing in it rejects. */
  #run(held: Held): void {
    const { event } = held.claim;
    const source = this.#needs.sources.get(event.source);
    if (source === undefined) return;
    void this.#work(held, source).finally(() => {
      const { claim, next } = held;
      if (this.#held.get(event.key) === held) this.#held.delete(event.key);
      this.#leases.drop({ key: event.key, fence: claim.fence });
      if (held.hasSlot) this.#slots.leave(event);
      if (next !== undefined) this.#takeNext(next);
      if (event.crashes > 0) this.look();
      this.#change.ring();
    });
  }

  /** Runs an event anew that came back while it was in hand; gives it back if its slot is somebody else's now. */
  #takeNext(next: Claim): void {
    if (this.#slots.hasRoom(next.event)) return this.#take([next]);
    const outcome = { state: "pending", afterMs: 0, handedBack: true } as const;
    this.#waits = [next.event.source];
    void this.#settlements.add(() => settlementOf(next, outcome, { ...next.event, finished: [] }));
  }

  /** Takes claims in hand and runs them, those aside that are in hand already. */
  #take(claims: readonly Claim[]): void {
    for (const held of this.#hold(claims)) this.#run(held);
  }

  async #work(held: Held, source: ConfiguredSource): Promise<void> {
    const { event } = held.claim;
    const handlers = this.#needs.registry.of(event.source, event.type);
    const { signal } = held.abort;
    const report = await attempt(held.claim, {
      ...this.#needs,
      source,
      handlers,
      signal,
      // As it is when it is asked: a claim may have been renewed.
      hold: () => ({ key: event.key, fence: held.claim.fence }),
      onEnd({ finished, gaveUp }) {
        held.finished.push(...finished);
        held.gaveUp.push(...gaveUp);
      },
    });
    // The next event need not wait for this one's commit.
    this.#leave(held);
    await this.#settle(held, source, event, report);
  }

  /** Gives the slot of an attempt that has ended to others, unless its event is to be run anew. */
  #leave(held: Held): void {
    if (!held.hasSlot || held.next !== undefined) return;
    const { event } = held.claim;
    held.hasSlot = false;
    this.#slots.leave(event);
    const isAwaited = this.#waits.some((name) => this.#slots.hasSlot(name));
    if (this.#more || isAwaited || this.#slots.isLimited(event)) this.look();
  }

  /** `event` is what the attempt began with: a renewed claim counts attempts that were none. */
  async #settle(
    held: Held,
    source: ConfiguredSource,
    event: EventRecord,
    report: AttemptReport,
  ): Promise<void> {
    const { history, failures } = report;
    const { attempts, type } = event;
    const { onUnknownType, random, emit } = this.#needs;
    const delaysMs = source.delaysMsOf(type);
    const finding = this.#findingOf(report);
    // It was handed back when the inbox closed.
    if (this.#held.get(event.key) !== held) return;
    const outcome = decide(event, finding, { delaysMs, onUnknownType, random });
    held.isSettling = true;
    const kept = { ...endedIn(held, event), history };
    const end = await this.#settlements.add(() => settlementOf(held.claim, outcome, kept));
    if (end === "fenced") emit({ kind: "fenced", event: nameOf(held) });
    if (end !== "held") return;
    const settledAs = { attempt: attempts, outcome: namedOutcome(outcome), failures };
    emit({ kind: "settled", event: nameOf(held), ...settledAs });
    if (outcome.state === "pending") this.#lookIn(outcome.afterMs);
    if (outcome.state === "done" && outcome.became !== undefined) this.look();
  }

  /** What a handler did not finish because it was told to stop is no failure of its own. */
  #findingOf({ finding }: AttemptReport): Finding {
    const isStopped = finding.kind === "ran" && finding.unfinished.length > 0;
    return isStopped && this.#state !== "working" ? { kind: "interrupted" } : finding;
  }

  /** Gives back what did not end in time, so that its next attempt need not wait for a lease, nor counts a crash. */
  async #giveUp(): Promise<void> {
    const outcome = { state: "pending", afterMs: 0, handedBack: false } as const;
    const left = [...this.#held.values()].filter(({ isSettling }) => !isSettling);
    if (left.length === 0) return;
    for (const { claim } of left) this.#held.delete(claim.event.key);
    await this.#settlements.write(
      left.map((held) => () => {
        const { claim, next = claim } = held;
        const { history } = next.event;
        return settlementOf(next, outcome, { ...endedIn(held, next.event), history });
      }),
    );
  }

  #lookIn(delayMs: number): void {
    if (delayMs === 0) this.look();
    else if (delayMs < pollMs) this.#needs.clock.after(delayMs, () => this.look());
  }

  #fence(): string {
    this.#fences += 1;
    return `${this.#needs.owner}/${this.#fences}`;
  }
}
