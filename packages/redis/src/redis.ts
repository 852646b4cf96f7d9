/** The Redis store, on the user's own client: one script for each verb, durable where Redis is told to be. */

import { randomUUID } from "node:crypto";
import {
  prunable,
  stateAfter,
  statesFor,
  WebhookInboxError,
  type AuditAnswer,
  type Claim,
  type ClaimAnswer,
  type ClaimAsk,
  type EventState,
  type Hold,
  type InterveneAnswer,
  type InterveneAsk,
  type Kept,
  type ListAnswer,
  type ListQuery,
  type NewEvent,
  type NoTransaction,
  type PruneAnswer,
  type PruneAsk,
  type Selection,
  type Settlement,
  type Store,
  type StoreSupports,
  type TakeAsk,
  type Taken,
  type Tally,
  type TallyQuery,
} from "@webhook-inbox/core";
import {
  badCursor,
  bornRecord,
  forever,
  limitOf,
  listText,
  refuseUnknown,
  tallyBounds,
} from "@webhook-inbox/core/records";
import { listen, mayListen, type RedisClient, type Wake } from "./client.ts";
import { Connection, jsonOf } from "./connection.ts";
import { deliveryOf, eventOf, fieldsOf, keptOf, takeInput } from "./rows.ts";
import { claim } from "./scripts/claim.ts";
import { intervene } from "./scripts/intervene.ts";
import { audit, get, list } from "./scripts/look.ts";
import { prune } from "./scripts/prune.ts";
import { extend, settle } from "./scripts/settle.ts";
import { take } from "./scripts/take.ts";
import { talliesOf, tallyOf } from "./tallies.ts";

/** What the keys begin with, and how long the store waits. */
export interface RedisOptions {
  /** Stands before every key, in braces, so that a cluster keeps all of them together. Default: `webhook-inbox`. */
  readonly prefix?: string;
  /**
   * Accepts a server that may lose what it has acknowledged. Without it the start fails unless `appendonly` is `yes`,
   * `appendfsync` is `always`, `no-appendfsync-on-rewrite` is `no` and `maxmemory-policy` is `noeviction`.
   */
  readonly acceptLoss?: boolean;
  /** How long to wait for an answer before the server counts as away, in milliseconds. Default: 5,000. */
  readonly timeoutMs?: number;
}

const timeoutMsDefault = 5000;

/**
 * A store in the Redis (7 or later) or Valkey of `client`, which is connected and stays yours: it is not closed with the
 * inbox. Everything is kept in the server's memory. `client` is one of ioredis or node-redis, a cluster too.
 */
export function redis(client: RedisClient, options: RedisOptions = {}): Store<NoTransaction> {
  const { prefix = "webhook-inbox", acceptLoss = false, timeoutMs = timeoutMsDefault } = options;
  refuseUnknown("OPTION_INVALID", "redis", options, ["prefix", "acceptLoss", "timeoutMs"]);
  const given: unknown = client;
  const isClient =
    typeof given === "object" &&
    given !== null &&
    ("callBuffer" in given || "sendCommand" in given);
  if (!isClient) {
    throw invalid("the first argument must be a client of ioredis or node-redis");
  }
  if (!/^[\w.:-]{1,100}$/.test(prefix))
    throw invalid("prefix must be letters, digits and .:_-, at most 100");
  if (!(Number.isSafeInteger(timeoutMs) && timeoutMs > 0))
    throw invalid("timeoutMs must be a positive whole number");
  return new RedisStore(client, prefix, acceptLoss, timeoutMs);
}

function invalid(what: string): WebhookInboxError {
  return new WebhookInboxError(
    "OPTION_INVALID",
    `redis(client, { prefix, acceptLoss, timeoutMs }): ${what}.`,
  );
}

class RedisStore implements Store<NoTransaction> {
  readonly supports: StoreSupports;
  readonly acceptsLoss: boolean;
  readonly #client: RedisClient;
  readonly #connection: Connection;
  readonly #wake: Wake;
  readonly subscribe?: (onWork: () => void) => void;
  /** Where the look for waiting types goes on, by source. */
  #walks: Record<string, string> = {};
  readonly #listening: (() => void)[] = [];
  #hasClosed = false;

  constructor(client: RedisClient, prefix: string, acceptLoss: boolean, timeoutMs: number) {
    this.#client = client;
    this.#connection = new Connection(client, `{${prefix}}:`, timeoutMs, acceptLoss);
    this.#wake = { channel: `${prefix}:work`, from: randomUUID() };
    this.acceptsLoss = acceptLoss;
    const wakeups = mayListen(client);
    const durability = acceptLoss ? "none" : "commit";
    this.supports = { durability, shared: true, transactions: false, wakeups };
    if (wakeups) this.subscribe = (onWork) => this.#listen(onWork);
  }

  open(): Promise<void> {
    this.#hasClosed = false;
    return this.#connection.open();
  }

  async close(): Promise<void> {
    this.#hasClosed = true;
    for (const end of this.#listening.splice(0)) end();
  }

  #listen(onWork: () => void): void {
    if (this.#hasClosed) return;
    // Silent where it cannot be: workers look by themselves.
    this.#listening.push(listen(this.#client, this.#wake, onWork));
  }

  async take(events: readonly NewEvent[], ask: TakeAsk): Promise<readonly Taken[]> {
    const { ask: input, bodies } = takeInput(events, ask, this.#wake);
    const [now, answers] = (await this.#connection.run(take, jsonOf(input), bodies)) as [
      Buffer,
      readonly (readonly unknown[])[],
    ];
    return answers.map((answer, index) =>
      takenAs(answer, events[index] as NewEvent, Number(now), ask.fence),
    );
  }

  async claim({ slots, typesMax = {}, ...ask }: ClaimAsk): Promise<ClaimAnswer> {
    const [due, walks, claims] = (await this.#connection.run(claim, {
      ...ask,
      slots: Object.entries(slots),
      typesMax,
      walks: this.#walks,
    })) as [Buffer, Buffer, readonly (readonly unknown[])[]];
    this.#walks = JSON.parse(String(walks)) as Record<string, string>;
    return {
      claims: claims.map(([event, delivery]): Claim => ({
        event: eventOf(fieldsOf(event)),
        delivery: deliveryOf(fieldsOf(delivery)),
        fence: ask.fence,
      })),
      nextDueInMs: due.length === 0 ? undefined : Number(due),
    };
  }

  async extend(holds: readonly Hold[], leaseMs: number): Promise<readonly boolean[]> {
    const pairs = holds.map(({ key, fence }) => [key, fence]);
    return truths(await this.#connection.run(extend, { holds: pairs, leaseMs }));
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly boolean[]> {
    const ask = { fence: "", leaseMs: 0, slots: {} };
    const input = settlements.map(
      ({ outcome, finished, gaveUp, history, key, fence, ...more }) => ({
        key,
        holdsLane: more.holdsLane === true,
        fence,
        state: outcome.state,
        ...("reason" in outcome ? { reason: outcome.reason } : {}),
        ...(outcome.state === "pending"
          ? { afterMs: Math.min(Math.round(outcome.afterMs), forever) }
          : {}),
        isBack: outcome.state === "pending" && outcome.handedBack,
        finished: listText(finished),
        gaveUp: listText(gaveUp),
        history: listText(history),
        ...(outcome.state === "done" && outcome.became !== undefined
          ? { became: takeInput(outcome.became, ask, this.#wake).ask }
          : {}),
      }),
    );
    return truths(await this.#connection.run(settle, jsonOf(input)));
  }

  async get(key: string): Promise<Kept | undefined> {
    return keptOf(await this.#connection.run(get, key));
  }

  async list(query: ListQuery): Promise<ListAnswer> {
    const [next, events] = (await this.#connection.run(list, {
      ...query,
      ...boundsOf(query),
      ...placeOf(query.cursor),
      limit: limitOf(query),
    })) as [Buffer, readonly unknown[]];
    return {
      events: events.map((event) => eventOf(fieldsOf(event))),
      cursor: cursorOf(next),
    };
  }

  async intervene(selection: Selection, ask: InterveneAsk): Promise<InterveneAnswer> {
    const { act, rerun = false, afterMs = 0, cursor, limit, ...rest } = ask;
    const which =
      "keys" in selection
        ? { keys: selection.keys }
        : { filter: { ...selection, ...boundsOf(selection), ...placeOf(cursor), limit } };
    const [next, keys] = (await this.#connection.run(intervene, {
      ...rest,
      ...which,
      act,
      rerun,
      afterMs,
      to: stateAfter[act],
      states: setOf(statesFor[act]),
      wake: this.#wake,
    })) as [Buffer, readonly Buffer[]];
    return { keys: keys.map(String), cursor: cursorOf(next) };
  }

  async prune(ask: PruneAsk): Promise<PruneAnswer> {
    const [part = "payloads", at] = ask.cursor?.split(" ") ?? [];
    const { payloadMs, keyMs, refusedMax, limit } = ask;
    const [payloads, keys, nextPart, nextAt] = (await this.#connection.run(prune, {
      part,
      ...(at === undefined || at === "" ? {} : { at }),
      payloadMs,
      keyMs,
      refusedMax,
      limit,
      prunable: setOf(prunable),
      ...tallyBounds(ask, Date.now()),
    })) as [number | string, number | string, Buffer, Buffer];
    const isOver = nextPart.length === 0;
    return {
      // A client may be told to give numbers as texts.
      payloads: Number(payloads),
      keys: Number(keys),
      cursor: isOver ? undefined : `${String(nextPart)} ${String(nextAt)}`,
    };
  }

  tally(query: TallyQuery): Promise<readonly Tally[]> {
    return talliesOf(this.#connection, query);
  }

  async audit(): Promise<AuditAnswer> {
    const [totals, counts] = (await this.#connection.run(audit, {})) as [
      unknown,
      readonly (Buffer | number)[],
    ];
    const counted: Partial<Record<EventState, number>> = {};
    for (let at = 0; at < counts.length; at += 2) {
      const state = String(counts[at]) as EventState;
      const count = (counted[state] ?? 0) + Number(counts[at + 1]);
      if (count > 0) counted[state] = count;
    }
    const tallies = [...fieldsOf(totals)].map(([way, count]) => tallyOf(0, way, Number(count)));
    return { tallies, counted };
  }
}

const truths = (reply: unknown): readonly boolean[] =>
  (reply as readonly unknown[]).map((one) => Number(one) === 1);

const setOf = (names: readonly string[]): object =>
  Object.fromEntries(names.map((name) => [name, true]));

function takenAs(
  [word, held]: readonly unknown[],
  event: NewEvent,
  now: number,
  fence: string,
): Taken {
  const kind = String(word);
  if (kind === "claimed" || kind === "again") {
    const record = kind === "claimed" ? bornRecord(event, now, true) : eventOf(fieldsOf(held));
    return { kind: "taken", claim: { event: record, delivery: event.delivery, fence } };
  }
  if (kind === "taken" || kind === "duplicate") return { kind };
  return { kind: "conflict", kept: kind === "kept" };
}

function boundsOf({ receivedFrom, receivedBefore }: ListQuery): object {
  return {
    ...(receivedFrom === undefined ? {} : { from: Math.ceil(receivedFrom) }),
    ...(receivedBefore === undefined ? {} : { before: Math.ceil(receivedBefore) }),
  };
}

/** A cursor is a member of the sets that are walked: time, arrival, key. */
function placeOf(cursor: string | undefined): object {
  if (cursor === undefined) return {};
  if (!/^\d{32}[0-9A-Z]{26}$/.test(cursor)) throw badCursor();
  return { cursor };
}

const cursorOf = (next: Buffer): string | undefined =>
  next.length === 0 ? undefined : String(next);
