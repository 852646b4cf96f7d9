/** The inbox: the one place where receiving, working and the store meet. */

import type { Answer, BodySource, Door } from "./contracts/door.ts";
import type { EventMap } from "./contracts/schema.ts";
import type { ConfiguredSource, EventsOf, Sources } from "./contracts/source.ts";
import type { Kept, ListAnswer, ListQuery, Tally, TallyQuery } from "./contracts/store.ts";
import { WebhookInboxError } from "./errors.ts";
import type { DeliveryHead } from "./model/delivery.ts";
import type { Act } from "./model/intervention.ts";
import { logTo } from "./observe/logger.ts";
import { summaryOf } from "./observe/redact.ts";
import type { Emit, SourceSummary } from "./observe/signals.ts";
import { settingsOf, type InboxOptions, type Settings } from "./options.ts";
import { createAdmission } from "./receive/admission.ts";
import { createCustody, type Custody } from "./receive/custody.ts";
import { identify } from "./receive/identify.ts";
import { receive, type Receiving } from "./receive/receive.ts";
import { auditOf, type Audit } from "./work/audit.ts";
import {
  createRegistry,
  type Handler,
  type HandlerOptions,
  type Registry,
  type TypeOf,
} from "./work/handlers.ts";
import {
  intervene,
  type Intervened,
  type InterveneOptions,
  type ReplayOptions,
  type Which,
} from "./work/interventions.ts";
import { Worker } from "./work/worker.ts";

/** The object a user owns. Made by `createInbox`; nothing opens or runs before it is mounted or started. */
export interface Inbox<Of extends Sources = Sources, Transaction = unknown> extends Door {
  /**
   * Registers a handler for a type of a source, or for all its types (`"*"`). Throws `HANDLER_INVALID` for an unknown
   * source or type, for a second handler of the same name, and after the start.
   */
  on<Name extends keyof Of & string, Type extends TypeOf<Of[Name]>>(
    source: Name,
    type: Type,
    handler: Handler<Type, DataOf<EventsOf<Of[Name]>, Type>, Transaction>,
  ): this;
  on<Name extends keyof Of & string, Type extends TypeOf<Of[Name]>>(
    source: Name,
    type: Type,
    options: HandlerOptions,
    handler: Handler<Type, DataOf<EventsOf<Of[Name]>, Type>, Transaction>,
  ): this;
  on(source: keyof Of & string, type: "*", handler: Handler<string, unknown, Transaction>): this;
  on(
    source: keyof Of & string,
    type: "*",
    options: HandlerOptions,
    handler: Handler<string, unknown, Transaction>,
  ): this;

  /**
   * Opens the store and begins to work; rejects with what keeps the store from opening. May be called again. Keeps the
   * process alive until `close`, as a worker needs it; an inbox that is only mounted lives as long as its server.
   */
  start(): Promise<void>;

  /**
   * Resolves when this instance has nothing in hand and nothing is due (retries that are due later are not waited for):
   * for tests. Starts the inbox if need be.
   */
  idle(): Promise<void>;

  /**
   * Whether the store is open, and the inbox is neither closing nor closed: what a readiness route answers. Deliveries are
   * kept a little longer, since balancers are slow to notice.
   */
  readonly isReady: boolean;

  /**
   * Is not ready any more, goes on receiving for `receiveMs`, takes up no more work, tells running handlers by their
   * signal, waits for them up to `drainMs`, hands back what did not end, and closes the store. Deliveries are kept until
   * then, and answered 503 afterwards. May be called twice, and before a start.
   */
  close(options?: CloseOptions): Promise<void>;

  /** An event with its delivery; undefined when there is none of that key. Opens the store, and starts no work. */
  get(key: string): Promise<Kept | undefined>;

  /** Events without their deliveries, newest first, at most 100 a page. Opens the store, and starts no work. */
  list(query?: ListQuery): Promise<ListAnswer>;

  /** How many events went which way between states, by source, type and time. Counts no events: it is always fast. */
  tally(query?: TallyQuery): Promise<readonly Tally[]>;

  /** Accounts for every event ever taken. Counts all that is kept: for checks, not for every request. */
  audit(): Promise<Audit>;

  /**
   * Runs unfinished handlers again, from the first attempt, with the same idempotency keys: of events that are `dead`,
   * `unhandled`, `cancelled`, `done`, or `pending` until later. Live traffic goes first. With `rerun` all handlers run,
   * with new keys. Rejects with `SELECTION_INVALID` for a selection that names no events.
   */
  replay(which: Which, options?: ReplayOptions): Promise<Intervened>;

  /** Lets quarantined events be read again, and handled if that succeeds. A `conflict` is handled as an event of its own. */
  release(which: Which, options?: InterveneOptions): Promise<Intervened>;

  /** Ends events that are not to be handled. A running handler is told by its signal, and its result is discarded. */
  cancel(which: Which, options?: InterveneOptions): Promise<Intervened>;

  /**
   * Destroys the deliveries of events, with all other events of these deliveries and all variants of their ids, and what
   * was kept of their attempts. Their keys stay: a further delivery is a duplicate. Cannot be undone.
   */
  erase(which: Which, options?: InterveneOptions): Promise<Intervened>;
}

export interface CloseOptions {
  /** How long deliveries are received after `isReady` has become false, in milliseconds. Default: 0. */
  readonly receiveMs?: number;
  /** How long running handlers are waited for, in milliseconds. Default: 25,000. */
  readonly drainMs?: number;
}

type DataOf<Events extends EventMap, Type extends string> = Events[Type & keyof Events];

/**
 * Makes an inbox. Checks the options at once: throws `WebhookInboxError` with `OPTION_INVALID`, `CREDENTIAL_INVALID`,
 * `CREDENTIAL_MISSING` (in production, for a source without a credential), `STORE_LOSSY` or `HANDLER_INVALID`.
 */
export function createInbox<const Of extends Sources, Transaction>(
  options: InboxOptions<Of, Transaction>,
): Inbox<Of, Transaction> {
  const inbox = new InboxOfSources(settingsOf(options, process.env));
  for (const [source, handlers] of Object.entries(options.handlers ?? {})) {
    for (const [type, handler] of Object.entries(handlers ?? {})) {
      inbox.on(source, type, handler as Handler);
    }
  }
  return inbox as unknown as Inbox<Of, Transaction>;
}

/** Keeps the process alive until the function returned is called. */
function stayAlive(): () => void {
  const timer = setInterval(() => undefined, 3_600_000);
  return () => clearInterval(timer);
}

/** Share of `inFlightBytesMax` that bodies may hold, beside it, before anything about them is verified. */
const unverifiedShare = 0.25;
const drainMsDefault = 25_000;
const startRetryMs = 1000;

class InboxOfSources {
  readonly #settings: Settings;
  readonly #emit: Emit;
  readonly #registry: Registry;
  readonly #worker: Worker;
  readonly #custody: Custody;
  readonly #receiving: Receiving;
  #hasStarted = false;
  #hasClosed = false;
  #opening: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #cancelRetry: () => void = () => undefined;
  /** Set while `start` was asked for. */
  #mayEnd: (() => void) | undefined;

  constructor(settings: Settings) {
    const { store, sources, path, clock } = settings;
    this.#settings = settings;
    this.#emit = emitterOf(settings);
    this.#registry = createRegistry(sources);
    const worker = new Worker({
      ...settings,
      registry: this.#registry,
      identify,
      random: Math.random,
      owner: crypto.randomUUID(),
      emit: this.#emit,
    });
    this.#worker = worker;
    this.#custody = createCustody({
      store,
      terms: (events) => worker.reserve(events),
      begin: (claims, ask, left) => worker.begin(claims, ask, left),
    });
    this.#receiving = {
      path,
      sources,
      clock,
      admission: createAdmission(settings.inFlightBytesMax),
      unverified: createAdmission(settings.inFlightBytesMax * unverifiedShare),
      custody: this.#custody,
      random: Math.random,
      emit: this.#emit,
      ready: () => this.#started(),
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
    this.#registry.add(source, type, options, handler as Handler);
    return this;
  }

  mount(): void {
    setImmediate(() => this.#startUntilOpen());
  }

  /** After a failed start there may be nobody to try again: events that wait in the store would wait for a delivery. */
  #startUntilOpen(): void {
    if (this.#closing !== undefined) return;
    this.#started().catch(() => {
      this.#cancelRetry = this.#settings.clock.after(startRetryMs, () => this.#startUntilOpen());
    });
  }

  async start(): Promise<void> {
    await this.#started();
    this.#mayEnd ??= stayAlive();
  }

  /** Resolves once the store is open and this instance works. */
  async #started(): Promise<void> {
    this.#hasStarted = true;
    await this.#opened();
    if (!this.#worker.start()) return;
    const sources = [...this.#settings.sources.values()].map((source) => this.#summary(source));
    this.#emit({ kind: "started", sources });
  }

  /** Resolves once the store is open, also while the inbox is closing: deliveries are kept until the store closes. */
  #opened(): Promise<void> {
    if (this.#hasClosed || (this.#closing !== undefined && this.#opening === undefined)) {
      return Promise.reject(new WebhookInboxError("INBOX_CLOSED", "the inbox was closed."));
    }
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined;
      this.#emit({ kind: "start_failed", error: summaryOf(error) });
      throw error;
    });
    return this.#opening;
  }

  async #open(): Promise<void> {
    const { store, clock } = this.#settings;
    await store.open({ clock });
    if (store.supports.durability === "none") this.#emit({ kind: "store_volatile" });
  }

  #summary({
    name,
    provider,
    credential,
    hasToken,
    secretHeaders,
  }: ConfiguredSource): SourceSummary {
    const path = [this.#settings.path, name, ...(hasToken ? ["***"] : [])].join("/");
    const { methods, segments = [] } = provider;
    return { name, path, segments, methods, credential, headers: [...secretHeaders] };
  }

  receive(head: DeliveryHead, body: BodySource): Promise<Answer> | undefined {
    return receive(this.#receiving, head, body);
  }

  async idle(): Promise<void> {
    const mayEnd = stayAlive();
    try {
      await this.#started();
      await this.#custody.flushed();
      await this.#worker.idle();
    } finally {
      mayEnd();
    }
  }

  get isReady(): boolean {
    return this.#worker.isWorking && this.#closing === undefined;
  }

  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  async #close({ receiveMs = 0, drainMs = drainMsDefault }: CloseOptions): Promise<void> {
    this.#mayEnd ??= stayAlive();
    this.#cancelRetry();
    try {
      await this.#opening?.catch(() => undefined);
      if (receiveMs > 0) {
        await new Promise<void>((resolve) => this.#settings.clock.after(receiveMs, resolve));
      }
      await this.#worker.close(drainMs);
      this.#hasClosed = true;
      await this.#custody.flushed();
      await this.#settings.store.close();
    } finally {
      this.#mayEnd();
    }
  }

  async get(key: string): Promise<Kept | undefined> {
    await this.#opened();
    return await this.#settings.store.get(key);
  }

  async list(query: ListQuery = {}): Promise<ListAnswer> {
    await this.#opened();
    return await this.#settings.store.list(query);
  }

  async tally(query: TallyQuery = {}): Promise<readonly Tally[]> {
    await this.#opened();
    return await this.#settings.store.tally(query);
  }

  async audit(): Promise<Audit> {
    await this.#opened();
    return auditOf(await this.#settings.store.audit());
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

  async #intervene(act: Act, which: Which, options: ReplayOptions): Promise<Intervened> {
    await this.#opened();
    const { by = "code", reason = "", dryRun = false } = options;
    const changed = await intervene(this.#settings, act, which, options);
    if (!dryRun) {
      this.#emit({ kind: "intervened", act, by, reason, count: changed.count });
      this.#worker.look();
    }
    return changed;
  }
}

/** Signals go to the log and to whoever asked for them; neither can harm the other, or us. */
function emitterOf({ logger, onSignal, clock }: Settings): Emit {
  const log = logger === undefined ? () => undefined : logTo(logger, () => clock.now());
  if (onSignal === undefined) return log;
  return (signal) => {
    log(signal);
    try {
      onSignal(signal);
    } catch {
      // Its own business.
    }
  };
}
