/**
 * Leases: what keeps the claims in hand from going to others. They are extended three times per lease, from the main
 * thread while that is free, and from a side thread with a connection of its own while a handler blocks it; both only
 * until the claim's own end, so that a handler that never ends cannot hold an event for ever.
 */

import { Worker as Thread } from "node:worker_threads";
import { systemClock, type Clock } from "../contracts/clock.ts";
import type { Hold, Store } from "../contracts/store.ts";
import { summaryOf } from "../observe/redact.ts";
import type { Emit, EventName } from "../observe/signals.ts";
import { within } from "./patience.ts";
import type { HeartbeatMessage, HeartbeatNews, HeartbeatSetup } from "./heartbeat-thread.ts";
import { HoldTable, type ThreadHold } from "./hold-table.ts";

interface LeasesNeeds {
  readonly store: Store;
  readonly clock: Clock;
  /** How long a lease is, as long as something extends it whatever handlers do. */
  readonly leaseMs: number;
  /** How long the longest handler may run. */
  readonly timeoutMsMax: () => number;
  readonly emit: Emit;
  /** What is in hand, and until when its lease is to be extended. */
  readonly held: () => readonly ThreadHold[];
  /** Events whose handlers run. */
  readonly running: () => readonly EventName[];
  /** Called with the key and fence of a claim that somebody else has. */
  readonly onLost: (hold: ThreadHold) => void;
}

/** Beside this file, which is TypeScript in the workspace and JavaScript in the package. */
const threadModule = new URL(
  import.meta.url.endsWith(".ts") ? "./heartbeat-thread.ts" : "./heartbeat-thread.js",
  import.meta.url,
);

/** One that waits for a server that is away is cut off. */
const endMsMax = 2000;

export class Leases {
  readonly #needs: LeasesNeeds;
  #thread: Thread | undefined;
  /** Whether leases end early while a handler blocks the event loop, because nobody is there to extend them. */
  #isAlone: boolean;
  #beatAt = 0;
  #cancelBeat: () => void = () => undefined;
  #hasStopped = false;
  readonly #table = new HoldTable((part) => this.#tell({ part }));

  constructor(needs: LeasesNeeds) {
    this.#needs = needs;
    const { supports, threadAccess } = needs.store;
    this.#isAlone = supports.shared && threadAccess === undefined;
  }

  /** Terms for new claims. Where nobody extends them for a blocked handler, they last as long as handlers may run. */
  get leaseMs(): number {
    const { leaseMs, timeoutMsMax } = this.#needs;
    return this.#isAlone ? timeoutMsMax() + leaseMs : leaseMs;
  }

  start(): void {
    const { store, clock, leaseMs, emit } = this.#needs;
    this.#beatAt = clock.now();
    this.#beat();
    // A store that others cannot use has nobody who could take over; another clock than the machine's is none for a thread.
    const { threadAccess, supports } = store;
    if (!supports.shared || threadAccess === undefined) return;
    if (clock !== systemClock) {
      this.#isAlone = true;
      return;
    }
    const { module, options } = threadAccess;
    const workerData: HeartbeatSetup = { module: module.href, options, leaseMs };
    try {
      this.#thread = new Thread(threadModule, { workerData, execArgv: [] });
      this.#thread.on("error", (error) => this.#lose(error));
      this.#thread.on("message", ({ failed }: HeartbeatNews) => {
        this.#isAlone = failed !== undefined;
        if (failed !== undefined && !this.#hasStopped)
          emit({ kind: "heartbeat_failed", error: failed });
      });
      // Last of all: whoever listens holds the process.
      this.#thread.unref();
    } catch (error) {
      this.#lose(error);
    }
  }

  async stop(): Promise<void> {
    this.#hasStopped = true;
    this.#cancelBeat();
    const thread = this.#thread;
    if (thread === undefined) return;
    // It closes its connection itself: a thread that is cut off leaves that to the runtime, in native code.
    const ended = new Promise<void>((resolve) => thread.once("exit", () => resolve()));
    this.#tell({ isOver: true });
    if (!(await within(systemClock, endMsMax, ended))) await thread.terminate();
  }

  /** What has come into hand, before anything of it runs. */
  hold(holds: readonly ThreadHold[]): void {
    if (this.#thread === undefined) return;
    for (const hold of holds) this.#table.put(hold);
  }

  /** What is not in hand any more. */
  drop(hold: Hold): void {
    this.#table.drop(hold);
  }

  /** Extends what is in hand if the last beat is long ago, as after a blocked event loop or a sleeping machine. */
  async catchUp(): Promise<void> {
    if (this.#needs.clock.now() - this.#beatAt > this.#needs.leaseMs / 2) await this.#extendAll();
  }

  #beat(): void {
    if (this.#hasStopped) return;
    this.#cancelBeat = this.#needs.clock.after(this.#needs.leaseMs / 3, () => {
      void this.#extendAll().finally(() => this.#beat());
    });
  }

  async #extendAll(): Promise<void> {
    const { store, clock, leaseMs, emit, held, running, onLost } = this.#needs;
    const now = clock.now();
    const lateMs = now - this.#beatAt - leaseMs / 3;
    if (lateMs > leaseMs)
      emit({ kind: "loop_blocked", blockedMs: Math.round(lateMs), events: running() });
    this.#beatAt = now;
    this.#tell({ isAlive: true });
    const holds = held().filter(({ until }) => until > now);
    if (holds.length === 0) return;
    try {
      const answers = await store.extend(holds, this.leaseMs);
      for (const [index, hold] of holds.entries()) if (answers[index] === false) onLost(hold);
    } catch (error) {
      emit({ kind: "store_failed", of: "store", verb: "extend", error: summaryOf(error) });
    }
  }

  #tell(message: HeartbeatMessage): void {
    this.#thread?.postMessage(message);
  }

  #lose(error: unknown): void {
    if (this.#hasStopped) return;
    this.#thread = undefined;
    this.#isAlone = true;
    this.#needs.emit({ kind: "heartbeat_failed", error: summaryOf(error) });
  }
}
