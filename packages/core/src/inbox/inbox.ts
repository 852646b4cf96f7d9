/** The inbox as users see it. */

import type { Door } from "../contracts/door.ts";
import type { EventMap } from "../contracts/schema.ts";
import type { EventsOf, Sources } from "../contracts/source.ts";
import type { Kept, ListAnswer, ListQuery, Tally, TallyQuery } from "../contracts/store.ts";
import type { EventView } from "../observe/view.ts";
import type { FetchOptions } from "../http/fetch.ts";
import type { VerifiedAgain, VerifyAgainOptions } from "../receive/verify-again.ts";
import type { Audit } from "../work/audit.ts";
import type { Handler, HandlerOptions, TypeOf, WebhookEvent } from "../work/handlers.ts";
import type { Health } from "./health.ts";
import type { Intervened, InterveneOptions, ReplayOptions, Which } from "../work/interventions.ts";

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
   * Answers a request of a framework that speaks `Request` and `Response`: 404 when its path is not the inbox's. Bound, so
   * that it may be handed on by itself. Rejects only with `OPTION_INVALID`, for a `path` that is none. The first delivery
   * starts the inbox; a server that lives on calls `start()`, so that what waits in the store need not wait for it.
   *
   * @example
   * export const POST = (request: Request) => inbox.fetch(request, { path: "/api/webhooks" });
   */
  fetch(this: void, request: Request, options?: FetchOptions): Promise<Response>;

  /**
   * Works off what is due (not retries that are due later), and resolves with whether that was done within `withinMs`.
   * Where `work.when` is `drain` handlers run only meanwhile; those that have not ended are told by their signal, have a
   * second to end, and are handed back. Starts the inbox if need be; rejects with what keeps the store from opening.
   */
  drain(options?: DrainOptions): Promise<boolean>;

  /**
   * Resolves when this instance has nothing in hand and nothing is due (retries that are due later are not waited for):
   * for tests. Starts the inbox if need be.
   */
  idle(): Promise<void>;

  /**
   * Whether deliveries can be kept: the store has been opened, or the spill has; the last delivery was kept, or came more than
   * ten seconds ago; and the inbox is neither closing nor closed. What a readiness route answers. Deliveries are kept a little
   * longer, since balancers are slow to notice.
   */
  readonly isReady: boolean;

  /** How it is: whether the store answers, what waits in the spill, and where it receives. For a health route. Never rejects. */
  health(): Promise<Health>;

  /**
   * Is not ready any more, goes on receiving for `receiveMs`, takes up no more work, tells running handlers by their
   * signal, waits for them up to `drainMs`, hands back what did not end, and closes the store. Deliveries are kept until
   * then, and answered 503 afterwards. May be called twice, and before a start.
   */
  close(options?: CloseOptions): Promise<void>;

  /** An event with its delivery; undefined when there is none of that key. Opens the store, and starts no work. */
  get(key: string): Promise<Kept | undefined>;

  /**
   * An event as handlers get it, parsed and validated, for who works on it elsewhere. Undefined when there is none of that
   * key, or its delivery was forgotten. Rejects with `EVENT_UNREADABLE` for what no handler would get. Needs no `work`.
   */
  read(key: string): Promise<WebhookEvent | undefined>;

  /**
   * An event for people to look at: what is personal by its provider's word is masked, in the content, in the query and in
   * messages of attempts. Undefined when there is none of that key.
   */
  view(key: string): Promise<EventView | undefined>;

  /**
   * An event with its delivery as it came, for a person who has to see what `view` masks. Says who looked in the signal
   * `revealed`, and so in the log. Undefined when there is none of that key.
   */
  reveal(key: string, options: RevealOptions): Promise<Kept | undefined>;

  /**
   * Says that a webhook about `ref` (a job's id) is to come. If it has not within `withinMs`, the provider's API is asked, as
   * often as needed, and its answer is handled as the same event. Resolves, with the key of the expectation, when that is
   * durable; a second call for the same `ref` changes nothing. Rejects with `OPTION_INVALID` for a source without `api`.
   *
   * @example
   * await inbox.expect("captain-data", jobUid, { withinMs: 3_600_000 });
   */
  expect(source: keyof Of & string, ref: string | number, options: ExpectOptions): Promise<string>;

  /** How many deliveries each secret has matched in this process: a replaced one that matches none any more may go. */
  secrets(): readonly SecretUsage[];

  /** Events without their deliveries, newest first unless `order` is `oldest`, at most 100 a page. Opens the store, and starts no work. */
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

  /**
   * Verifies refused deliveries again, as of their arrival, with the credentials that the sources have now: after a wrong
   * secret was put right. What was authentic is handled, once. Kept for it are the newest 500 of each source, of up to
   * 64 KiB, at most one in ten seconds after the first hundred; their credentials are kept as digests. Throws
   * `SELECTION_INVALID` for an option that is unknown or undefined.
   */
  verifyAgain(options?: VerifyAgainOptions): Promise<VerifiedAgain>;

  /** Ends events that are not to be handled. A running handler is told by its signal, and its result is discarded. */
  cancel(which: Which, options?: InterveneOptions): Promise<Intervened>;

  /**
   * Destroys the deliveries of events, with all other events of these deliveries and all variants of their ids, and what
   * was kept of their attempts. Their keys stay: a further delivery is a duplicate. Cannot be undone.
   */
  erase(which: Which, options?: InterveneOptions): Promise<Intervened>;
}

/** Who looks, and why. */
export interface RevealOptions {
  /** Who looks. */
  readonly by: string;
  /** Why. Default: empty. */
  readonly reason?: string;
}

/** When a webhook should have come. */
export interface ExpectOptions {
  /** How long the webhook may take, in milliseconds. */
  readonly withinMs: number;
}

/** The use of one secret. */
export interface SecretUsage {
  readonly source: string;
  /** The account, on a source that has some. */
  readonly account: string | undefined;
  /** As deliveries name it, such as `secret#2`. */
  readonly secret: string;
  readonly count: number;
  /** In milliseconds since 1970. */
  readonly lastAt: number;
}

/** How long to work, in milliseconds. */
export interface DrainOptions {
  /** How long to work, in milliseconds: a few seconds less than the platform gives. Default: 25,000. */
  readonly withinMs?: number;
}

/** How long to go on, in milliseconds. */
export interface CloseOptions {
  /** How long deliveries are received after `isReady` has become false, in milliseconds. Default: 0. */
  readonly receiveMs?: number;
  /** How long running handlers are waited for, in milliseconds. Default: 25,000. */
  readonly drainMs?: number;
}

type DataOf<Events extends EventMap, Type extends string> = Events[Type & keyof Events];
