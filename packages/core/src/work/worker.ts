/**
 * The worker of one inbox: keeps its slots busy with claims, holds their leases while handlers run, and settles what
 * they found. It owns every background promise of the working half.
 */

import type { Clock } from "../contracts/clock.ts";
import type { ConfiguredSource } from "../contracts/source.ts";
import type { Claim, ClaimAnswer, Store, TakeAsk } from "../contracts/store.ts";
import { isStoreAway } from "../errors.ts";
import { groupCommit, nextTurn, type GroupCommit } from "../group-commit.ts";
import type { Settlement } from "../model/settlement.ts";
import { summaryOf } from "../observe/redact.ts";
import type { Emit } from "../observe/signals.ts";
import { attempt, type AttemptReport } from "./attempt.ts";
import type { Registry } from "./handlers.ts";
import { decide, type Finding, type Policy } from "./lifecycle.ts";

export interface WorkerNeeds {
  readonly store: Store;
  readonly sources: ReadonlyMap<string, ConfiguredSource>;
  /** Names of the sources to work on. */
  readonly worked: readonly string[];
  readonly registry: Registry;
  readonly policy: Policy;
  readonly handlersMax: number;
  readonly leaseMs: number;
  /** Unique for this inbox in this process. */
  readonly owner: string;
  readonly clock: Clock;
  readonly emit: Emit;
}

/** A claim in hand, from its taking to its settlement. */
interface Held {
  /** Renewed when its lease had ended and the store gave the event to this very worker again. */
  claim: Claim;
  /** Stops its handlers. */
  readonly abort: AbortController;
  /** When its lease is no longer extended: handlers are bounded, and so is their hold. */
  readonly heldUntil: number;
  /** Whether its handlers have ended, and the end is on its way to the store. */
  isSettling: boolean;
}

/** The end of an attempt, on its way to the store. */
interface Ended extends Pick<Settlement, "outcome" | "finished" | "history"> {
  readonly held: Held;
}

/** How often to look for what only time brings: work of other instances, and leases that ended. */
const pollMs = 1000;
const claimBytesMax = 16 * 1024 * 1024;
const settleBatchMax = 512;
const settleRetryMs = 1000;
const graceMs = 30_000;

export class Worker {
  readonly #needs: WorkerNeeds;
  readonly #settlements: GroupCommit<Ended, boolean>;
  readonly #held = new Map<string, Held>();
  /** Events whose handlers run or are about to. */
  #busy = 0;
  /** Slots promised to a take or claim under way. */
  #reserved = 0;
  #fences = 0;
  #turn = 0;
  #state: "new" | "working" | "closing" | "closed" = "new";
  /** Whether something may be due in the store. */
  #more = false;
  #claiming: Promise<void> | undefined;
  #cancelPoll: () => void = () => undefined;
  #cancelBeat: () => void = () => undefined;
  #beatAt = 0;
  #waiting: (() => void)[] = [];

  constructor(needs: WorkerNeeds) {
    this.#needs = needs;
    this.#settlements = groupCommit(
      (batch) => this.#settleAll(batch),
      () => settleBatchMax,
    );
  }

  /** Begins to look for work; false when it had begun already. */
  start(): boolean {
    if (this.#state !== "new") return false;
    this.#state = "working";
    this.#beat();
    this.#look();
    return true;
  }

  /** Terms for a take: as many of its events may be born claimed as there are free slots. */
  reserve(): TakeAsk {
    const { leaseMs, worked } = this.#needs;
    const claimMax = this.#state === "working" ? this.#free() : 0;
    this.#reserved += claimMax;
    return { fence: this.#fence(), leaseMs, claimMax, worked };
  }

  /**
   * Runs what a take was given, on a later turn of the event loop, so that the answers go out first. `left` says whether
   * events were taken that are not in hand.
   */
  begin(claims: readonly Claim[], ask: TakeAsk, left: boolean): void {
    this.#reserved -= ask.claimMax;
    for (const claim of claims) this.#hold(claim);
    if (claims.length > 0) {
      setImmediate(() => {
        for (const claim of claims) this.#run(claim);
      });
    }
    if (left || this.#more) this.#look();
    this.#tell();
  }

  /** Resolves when this instance has nothing in hand and nothing is due. */
  async idle(): Promise<void> {
    this.#look();
    while (this.#held.size > 0 || this.#reserved > 0 || this.#claiming !== undefined) {
      await this.#change();
    }
  }

  /** Takes no more, aborts the signals of running handlers, waits for them up to `drainMs`, and settles what ended. */
  async close(drainMs: number): Promise<void> {
    if (this.#state === "closing" || this.#state === "closed") return;
    this.#state = "closing";
    this.#cancelPoll();
    const reason = new Error("the inbox is closing");
    for (const { abort } of this.#held.values()) abort.abort(reason);
    let cancel: () => void = () => undefined;
    const patience = new Promise<void>((resolve) => {
      cancel = this.#needs.clock.after(drainMs, resolve);
    });
    await Promise.race([this.#drained(), patience]);
    cancel();
    this.#state = "closed";
    this.#cancelBeat();
    await this.#settlements.flushed();
    await this.#giveUp();
  }

  async #drained(): Promise<void> {
    while (this.#held.size > 0 || this.#reserved > 0 || this.#claiming !== undefined) {
      await this.#change();
    }
  }

  /** Claims until the slots are full or nothing is due. Called again whenever a slot, an event or time may change that. */
  #look(): void {
    if (this.#state !== "working" || this.#needs.worked.length === 0) return;
    this.#more = true;
    this.#claiming ??= this.#claimAll().finally(() => {
      this.#claiming = undefined;
      if (this.#more && this.#free() > 0) this.#look();
      this.#tell();
    });
  }

  async #claimAll(): Promise<void> {
    const { clock, emit, worked, leaseMs } = this.#needs;
    let wakeMs = pollMs;
    let misses = 0;
    while (this.#more && this.#free() > 0 && this.#state === "working") {
      // A backlog must not keep deliveries waiting: they are looked at between any two claims.
      await nextTurn();
      // After a blocked event loop or a sleeping machine, leases in hand may have ended: they go on before others look.
      if (clock.now() - this.#beatAt > leaseMs / 2) await this.#extendAll();
      this.#more = false;
      try {
        const { claims, nextDueInMs = pollMs } = await this.#claimOnce();
        misses = claims.length === 0 ? misses + 1 : 0;
        // The slots may have gone to a source that has nothing, while another one waits for its turn.
        if (nextDueInMs === 0 && misses < worked.length) this.#more = true;
        wakeMs = Math.min(Math.max(nextDueInMs, 1), pollMs);
      } catch (error) {
        emit({ kind: "store_failed", verb: "claim", error: summaryOf(error) });
      }
    }
    this.#cancelPoll();
    if (this.#state === "working") this.#cancelPoll = clock.after(wakeMs, () => this.#look());
  }

  async #claimOnce(): Promise<ClaimAnswer> {
    const { store, leaseMs } = this.#needs;
    const reserved = this.#free();
    const slots = this.#share(reserved);
    this.#reserved += reserved;
    try {
      const ask = { fence: this.#fence(), leaseMs, slots, bytesMax: claimBytesMax };
      const answer = await store.claim({ ...ask, suspectsMax: this.#suspectsFree() });
      for (const claim of answer.claims.filter((one) => this.#hold(one))) this.#run(claim);
      return answer;
    } finally {
      this.#reserved -= reserved;
    }
  }

  /** Takes a claim in hand; false when its event was in hand already, and is running. */
  #hold(claim: Claim): boolean {
    const { event } = claim;
    const held = this.#held.get(event.key);
    if (held !== undefined) {
      held.claim = claim;
      return false;
    }
    const { clock, registry } = this.#needs;
    const timeouts = registry.of(event.source, event.type).map(({ timeoutMs }) => timeoutMs);
    const heldUntil = clock.now() + Math.max(0, ...timeouts) + graceMs;
    const abort = new AbortController();
    if (this.#state !== "working") abort.abort(new Error("the inbox is closing"));
    this.#held.set(event.key, { claim, abort, heldUntil, isSettling: false });
    this.#busy += 1;
    return true;
  }

  /** One suspect at a time: should it kill this process, it takes no other suspect with it. */
  #suspectsFree(): number {
    return [...this.#held.values()].some(({ claim }) => claim.event.crashes > 0) ? 0 : 1;
  }

  /** Runs one claim to its settlement. Nothing in it rejects. */
  #run(claim: Claim): void {
    void this.#work(claim).finally(() => {
      this.#held.delete(claim.event.key);
      if (claim.event.crashes > 0) this.#look();
      this.#tell();
    });
  }

  async #work(claim: Claim): Promise<void> {
    const { registry, clock, sources } = this.#needs;
    const { source: name, type, key } = claim.event;
    const source = sources.get(name);
    const held = this.#held.get(key);
    if (source === undefined || held === undefined) return;
    const handlers = registry.of(name, type);
    const report = await attempt(claim, { source, handlers, clock, signal: held.abort.signal });
    // The next event need not wait for this one's commit.
    this.#busy -= 1;
    if (this.#more) this.#look();
    await this.#settle(held, report);
  }

  async #settle(held: Held, report: AttemptReport): Promise<void> {
    const { finished, history, failures } = report;
    const { key, source, type, attempts } = held.claim.event;
    const outcome = decide(held.claim.event, this.#findingOf(report), this.#needs.policy);
    held.isSettling = true;
    const isSettled = await this.#settlements.add({ held, outcome, finished, history });
    // After the closing nobody knows whether it holds, and nobody has taken over.
    if (!isSettled && this.#state === "closed") return;
    const event = { key, source, type };
    this.#needs.emit(
      isSettled
        ? { kind: "settled", event, attempt: attempts, outcome, failures }
        : { kind: "fenced", event },
    );
    if (isSettled && outcome.state === "pending") this.#lookIn(outcome.afterMs);
  }

  /** What a handler did not finish because it was told to stop is no failure of its own. */
  #findingOf({ finding }: AttemptReport): Finding {
    const isStopped = finding.kind === "ran" && finding.unfinished.length > 0;
    return isStopped && this.#state !== "working" ? { kind: "interrupted" } : finding;
  }

  /**
   * Repeats while the store is away and the inbox is open: a settlement is safe to write twice. One that the store cannot
   * take for another reason is given up, alone; its lease ends, and the event is tried again.
   */
  async #settleAll(batch: readonly Ended[]): Promise<readonly boolean[]> {
    const { store, clock, emit } = this.#needs;
    for (;;) {
      const isLast = this.#state === "closed";
      try {
        // A claim may have been renewed while its end was waiting: its fence is the one it has now.
        return await store.settle(batch.map(settlementOf));
      } catch (error) {
        emit({ kind: "store_failed", verb: "settle", error: summaryOf(error) });
        if (isLast) return batch.map(() => false);
        const isAway = isStoreAway(error);
        if (!isAway && batch.length === 1) return [false];
        if (!isAway) return await this.#settleEach(batch);
        await new Promise<void>((resolve) => clock.after(settleRetryMs, resolve));
      }
    }
  }

  async #settleEach(batch: readonly Ended[]): Promise<readonly boolean[]> {
    const answers: boolean[] = [];
    for (const ended of batch) answers.push(...(await this.#settleAll([ended])));
    return answers;
  }

  /** Gives back what did not end in time, so that its next attempt need not wait for a lease, nor counts a crash. */
  async #giveUp(): Promise<void> {
    const outcome = { state: "pending", afterMs: 0, handedBack: false } as const;
    const left = [...this.#held.values()]
      .filter(({ isSettling }) => !isSettling)
      .map((held) => ({ held, outcome, ...held.claim.event }));
    if (left.length > 0) await this.#settleAll(left);
  }

  /** Extends the leases of what is in hand, three times per lease. */
  #beat(): void {
    if (this.#state === "closed") return;
    const { clock, leaseMs } = this.#needs;
    this.#cancelBeat = clock.after(leaseMs / 3, () => {
      void this.#extendAll().finally(() => this.#beat());
    });
  }

  async #extendAll(): Promise<void> {
    const { store, clock, leaseMs, emit } = this.#needs;
    const now = clock.now();
    this.#beatAt = now;
    const held = [...this.#held.values()].filter(({ heldUntil }) => heldUntil > now);
    if (held.length === 0) return;
    const claims = held.map(({ claim }) => claim);
    try {
      const answers = await store.extend(claims, leaseMs);
      for (const [index, one] of held.entries()) {
        const isLost = answers[index] === false && one.claim === claims[index];
        if (isLost) one.abort.abort(new Error("another worker has taken over"));
      }
    } catch (error) {
      emit({ kind: "store_failed", verb: "extend", error: summaryOf(error) });
    }
  }

  #lookIn(delayMs: number): void {
    if (delayMs === 0) this.#look();
    else if (delayMs < pollMs) this.#needs.clock.after(delayMs, () => this.#look());
  }

  #free(): number {
    return Math.max(0, this.#needs.handlersMax - this.#busy - this.#reserved);
  }

  /** Slots by source, evenly; who gets the odd ones changes at every call, so that a single slot goes round. */
  #share(free: number): Record<string, number> {
    const { worked } = this.#needs;
    this.#turn += 1;
    const slots: Record<string, number> = {};
    for (const [index, name] of worked.entries()) {
      const isOdd = (index + this.#turn) % worked.length < free % worked.length;
      slots[name] = Math.floor(free / worked.length) + (isOdd ? 1 : 0);
    }
    return slots;
  }

  #fence(): string {
    this.#fences += 1;
    return `${this.#needs.owner}/${this.#fences}`;
  }

  /** Resolves at the next change of what is in hand. */
  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #tell(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

function settlementOf({ held, outcome, finished, history }: Ended): Settlement {
  const { event, fence } = held.claim;
  return { key: event.key, fence, outcome, finished, history };
}
