/**
 * The worker of one inbox: keeps its slots busy with claims, holds their leases while handlers run, and settles what
 * they found. It owns every background promise of the working half.
 */

import type { Clock } from "../contracts/clock.ts";
import type { ConfiguredSource } from "../contracts/source.ts";
import type { Claim, Store, TakeAsk } from "../contracts/store.ts";
import type { EventRecord, NewEvent } from "../model/event.ts";
import type { Logger } from "../observe/logger.ts";
import type { Emit } from "../observe/signals.ts";
import type { Attempted, Telemetry } from "../observe/telemetry.ts";
import { attempt, type AttemptNeeds, type AttemptReport } from "./attempt.ts";
import { Bell } from "./bell.ts";
import type { OnInvalid } from "./data.ts";
import type { Registry } from "./handlers.ts";
import {
  attemptedOf,
  endedIn,
  givenUp,
  handedBack,
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
import { decide, suspectTerms, type Finding, type Policy } from "./lifecycle.ts";
import { within } from "./patience.ts";
import { Search } from "./search.ts";
import { Settlements } from "./settlements.ts";
import type { NoteDrift } from "./drift.ts";
import { limitsOf, Slots, type Offer } from "./slots.ts";
import { startUpkeep, type Retention } from "./upkeep.ts";

interface WorkerNeeds extends Pick<AttemptNeeds, "identify" | "expectations"> {
  readonly store: Store;
  readonly sources: ReadonlyMap<string, ConfiguredSource>;
  /** Names of the sources to work on. */
  readonly worked: readonly string[];
  /** Whether to work only while `drain` runs. */
  readonly worksOnDemand: boolean;
  readonly registry: Registry;
  readonly onInvalid: OnInvalid;
  readonly noteDrift: NoteDrift;
  readonly onUnknownType: Policy["onUnknownType"];
  readonly random: () => number;
  readonly handlersMax: number;
  readonly leaseMs: number;
  readonly retention: Retention;
  /** Unique for this inbox in this process. */
  readonly owner: string;
  readonly clock: Clock;
  readonly logger: Logger | undefined;
  readonly telemetry: Pick<Telemetry, "attempted">;
  readonly emit: Emit;
}

/** How long handlers have to end when a drain has. */
const graceMs = 1000;
/** How long an instance has to live before it runs the last attempt of a suspect. */
const stableMs = 10_000;

export class Worker {
  readonly #needs: WorkerNeeds;
  readonly #settlements: Settlements;
  readonly #leases: Leases;
  readonly #held = new Map<string, Held>();
  /** What was promised to takes under way, by the terms they were given. */
  readonly #offers = new Map<TakeAsk, Offer>();
  /** Made at the start, when all handlers are known. */
  #slots = new Slots(0, new Map());
  #search: Search;
  #fences = 0;
  #state: "new" | "working" | "closing" | "closed" = "new";
  /** When this instance is known not to die young, by its own clock. */
  #stableAt = Infinity;
  #endUpkeep: () => void = () => undefined;
  /** How many calls of `drain` are under way. */
  #drains = 0;
  /** How many attempts were handed back, and go on all the same. */
  #abandoned = 0;
  /** Rung at every change of what is in hand. */
  readonly #change = new Bell();

  constructor(needs: WorkerNeeds) {
    this.#needs = needs;
    const isLast = (): boolean =>
      this.#state === "closed" || (needs.worksOnDemand && this.#drains === 0);
    this.#settlements = new Settlements({ ...needs, isLast });
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
    this.#search = this.#searchFor([]);
  }

  /** Begins to look for work; false when it had begun already. */
  start(): boolean {
    if (this.#state !== "new") return false;
    this.#state = "working";
    const { worked, worksOnDemand, handlersMax, registry, sources, clock } = this.#needs;
    this.#slots = new Slots(handlersMax, limitsOf(worked, sources, registry));
    this.#search = this.#searchFor(worked);
    if (worked.length > 0) {
      this.#leases.start();
      if (!worksOnDemand) this.#needs.store.subscribe?.(() => this.look());
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

  /** Whether it may take up work now. */
  get #isAsked(): boolean {
    return this.#state === "working" && (!this.#needs.worksOnDemand || this.#drains > 0);
  }

  /** Terms for a take: what of it can run now may be born claimed. */
  reserve(events: readonly NewEvent[]): TakeAsk {
    const wanted = new Map<string, number>();
    if (this.#state === "working" && !this.#needs.worksOnDemand) {
      for (const { source } of events) wanted.set(source, (wanted.get(source) ?? 0) + 1);
    }
    // A search must not keep from them what they need: they would be looked for in their turn, which takes as long.
    const offer = this.#slots.offer(wanted, this.#slots.isEasy ? this.#search.offer : undefined);
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
    if (left || this.#search.hasMore) this.look();
    this.#change.ring();
  }

  /** Works until this instance has nothing in hand and nothing is due; false when that was not reached within `withinMs`. */
  async drain(withinMs: number): Promise<boolean> {
    const { clock, worksOnDemand } = this.#needs;
    this.#drains += 1;
    // Who waits for everything waits for suspects as well.
    if (worksOnDemand || withinMs === Infinity) this.#stableAt = -Infinity;
    this.look();
    const isDone = await within(clock, withinMs, this.#drained(withinMs !== Infinity));
    this.#drains -= 1;
    if (!this.#isAsked && this.#state === "working") await this.#stopWorking();
    return isDone && !this.#search.hasFailed;
  }

  /** Ends what is in hand, or hands it back: whatever comes next may find this process stopped. */
  async #stopWorking(): Promise<void> {
    this.#search.rest();
    for (const { abort } of this.#held.values()) abort.abort(new Error("the drain has ended"));
    await within(this.#needs.clock, graceMs, this.#drained(false));
    if (this.#isAsked) return;
    await this.#giveUp();
    await this.#settlements.flushed();
  }

  /** Takes no more, aborts the signals of running handlers, waits for them up to `drainMs`, and settles what ended. */
  async close(drainMs: number): Promise<void> {
    if (this.#state === "closing" || this.#state === "closed") return;
    this.#state = "closing";
    this.#search.rest();
    this.#endUpkeep();
    const reason = new Error("the inbox is closing");
    for (const { abort } of this.#held.values()) abort.abort(reason);
    await within(this.#needs.clock, drainMs, this.#drained(false));
    this.#state = "closed";
    this.#change.ring();
    await this.#settlements.flushed();
    await this.#giveUp();
  }

  /** After the closing: settles what takes under way have brought, and ends. */
  async end(): Promise<void> {
    await this.#drained(false);
    await this.#settlements.flushed();
    await this.#leases.stop();
  }

  /** Tells the handlers of events that a person has ended. */
  abandon(keys: readonly string[]): void {
    for (const key of keys) this.#held.get(key)?.abort.abort(takenAway());
  }

  /** Resolves when nothing is in hand; for a drain, neither is a slot lost to an attempt of old, nor the store away. */
  async #drained(isPatient: boolean): Promise<void> {
    const isHindered = (): boolean =>
      isPatient && this.#isAsked && (this.#abandoned > 0 || this.#search.hasFailed);
    while (this.#isBusy || isHindered()) await this.#change.heard();
  }

  get #isBusy(): boolean {
    return this.#held.size > 0 || this.#offers.size > 0 || this.#search.underWay !== undefined;
  }

  /** Looks for work. Called whenever a slot, an event or time may have brought some. */
  look(): void {
    this.#search.look();
  }

  #searchFor(worked: readonly string[]): Search {
    const { clock } = this.#needs;
    return new Search({
      ...this.#needs,
      worked,
      slots: this.#slots,
      isAsked: () => this.#isAsked,
      // After a blocked event loop or a sleeping machine, leases in hand may have ended: they go on before others look.
      prepare: () => this.#leases.catchUp(),
      terms: () => ({
        fence: this.#fence(),
        leaseMs: this.#leases.leaseMs,
        ...suspectTerms(
          [...this.#held.values()].map(({ claim }) => claim.event.crashes),
          clock.now() >= this.#stableAt,
        ),
      }),
      take: (claims) => this.#found(claims),
      onEnd: () => this.#change.ring(),
    });
  }

  /** Takes claims in hand, before anything of them runs; answers those whose events were not in hand already. */
  #hold(claims: readonly Claim[]): readonly Held[] {
    const fresh: Held[] = [];
    for (const claim of claims) {
      const held = this.#held.get(claim.event.key);
      if (held !== undefined) meet(held, claim);
      else if (this.#slots.mayRun(claim.event)) fresh.push(this.#holdNew(claim));
      else this.#giveBack(claim);
    }
    this.#leases.hold(claims.flatMap(({ event }) => this.#held.get(event.key) ?? []).map(holdOf));
    return fresh;
  }

  #holdNew(claim: Claim): Held {
    const { event } = claim;
    const { clock, registry, leaseMs } = this.#needs;
    // Beyond the deadline by the length of a lease: long enough to settle what ended in the last moment.
    const holdMs = registry.timeoutMsOf(event.source, event.type) + leaseMs;
    const taken = heldOf(claim, clock.now() + holdMs);
    if (this.#state !== "working") taken.abort.abort(new Error("the inbox is closing"));
    this.#held.set(event.key, taken);
    this.#slots.use(event);
    return taken;
  }

  /** Runs one claim to its settlement. Nothing in it rejects. */
  #run(held: Held): void {
    const { event } = held.claim;
    const { sources, telemetry } = this.#needs;
    const source = sources.get(event.source);
    if (source === undefined) return;
    const working = telemetry.attempted(attemptedOf(held), () => this.#work(held, source));
    void working.finally(() => {
      const { claim, next } = held;
      if (this.#held.get(event.key) === held) this.#held.delete(event.key);
      else this.#abandoned -= 1;
      this.#leases.drop({ key: event.key, fence: claim.fence });
      if (held.hasSlot) this.#slots.leave(event);
      if (next !== undefined) this.#takeNext(next);
      if (event.crashes > 0) this.look();
      this.#change.ring();
    });
  }

  /** Runs an event anew that came back while it was in hand; gives it back if its slot is somebody else's now. */
  #takeNext(next: Claim): void {
    if (this.#slots.hasRoom(next.event)) this.#take([next]);
    else this.#giveBack(next);
  }

  /** There is no slot for it now. */
  #giveBack(claim: Claim): void {
    const given = this.#settlements.add(() => handedBack(claim));
    void given.then(() => this.#search.waitsFor(claim.event.source));
  }

  /** What was found too late, when a drain had ended, is not begun. */
  #found(claims: readonly Claim[]): void {
    if (this.#isAsked || this.#state !== "working") this.#take(claims);
    else for (const claim of claims) this.#giveBack(claim);
  }

  /** Takes claims in hand and runs them, those aside that are in hand already. */
  #take(claims: readonly Claim[]): void {
    for (const held of this.#hold(claims)) this.#run(held);
    // More of them may run beside it.
    if (claims.some(({ event }) => event.crashes === 1)) this.look();
  }

  async #work(held: Held, source: ConfiguredSource): Promise<Attempted | undefined> {
    const { event } = held.claim;
    const report = await attempt(held.claim, this.#needs, {
      source,
      handlers: this.#needs.registry.of(event.source, event.type),
      abort: held.abort,
      // As it is when it is asked: a claim may have been renewed.
      hold: () => ({ key: event.key, fence: held.claim.fence }),
      onEnd: (how, handler) => void held[how].push(handler),
    });
    // The next event need not wait for this one's commit.
    this.#leave(held);
    return await this.#settle(held, source, event, report);
  }

  /** Gives the slot of an attempt that has ended to others, unless its event is to be run anew. */
  #leave(held: Held): void {
    if (!held.hasSlot || held.next !== undefined) return;
    const { event } = held.claim;
    held.hasSlot = false;
    this.#slots.leave(event);
    if (this.#slots.isLimited(event)) this.look();
    else this.#search.lookForWaiting();
  }

  /** `event` is what the attempt began with: a renewed claim counts attempts that were none. */
  async #settle(
    held: Held,
    source: ConfiguredSource,
    event: EventRecord,
    report: AttemptReport,
  ): Promise<Attempted | undefined> {
    const { history, failures } = report;
    const { onUnknownType, random, emit } = this.#needs;
    // It was handed back when the inbox closed.
    if (this.#held.get(event.key) !== held) return undefined;
    const policy = { delaysMs: source.delaysMsOf(event.type), onUnknownType, random };
    const outcome = decide(event, this.#findingOf(report), policy);
    held.isSettling = true;
    const kept = { ...endedIn(held, event), history, blocks: source.lane?.blocks };
    const end = await this.#settlements.add(() => settlementOf(held.claim, outcome, kept));
    if (end === "fenced") emit({ kind: "fenced", event: nameOf(held) });
    if (end !== "held") return undefined;
    const ended: Attempted = { outcome: namedOutcome(outcome), failures };
    emit({ kind: "settled", event: nameOf(held), attempt: event.attempts, ...ended });
    if (outcome.state === "pending") this.#search.lookIn(outcome.afterMs);
    const hasBecome = outcome.state === "done" && outcome.became !== undefined;
    if (hasBecome || event.lane !== undefined) this.look();
    return ended;
  }

  /** What a handler did not finish because it was told to stop is no failure of its own. */
  #findingOf({ finding }: AttemptReport): Finding {
    const isStopped = finding.kind === "ran" && finding.unfinished.length > 0;
    return isStopped && !this.#isAsked ? { kind: "interrupted" } : finding;
  }

  /** Gives back what did not end in time, so that its next attempt need not wait for a lease, nor counts a crash. */
  async #giveUp(): Promise<void> {
    const left = [...this.#held.values()].filter(({ isSettling }) => !isSettling);
    if (left.length === 0) return;
    for (const { claim } of left) this.#held.delete(claim.event.key);
    this.#abandoned += left.length;
    await this.#settlements.write(left.map(givenUp));
    this.#change.ring();
  }

  #fence(): string {
    return `${this.#needs.owner}/${++this.#fences}`;
  }
}
