/** One handler on one event: its context, its deadline, and how it ended. */

import type { Clock } from "../contracts/clock.ts";
import type { ConfiguredSource } from "../contracts/source.ts";
import type { Claim, Hold, Store } from "../contracts/store.ts";
import { WebhookInboxError } from "../errors.ts";
import { sha256 } from "../hash.ts";
import type { Delivery } from "../model/delivery.ts";
import type { EventRecord } from "../model/event.ts";
import { handlerLogger, type HandlerLogger, type Logger } from "../observe/logger.ts";
import { ownWords } from "../observe/redact.ts";
import { isAnswer, type HandlerAnswer } from "./answers.ts";
import { eventOf, readData, type OnInvalid, type Unreadable } from "./data.ts";
import type { NoteDrift } from "./drift.ts";
import type { HandlerContext, Registered } from "./handlers.ts";
import { LazyAbort } from "./lazy-abort.ts";
import { within } from "./patience.ts";
import { createTransaction, type Transaction } from "./transaction.ts";

/** What running a handler takes, whichever it is. */
export interface HandlerNeeds {
  readonly store: Pick<Store, "transaction">;
  readonly onInvalid: OnInvalid;
  readonly noteDrift: NoteDrift;
  readonly clock: Clock;
  readonly logger: Logger | undefined;
}

/** What it takes of one attempt. */
export interface InHand {
  readonly source: ConfiguredSource;
  /** Aborted when the inbox closes or the claim is lost. */
  readonly abort: LazyAbort;
  /** What shows, when it is asked, that the event is in hand. */
  readonly hold: () => Hold;
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
  inHand: InHand,
): Promise<HandlerEnd> {
  const { name } = handler;
  const deadline = new LazyAbort();
  const transaction = createTransaction(needs.store, inHand.hold, name);
  const failed = (error: unknown, hasCommitted: boolean): HandlerEnd => ({
    kind: "failed",
    handler: name,
    error,
    hasCommitted,
  });
  const run = async (): Promise<HandlerEnd> => {
    // Under the deadline as well: schemas are somebody's code.
    const reading = readData(claim, inHand.source, needs.onInvalid, needs.noteDrift);
    const read = reading instanceof Promise ? await reading : reading;
    if (read.kind === "unreadable") return read;
    const ctx = new Context(claim, handler, needs.logger, inHand.abort, deadline, transaction);
    const returned = await handler.run(eventOf(claim, read), ctx);
    // A transaction that nobody waited for is waited for here: what becomes of it decides.
    const ending = transaction.ended();
    const last = ending instanceof Promise ? await ending : ending;
    if (isAnswer(returned)) {
      return last.kind === "committed"
        ? failed(tooLate(returned), true)
        : { kind: "answered", handler: name, answer: returned };
    }
    return last.kind === "failed"
      ? failed(last.error, false)
      : { kind: "succeeded", handler: name };
  };
  try {
    return await withDeadline(run, handler.timeoutMs, deadline, needs.clock);
  } catch (error) {
    return failed(error, await hasCommittedSoon(transaction, needs.clock));
  }
}

/** How long what became of a transaction is waited for once its handler has failed or run out of time. */
const endMsMax = 5000;

/** One that takes longer finds the event settled, and is undone by its fence. */
async function hasCommittedSoon(transaction: Transaction, clock: Clock): Promise<boolean> {
  const ending = Promise.resolve(transaction.cancelled());
  const isKnown = await within(
    clock,
    endMsMax,
    ending.then(() => undefined),
  );
  return isKnown && (await ending).kind === "committed";
}

function tooLate({ kind }: HandlerAnswer): WebhookInboxError {
  return new WebhookInboxError(
    "TRANSACTION_INVALID",
    `the answer ${kind}() came after ctx.transaction had completed the handler, and was not followed.`,
  );
}

/** What handlers find, made when they look for it: most look for little. */
class Context implements HandlerContext {
  readonly #claim: Claim;
  readonly #handler: Registered;
  readonly #logger: Logger | undefined;
  readonly #abort: LazyAbort;
  readonly #deadline: LazyAbort;
  readonly #transaction: Transaction;
  #signal: AbortSignal | undefined;
  #delivery: Delivery | undefined;

  constructor(
    claim: Claim,
    handler: Registered,
    logger: Logger | undefined,
    abort: LazyAbort,
    deadline: LazyAbort,
    transaction: Transaction,
  ) {
    this.#claim = claim;
    this.#handler = handler;
    this.#logger = logger;
    this.#abort = abort;
    this.#deadline = deadline;
    this.#transaction = transaction;
  }

  get signal(): AbortSignal {
    return (this.#signal ??= AbortSignal.any([this.#abort.signal, this.#deadline.signal]));
  }

  get attempt(): number {
    return this.#claim.event.attempts;
  }

  get idempotencyKey(): string {
    return idempotencyKey(this.#claim.event, this.#handler.name);
  }

  get delivery(): Delivery {
    const { delivery } = this.#claim;
    // Not `slice`: a Buffer's shares its memory.
    return (this.#delivery ??= {
      ...delivery,
      headers: [...delivery.headers],
      body: new Uint8Array(delivery.body),
    });
  }

  get transaction(): unknown {
    return this.#transaction.run;
  }

  get log(): HandlerLogger {
    const { source, type, key, attempts } = this.#claim.event;
    const more = { handler: this.#handler.name, attempt: attempts };
    return handlerLogger(this.#logger, { source, type, key }, more);
  }
}

/** Rejects at the deadline even if the handler ignores its signal: JavaScript cannot stop it, but its slot becomes free. */
function withDeadline<T>(
  run: () => Promise<T>,
  timeoutMs: number,
  deadline: LazyAbort,
  clock: Clock,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(timeoutMs, () => {
      const error = ownWords(new Error(`the handler did not end within ${timeoutMs} ms`));
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
