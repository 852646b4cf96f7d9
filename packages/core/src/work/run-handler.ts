/** One handler on one event: its context, its deadline, and how it ended. */

import type { Clock } from "../contracts/clock.ts";
import type { ConfiguredSource } from "../contracts/source.ts";
import type { Claim } from "../contracts/store.ts";
import { WebhookInboxError } from "../errors.ts";
import { sha256 } from "../hash.ts";
import type { Delivery } from "../model/delivery.ts";
import type { EventRecord, Note } from "../model/event.ts";
import { handlerLogger, type Logger } from "../observe/logger.ts";
import { isAnswer, type HandlerAnswer } from "./answers.ts";
import { readData, type OnInvalid, type Readable, type Unreadable } from "./data.ts";
import type { NoteDrift } from "./drift.ts";
import type { HandlerContext, Registered, WebhookEvent } from "./handlers.ts";
import { createTransaction, type Transaction, type TransactionNeeds } from "./transaction.ts";

/** What running a handler takes, whichever it is. */
export interface HandlerNeeds extends TransactionNeeds {
  readonly source: ConfiguredSource;
  readonly onInvalid: OnInvalid;
  readonly noteDrift: NoteDrift;
  readonly clock: Clock;
  readonly logger: Logger | undefined;
  /** Aborted when the inbox closes or the claim is lost. */
  readonly signal: AbortSignal;
}

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
  needs: HandlerNeeds,
): Promise<HandlerEnd> {
  const { name, timeoutMs } = handler;
  const deadline = new AbortController();
  const transaction = createTransaction(needs, name);
  const failed = (error: unknown, hasCommitted: boolean): HandlerEnd => ({
    kind: "failed",
    handler: name,
    error,
    hasCommitted,
  });
  const run = async (): Promise<HandlerEnd> => {
    // Under the deadline as well: schemas are somebody's code.
    const read = await readData(claim, needs.source, needs.onInvalid, needs.noteDrift);
    if (read.kind === "unreadable") return read;
    const ctx = contextOf(claim, handler, needs, deadline.signal, transaction);
    const returned = await handler.run(eventOf(claim, read), ctx);
    return isAnswer(returned)
      ? { kind: "answered", handler: name, answer: returned }
      : { kind: "succeeded", handler: name };
  };
  try {
    const end = await withDeadline(run, timeoutMs, deadline, needs.clock);
    // A transaction that nobody waited for is waited for here: what becomes of it decides.
    const last = await transaction.ended();
    if (end.kind === "answered" && last.kind === "committed") {
      return failed(tooLate(end.answer), true);
    }
    return end.kind === "succeeded" && last.kind === "failed" ? failed(last.error, false) : end;
  } catch (error) {
    return failed(error, (await transaction.ended()).kind === "committed");
  }
}

function eventOf({ event, delivery }: Claim, { data, isValid }: Readable): WebhookEvent {
  const { key, source, type, id, occurredAt, receivedAt, notes } = event;
  const all: readonly Note[] = isValid ? [...notes] : [...notes, "data_invalid"];
  const { account } = delivery;
  return { key, source, account, type, id, data, occurredAt, receivedAt, notes: all };
}

function tooLate({ kind }: HandlerAnswer): WebhookInboxError {
  return new WebhookInboxError(
    "TRANSACTION_INVALID",
    `the answer ${kind}() came after ctx.transaction had completed the handler, and was not followed.`,
  );
}

function contextOf(
  { event, delivery }: Claim,
  handler: Registered,
  needs: HandlerNeeds,
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
      const more = { handler: handler.name, attempt: attempts };
      return handlerLogger(needs.logger, { source, type, key }, more);
    },
  };
}

/** Rejects at the deadline even if the handler ignores its signal: JavaScript cannot stop it, but its slot is free. */
function withDeadline<T>(
  run: () => Promise<T>,
  timeoutMs: number,
  deadline: AbortController,
  clock: Clock,
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
