/** One handler on one event: its context, its deadline, and how it ended. */

import type { Claim } from "../contracts/store.ts";
import { WebhookInboxError } from "../errors.ts";
import { sha256 } from "../hash.ts";
import type { Delivery } from "../model/delivery.ts";
import type { EventRecord } from "../model/event.ts";
import { contextLogger } from "../observe/logger.ts";
import { isAnswer, type HandlerAnswer } from "./answers.ts";
import type { AttemptNeeds } from "./attempt.ts";
import { readData, type Unreadable } from "./data.ts";
import type { HandlerContext, Registered, WebhookEvent } from "./handlers.ts";

export type HandlerEnd =
  | { readonly kind: "succeeded"; readonly handler: string }
  | {
      readonly kind: "failed";
      readonly handler: string;
      readonly error: unknown;
      /** Whether its transaction had committed before it failed. */
      readonly hasCommitted: boolean;
    }
  | { readonly kind: "answered"; readonly handler: string; readonly answer: HandlerAnswer }
  | Unreadable;

/** Never rejects. */
export async function runHandler(
  claim: Claim,
  handler: Registered,
  needs: AttemptNeeds,
): Promise<HandlerEnd> {
  const { event } = claim;
  const read = await readData(claim, needs.source, needs.onInvalid);
  if (read.kind === "unreadable") return read;
  const { key, source, type, id, occurredAt, receivedAt, notes } = event;
  const own: WebhookEvent = {
    key,
    source,
    type,
    id,
    data: read.data,
    occurredAt,
    receivedAt,
    notes: read.isValid ? [...notes] : [...notes, "data_invalid"],
  };
  const deadline = new AbortController();
  const transaction = createTransaction(claim, handler.name, needs);
  const ctx = contextOf(claim, handler, needs, deadline.signal, transaction);
  const ended = async (): Promise<HandlerEnd> => {
    const returned = await handler.run(own, ctx);
    return isAnswer(returned) && !transaction.hasCommitted()
      ? { kind: "answered", handler: handler.name, answer: returned }
      : { kind: "succeeded", handler: handler.name };
  };
  try {
    return await withDeadline(ended, handler.timeoutMs, deadline, needs.clock);
  } catch (error) {
    // A commit that is under way is waited for: whether it counts must be known before the attempt is settled.
    await transaction.ended();
    const hasCommitted = transaction.hasCommitted();
    return { kind: "failed", handler: handler.name, error, hasCommitted };
  }
}

function contextOf(
  { event, delivery }: Claim,
  handler: Registered,
  needs: AttemptNeeds,
  deadline: AbortSignal,
  transaction: Transaction,
): HandlerContext {
  let signal: AbortSignal | undefined;
  let copied: Delivery | undefined;
  return {
    get signal() {
      // Most handlers never ask for it.
      return (signal ??= AbortSignal.any([needs.signal, deadline]));
    },
    attempt: event.attempts,
    get idempotencyKey() {
      return idempotencyKey(event, handler.name);
    },
    get delivery() {
      // Not `slice`: a Buffer's shares its memory.
      return (copied ??= {
        ...delivery,
        headers: [...delivery.headers],
        body: new Uint8Array(delivery.body),
      });
    },
    transaction: transaction.run,
    get log() {
      const { source, type, key, attempts } = event;
      const fields = { event: { source, type, key }, handler: handler.name, attempt: attempts };
      return contextLogger(needs.logger, fields);
    },
  };
}

/** The user's side of a store's transaction. */
interface Transaction {
  /** Undefined where the store has none. */
  readonly run: unknown;
  readonly hasCommitted: () => boolean;
  /** Lets no further one begin, and resolves when none is under way. */
  readonly ended: () => Promise<void>;
}

function createTransaction(
  { event, fence }: Claim,
  handler: string,
  { store }: AttemptNeeds,
): Transaction {
  const inStore = store.transaction?.({ key: event.key, fence }, handler);
  let state: "free" | "under way" | "committed" | "ended" = "free";
  let underWay: Promise<unknown> = Promise.resolve();
  const run = async (...given: readonly unknown[]): Promise<unknown> => {
    if (state !== "free") throw unusable(state);
    state = "under way";
    const committed = (inStore as (...given: readonly unknown[]) => Promise<unknown>)(...given);
    underWay = committed.then(
      () => (state = "committed"),
      () => (state = "free"),
    );
    const result = await committed;
    await underWay;
    return result;
  };
  return {
    run: inStore === undefined ? undefined : run,
    hasCommitted: () => state === "committed",
    async ended() {
      await underWay;
      if (state === "free") state = "ended";
    },
  };
}

function unusable(state: "under way" | "committed" | "ended"): WebhookInboxError {
  if (state === "ended") {
    return new WebhookInboxError(
      "CLAIM_LOST",
      "ctx.transaction: the attempt is over, because its handler did not end in time. Nothing was done.",
    );
  }
  return new WebhookInboxError(
    "TRANSACTION_INVALID",
    "ctx.transaction: there is one for each attempt of a handler, since it is what completes it. Do all of the work in " +
      "one function.",
  );
}

/** Rejects at the deadline even if the handler ignores its signal: JavaScript cannot stop it, but its slot is free. */
function withDeadline<T>(
  run: () => Promise<T>,
  timeoutMs: number,
  deadline: AbortController,
  clock: AttemptNeeds["clock"],
): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(timeoutMs, () => {
      const error = new Error(`the handler did not end within ${timeoutMs} ms`);
      error.name = "TimeoutError";
      deadline.abort(error);
      reject(error);
    });
    run().then(resolve, reject).finally(cancel);
  });
}

function idempotencyKey({ key, generation }: EventRecord, handler: string): string {
  const parts = generation === 0 ? [key, handler] : [key, handler, generation];
  return sha256(parts.join("\0")).toString("base64url");
}
