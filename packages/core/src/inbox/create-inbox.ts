/** What an inbox is made of: the one place where receiving, working and the store meet. */

import type { Answer, BodySource } from "../contracts/door.ts";
import type { Sources } from "../contracts/source.ts";
import {
  unclaimed,
  type Kept,
  type ListAnswer,
  type ListQuery,
  type Store,
  type Tally,
  type TallyQuery,
} from "../contracts/store.ts";
import { inboxClosed, WebhookInboxError } from "../errors.ts";
import { answerFetch, type FetchOptions } from "../http/fetch.ts";
import type { DeliveryHead } from "../model/delivery.ts";
import type { Act } from "../model/intervention.ts";
import { emitterOf } from "../observe/emitter.ts";
import { summaryOf } from "../observe/redact.ts";
import type { Emit } from "../observe/signals.ts";
import { viewOf, type EventView } from "../observe/view.ts";
import { settingsOf, type InboxOptions, type Settings } from "../options/options.ts";
import { createAdmission } from "../receive/admission.ts";
import { identify } from "../receive/identify.ts";
import { receive, type Receiving } from "../receive/receive.ts";
import { Refusals } from "../receive/refusals.ts";
import { Spilling } from "../receive/spilling.ts";
import { verdictOf, type VerifiedAgain, type VerifyAgainOptions } from "../receive/verify-again.ts";
import { auditOf, type Audit } from "../work/audit.ts";
import { Expectations } from "../work/expectations.ts";
import { expectedOf } from "../work/expected.ts";
import { driftNoter } from "../work/drift.ts";
import { checkListQuery, checkTallyQuery, invalid } from "../work/filters.ts";
import {
  createRegistry,
  type Handler,
  type HandlerOptions,
  type Registry,
  type WebhookEvent,
} from "../work/handlers.ts";
import type { Intervened, InterveneOptions, ReplayOptions, Which } from "../work/interventions.ts";
import { within } from "../work/patience.ts";
import { readEvent } from "../work/read.ts";
import { Worker } from "../work/worker.ts";
import { healthOf, type Health } from "./health.ts";
import { stayAlive } from "./stay-alive.ts";
import { secretUsage, sourceSummary } from "./source-summary.ts";
import { steered, verifiedAgain, type Steering } from "./steering.ts";
import type {
  CloseOptions,
  DrainOptions,
  ExpectOptions,
  Inbox,
  RevealOptions,
  SecretUsage,
} from "./inbox.ts";

/**
 * Makes an inbox. Checks the options at once: throws `WebhookInboxError` with `OPTION_INVALID`, `CREDENTIAL_INVALID`,
 * `CREDENTIAL_MISSING` (in production, for a source without a credential), `STORE_LOSSY` or `HANDLER_INVALID`.
 */
export function createInbox<const Of extends Sources, Transaction>(
  options: InboxOptions<Of, Transaction>,
): Inbox<Of, Transaction> {
  const inbox = new InboxOfSources(settingsOf(options, process.env));
  for (const [source, handlers] of Object.entries(options.handlers ?? {})) {
    if (typeof handlers === "function") {
      throw new WebhookInboxError(
        "HANDLER_INVALID",
        `handlers.${source} must be handlers by type, such as { "*": handler }.`,
      );
    }
    for (const [type, handler] of Object.entries(handlers ?? {})) {
      inbox.on(source, type, handler as Handler);
    }
  }
  return inbox as unknown as Inbox<Of, Transaction>;
}

/** Share of `inFlightBytesMax` that bodies may hold, beside it, before anything about them is verified. */
const unverifiedShare = 0.25;
/** Share that bodies may hold which are read though their credential was refused. */
const refusedShare = 0.05;
const drainMsDefault = 25_000;
const startRetryMs = 1000;

class InboxOfSources {
  readonly path: string;
  readonly #settings: Settings;
  readonly #emit: Emit;
  readonly #registry: Registry;
  readonly #worker: Worker;
  readonly #custody: Spilling;
  readonly #receiving: Receiving;
  readonly #refusals: Refusals;
  readonly #steering: Steering;
  #hasStarted = false;
  #hasClosed = false;
  #opening: Promise<Store> | undefined;
  #closing: Promise<void> | undefined;
  /** Set while `start` was asked for. */
  #mayEnd: (() => void) | undefined;

  constructor(settings: Settings) {
    const { sources, path, clock } = settings;
    this.path = path;
    this.#settings = settings;
    this.#emit = emitterOf(settings);
    this.#registry = createRegistry(sources);
    const worker = new Worker({
      ...settings,
      registry: this.#registry,
      identify,
      expectations: new Expectations({ ...settings, identify, emit: this.#emit }),
      noteDrift: driftNoter(this.#emit, settings.onInvalid),
      random: Math.random,
      owner: crypto.randomUUID(),
      emit: this.#emit,
    });
    this.#worker = worker;
    this.#custody = new Spilling({
      ...settings,
      emit: this.#emit,
      ready: () => this.#started(),
      terms: (events) => worker.reserve(events),
      begin: (claims, ask, left) => worker.begin(claims, ask, left),
    });
    const { store } = settings;
    const isThere = (): boolean => !this.#custody.isAway;
    this.#refusals = new Refusals({ store, isThere, clock });
    this.#steering = { ...settings, custody: this.#custody, worker, emit: this.#emit };
    this.#receiving = {
      path,
      sources,
      clock,
      admission: createAdmission(settings.inFlightBytesMax),
      unverified: createAdmission(settings.inFlightBytesMax * unverifiedShare),
      refused: createAdmission(settings.inFlightBytesMax * refusedShare),
      refusals: this.#refusals,
      custody: this.#custody,
      random: Math.random,
      fetch: settings.fetch,
      publicUrl: settings.publicUrl,
      telemetry: settings.telemetry,
      emit: this.#emit,
    };
  }

  on(source: string, type: string, ...rest: readonly (HandlerOptions | Handler)[]): this {
    if (this.#hasStarted) {
      throw new WebhookInboxError(
        "HANDLER_INVALID",
        `the handler of ${source}/${type} comes too late: the inbox has started, and events may have gone unhandled. ` +
          "Register handlers before the inbox is mounted, or in the same turn of the event loop.",
      );
    }
    const [first, second] = rest;
    const [options, handler] = typeof first === "object" ? [first, second] : [{}, first];
    if (typeof first === "function" && second !== undefined) {
      throw new WebhookInboxError(
        "HANDLER_INVALID",
        `the options of the handler of ${source}/${type} stand before it: inbox.on(source, type, options, handler).`,
      );
    }
    this.#registry.add(source, type, options, handler as Handler);
    return this;
  }

  mount(): void {
    setImmediate(() => {
      this.#untilOpen(() => this.#started());
      this.#untilOpen(() => this.#spillStarted());
    });
  }

  /**
   * After a failure there may be nobody to try again: what waits in the store, or was left in the spill, would wait for a
   * delivery.
   */
  #untilOpen(open: () => Promise<void>): void {
    if (this.#closing !== undefined) return;
    open().catch(() => this.#settings.clock.after(startRetryMs, () => this.#untilOpen(open)));
  }

  async #spillStarted(): Promise<void> {
    try {
      await this.#custody.start();
    } catch (error) {
      this.#emit({ kind: "store_failed", of: "spill", verb: "open", error: summaryOf(error) });
      throw error;
    }
  }

  async start(): Promise<void> {
    await this.#custody.start();
    await this.#started();
    this.#mayEnd ??= stayAlive();
  }

  /** Resolves once the store is open and this instance works. */
  async #started(): Promise<void> {
    this.#hasStarted = true;
    await this.#opened();
    if (!this.#worker.start()) return;
    const sources = [...this.#settings.sources.values()].map((source) =>
      sourceSummary(this.#settings, source),
    );
    this.#emit({ kind: "started", sources });
  }

  /** The store, once it is open, also while the inbox is closing: deliveries are kept until the store closes. */
  #opened(): Promise<Store> {
    if (this.#hasClosed || (this.#closing !== undefined && this.#opening === undefined)) {
      return Promise.reject(inboxClosed());
    }
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined;
      this.#emit({ kind: "start_failed", error: summaryOf(error) });
      throw error;
    });
    return this.#opening;
  }

  async #open(): Promise<Store> {
    const { store, clock } = this.#settings;
    await store.open({ clock });
    if (store.supports.durability === "none") this.#emit({ kind: "store_volatile" });
    return store;
  }

  receive(head: DeliveryHead, body: BodySource): Promise<Answer> | undefined {
    return receive(this.#receiving, head, body);
  }

  readonly fetch = async (request: Request, options?: FetchOptions): Promise<Response> => {
    const given = options ?? {};
    const response = await answerFetch(this, request, given);
    if (response.ok && given.waitUntil !== undefined) this.#workOn(given.waitUntil);
    return response;
  };

  /** Nothing of it may become of the answer: the delivery is kept. */
  #workOn(waitUntil: (working: Promise<unknown>) => void): void {
    // Whoever keeps the process going has nobody to tell: a store that is away was signalled, and is asked again.
    const working = this.drain().catch(() => false);
    try {
      waitUntil(working);
    } catch (error) {
      this.#emit({ kind: "wait_until_failed", error: summaryOf(error) });
    }
  }

  async drain({ withinMs = drainMsDefault }: DrainOptions = {}): Promise<boolean> {
    if (!(typeof withinMs === "number" && withinMs > 0)) {
      throw new WebhookInboxError(
        "OPTION_INVALID",
        "drain: withinMs must be a positive number of milliseconds.",
      );
    }
    const { clock } = this.#settings;
    const mayEnd = stayAlive();
    try {
      const until = clock.now() + withinMs;
      // Why it cannot be opened is said where it is needed.
      await this.#custody.start().catch(() => undefined);
      const ready = this.#started().then(async () => {
        await this.#custody.flushed();
        await this.#custody.drained();
      });
      if (!(await within(clock, withinMs, ready))) return false;
      return await this.#worker.drain(until - clock.now());
    } finally {
      mayEnd();
    }
  }

  async idle(): Promise<void> {
    await this.drain({ withinMs: Infinity });
  }

  get isReady(): boolean {
    const { isOpen, isFailing } = this.#custody;
    return (this.#worker.isWorking || isOpen) && !isFailing && this.#closing === undefined;
  }

  health(): Promise<Health> {
    const [custody, opened] = [this.#custody, () => this.#opened()];
    return healthOf({ ...this.#settings, isReady: this.isReady, custody, opened });
  }

  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  async #close({ receiveMs = 0, drainMs = drainMsDefault }: CloseOptions): Promise<void> {
    this.#mayEnd ??= stayAlive();
    try {
      await this.#opening?.catch(() => undefined);
      if (receiveMs > 0) {
        await new Promise<void>((resolve) => this.#settings.clock.after(receiveMs, resolve));
      }
      await this.#worker.close(drainMs);
      this.#hasClosed = true;
      await this.#custody.flushed();
      await this.#refusals.flush();
      await this.#custody.close();
      await this.#worker.end();
      await this.#settings.store.close();
    } finally {
      this.#mayEnd();
    }
  }

  async get(key: string): Promise<Kept | undefined> {
    if (typeof key !== "string") throw invalid("get needs the key of an event.");
    return await (await this.#opened()).get(key);
  }

  async read(key: string): Promise<WebhookEvent | undefined> {
    const { sources, onInvalid } = this.#settings;
    return await readEvent((await this.get(key)) ?? {}, sources, onInvalid);
  }

  async view(key: string): Promise<EventView | undefined> {
    const kept = await this.get(key);
    if (kept === undefined) return undefined;
    const source = this.#settings.sources.get(kept.event.source);
    const isRefused = kept.event.state === "refused";
    const verdict = isRefused ? await verdictOf(this.#steering, kept) : undefined;
    return viewOf(kept, source?.provider.personal, verdict);
  }

  async reveal(key: string, { by, reason = "" }: RevealOptions): Promise<Kept | undefined> {
    if (typeof by !== "string") throw invalid("reveal: by must say who looks.");
    const kept = await this.get(key);
    if (kept === undefined) return undefined;
    const { source, type } = kept.event;
    this.#emit({ kind: "revealed", event: { source, type, key }, by, reason });
    return kept;
  }

  async expect(name: string, ref: string | number, { withinMs }: ExpectOptions): Promise<string> {
    const { sources, store, clock } = this.#settings;
    const expectation = expectedOf(sources.get(name), name, ref, withinMs, clock.now());
    await this.#opened();
    await store.take([expectation], unclaimed());
    this.#worker.look();
    return expectation.key;
  }

  secrets(): readonly SecretUsage[] {
    return secretUsage(this.#settings.sources.values());
  }

  async list(query: ListQuery = {}): Promise<ListAnswer> {
    checkListQuery(query);
    return await (await this.#opened()).list(query);
  }

  async tally(query: TallyQuery = {}): Promise<readonly Tally[]> {
    checkTallyQuery(query);
    return await (await this.#opened()).tally(query);
  }

  async audit(): Promise<Audit> {
    const store = await this.#opened();
    return auditOf(await store.audit(), await this.#custody.waiting());
  }

  replay(which: Which, options: ReplayOptions = {}): Promise<Intervened> {
    return this.#intervene("replay", which, options);
  }

  release(which: Which, options: InterveneOptions = {}): Promise<Intervened> {
    return this.#intervene("release", which, options);
  }

  cancel(which: Which, options: InterveneOptions = {}): Promise<Intervened> {
    return this.#intervene("cancel", which, options);
  }

  erase(which: Which, options: InterveneOptions = {}): Promise<Intervened> {
    return this.#intervene("erase", which, options);
  }

  async verifyAgain(options: VerifyAgainOptions = {}): Promise<VerifiedAgain> {
    await this.#opened();
    await this.#refusals.flush();
    return await verifiedAgain(this.#steering, options);
  }

  async #intervene(act: Act, which: Which, options: ReplayOptions): Promise<Intervened> {
    await this.#opened();
    if (act === "erase") await this.#refusals.flush();
    return await steered(this.#steering, act, which, options);
  }
}
