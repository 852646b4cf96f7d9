/** Handlers: the user's named functions for events of one source and type, and the registry that finds them. */

import type { EventMap } from "../contracts/schema.ts";
import type { EventsOf, Source, Sources } from "../contracts/source.ts";
import { refuseUnknown, WebhookInboxError } from "../errors.ts";
import type { Delivery } from "../model/delivery.ts";
import type { Note } from "../model/event.ts";
import type { HandlerLogger } from "../observe/logger.ts";

/** An event as handlers get it. Instants are milliseconds since 1970. */
export interface WebhookEvent<Type extends string = string, Data = unknown> {
  /** Public key: 26 characters, unique in the store. */
  readonly key: string;
  readonly source: string;
  /** Whose it is, on a source with accounts (`lookup`). */
  readonly account: string | undefined;
  readonly type: Type;
  /** The provider's id. */
  readonly id: string;
  /** What the provider says, validated. A fresh copy for each handler. */
  readonly data: Data;
  /** When the provider says it happened, if it says so. */
  readonly occurredAt: number | undefined;
  readonly receivedAt: number;
  /** What is worth a look about it. */
  readonly notes: readonly Note[];
}

/** What a handler gets beside the event. `Transaction` is what the store's `ctx.transaction` is. */
export interface HandlerContext<Transaction = unknown> {
  /**
   * Aborted at the handler's deadline, when the inbox closes, and when another worker has taken over or a person has ended
   * the event: at once if that was asked of this inbox, else with the next heartbeat, three of which make a lease.
   */
  readonly signal: AbortSignal;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /**
   * The same at every attempt of this handler on this event, and after a replay (but not one with `rerun`): hand it to
   * APIs that know such keys, or keep it beside the effect in a database of your own.
   */
  readonly idempotencyKey: string;
  /** The request as it was received, without its credentials. */
  readonly delivery: Delivery;
  /**
   * Commits what the handler does to the store's own database together with its completion: exactly once. There is one for
   * each attempt, and it is the last thing to do: what comes after it is not repeated if it fails, and an answer is not
   * followed. If it fails, so has the handler. Undefined where the store has no transactions; a handler that is written by
   * itself names its type: `HandlerContext<SqliteTransaction>`.
   */
  readonly transaction: Transaction;
  /** The inbox's logger, with the event and the handler in the fields of each line. What you log is not redacted. */
  readonly log: HandlerLogger;
}

/** Returning is success, throwing is tried again later; `retry({ afterMs })` and `dead(reason)` are the other two answers. */
export type Handler<Type extends string = string, Data = unknown, Transaction = unknown> = (
  event: WebhookEvent<Type, Data>,
  ctx: HandlerContext<Transaction>,
) => unknown;

/** How a handler is known, and bounded. */
export interface HandlerOptions {
  /** What it is known by across attempts and deployments. Default: `<source>/<type>`. */
  readonly name?: string;
  /** How long it may take, in milliseconds. Default: 300,000 (5 minutes). */
  readonly timeoutMs?: number;
  /** Events that it may be working on at the same time, in this instance. Default: as many as the source may. */
  readonly concurrency?: number;
}

/** The event type of a configured source, by name, as handlers get it: `EventOf<typeof sources, "audata", "Prize.created">`. */
export type EventOf<
  Of extends Sources,
  Name extends keyof Of & string,
  Type extends TypeOf<Of[Name]> | "*",
> = Type extends "*"
  ? WebhookEvent
  : WebhookEvent<Type, EventsOf<Of[Name]>[Type & keyof EventsOf<Of[Name]>]>;

/** Names of a source's event types. */
export type TypeOf<Of extends Source> = keyof EventsOf<Of> & string;

/** Handlers by source and type, as `createInbox({ handlers })` takes them. */
export type HandlersOf<Of extends Sources, Transaction = unknown> = {
  readonly [Name in keyof Of]?: HandlersOfEvents<EventsOf<Of[Name]>, Transaction>;
};

type HandlersOfEvents<Events extends EventMap, Transaction> = {
  readonly [Type in keyof Events & string]?: Handler<Type, Events[Type], Transaction>;
} & { readonly "*"?: Handler<string, unknown, Transaction> };

/** A registered handler. */
export interface Registered {
  readonly name: string;
  readonly timeoutMs: number;
  /** `Infinity` where it is not limited. */
  readonly concurrency: number;
  readonly run: Handler;
}

export interface Registry {
  /** Throws `HANDLER_INVALID` for an unknown source or type, and for a name that is taken. */
  add(source: string, type: string, options: HandlerOptions, run: Handler): void;
  /** The handlers of a type, and those for every type (`*`). */
  of(source: string, type: string): readonly Registered[];
  /** How many events of a source its handlers of every type allow at a time, and of each type those of that type. */
  limits(source: string): HandlerLimits;
  /** The longest `timeoutMs` of those that `of` answers; 0 where there are none. */
  timeoutMsOf(source: string, type: string): number;
  /** The longest `timeoutMs` of all. */
  timeoutMsMax(): number;
}

export interface HandlerLimits {
  readonly max: number;
  readonly types: ReadonlyMap<string, number>;
}

const timeoutMsDefault = 300_000;
const optionNames: readonly string[] = ["name", "timeoutMs", "concurrency"];

export function createRegistry(
  sources: ReadonlyMap<string, { readonly events: Readonly<Record<string, unknown>> }>,
): Registry {
  const byPair = new Map<string, Registered[]>();
  const pair = (source: string, type: string): string => `${source}\0${type}`;

  const handlersOf = (source: string, type: string): readonly Registered[] => {
    const own = byPair.get(pair(source, type)) ?? [];
    const all = byPair.get(pair(source, "*"));
    return all === undefined ? own : [...own, ...all];
  };

  return {
    add(source, type, options, run) {
      const events = sources.get(source)?.events;
      if (events === undefined) {
        throw invalid(
          `there is no source "${source}". Sources: ${[...sources.keys()].join(", ")}.`,
        );
      }
      if (type !== "*" && !Object.hasOwn(events, type)) {
        throw invalid(
          `source "${source}" has no event type "${type}". It has: ${Object.keys(events).join(", ")}. Name further ` +
            `types with a schema in the source's "events" option, or handle them under "*".`,
        );
      }
      if (typeof run !== "function")
        throw invalid(`the handler of ${source}/${type} is no function.`);
      refuseUnknown("HANDLER_INVALID", `handler of ${source}/${type}`, options, optionNames);
      const {
        name = `${source}/${type}`,
        timeoutMs = timeoutMsDefault,
        concurrency = Infinity,
      } = options;
      if (concurrency !== Infinity && !(Number.isSafeInteger(concurrency) && concurrency > 0)) {
        throw invalid(`concurrency of handler "${name}" must be a positive whole number.`);
      }
      if (!Number.isFinite(timeoutMs) || timeoutMs <= 0) {
        throw invalid(`timeoutMs of handler "${name}" must be a positive number of milliseconds.`);
      }
      const registered = byPair.get(pair(source, type)) ?? [];
      // Those of "*" run beside those of every type, so their names are told apart everywhere.
      const beside = type === "*" ? Object.keys(events) : ["*"];
      const others = beside.flatMap((one) => byPair.get(pair(source, one)) ?? []);
      if ([...registered, ...others].some((other) => other.name === name)) {
        throw invalid(
          `a handler named "${name}" is registered for ${source}/${type} already. Give each its own name: ` +
            `inbox.on("${source}", "${type}", { name: "…" }, handler), or a third argument of @OnWebhook.`,
        );
      }
      byPair.set(pair(source, type), [...registered, { name, timeoutMs, concurrency, run }]);
    },
    of: handlersOf,
    limits(source) {
      const types = new Map<string, number>();
      for (const type of Object.keys(sources.get(source)?.events ?? {})) {
        const max = least(byPair.get(pair(source, type)));
        if (max !== Infinity) types.set(type, max);
      }
      return { max: least(byPair.get(pair(source, "*"))), types };
    },
    timeoutMsOf: (source, type) => longest(handlersOf(source, type)),
    timeoutMsMax: () => longest([...byPair.values()].flat()),
  };
}

const longest = (handlers: readonly Registered[]): number =>
  Math.max(0, ...handlers.map(({ timeoutMs }) => timeoutMs));

function least(handlers: readonly Registered[] = []): number {
  return Math.min(Infinity, ...handlers.map(({ concurrency }) => concurrency));
}

function invalid(message: string): WebhookInboxError {
  return new WebhookInboxError("HANDLER_INVALID", message);
}
