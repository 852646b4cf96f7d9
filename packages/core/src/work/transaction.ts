/** `ctx.transaction` as handlers find it: one for each attempt, over when the handler is, and known to its settlement. */

import type { Hold, Store } from "../contracts/store.ts";
import { WebhookInboxError } from "../errors.ts";
import type { Later } from "../later.ts";

/** The user's side of a store's transaction. */
export interface Transaction {
  /** Undefined where the store has none. */
  readonly run: unknown;
  /** Lets no further one begin, waits for one that is under way, and says what became of the last one. */
  readonly ended: () => Later<TransactionEnd>;
  /** The same, once the handler has failed or run out of time: one that still waits for its connection does nothing. */
  readonly cancelled: () => Later<TransactionEnd>;
}

type TransactionEnd =
  | { readonly kind: "none" | "committed" }
  | { readonly kind: "failed"; readonly error: unknown };

type Run = (...given: readonly unknown[]) => Promise<unknown>;

const notBegun: TransactionEnd = { kind: "none" };
const none: Transaction = { run: undefined, ended: () => notBegun, cancelled: () => notBegun };

/** `hold` says, when it is asked, what shows that the event is in hand. */
export function createTransaction(
  store: Pick<Store, "transaction">,
  hold: () => Hold,
  handler: string,
): Transaction {
  if (store.transaction === undefined) return none;
  let end = notBegun;
  let underWay: Promise<unknown> | undefined;
  let isOver = false;
  let isCancelled = false;

  async function commit(given: readonly unknown[]): Promise<unknown> {
    if (isOver) throw over();
    if (underWay !== undefined || end.kind === "committed") throw repeated();
    try {
      const inStore = store.transaction?.(hold(), handler) as Run;
      underWay = inStore(...given.map(unlessCancelled));
      const result = await underWay;
      end = { kind: "committed" };
      return result;
    } catch (error) {
      end = { kind: "failed", error };
      throw error;
    } finally {
      underWay = undefined;
    }
  }

  const unlessCancelled = (work: unknown): unknown =>
    typeof work !== "function"
      ? work
      : (...found: unknown[]): unknown => {
          if (isCancelled) throw over();
          return Reflect.apply(work, undefined, found) as unknown;
        };

  let last: Promise<unknown> | undefined;
  const run: Run = (...given) => {
    const committed = commit(given);
    // A handler whose transaction failed has failed: there is no need to end the process as well.
    last = Promise.all([last, committed.catch(() => undefined)]);
    return committed;
  };
  const ended = (): Later<TransactionEnd> => {
    isOver = true;
    // Most handlers begin none.
    return last === undefined ? end : last.then(() => end);
  };
  return {
    run,
    ended,
    cancelled() {
      isCancelled = true;
      return ended();
    },
  };
}

function over(): WebhookInboxError {
  return new WebhookInboxError(
    "CLAIM_LOST",
    "ctx.transaction: the attempt is over, because its handler has returned, failed, or run out of time. Nothing was done.",
  );
}

function repeated(): WebhookInboxError {
  return new WebhookInboxError(
    "TRANSACTION_INVALID",
    "ctx.transaction: there is one for each attempt of a handler, since it is what completes it. Do all of the work in " +
      "one function.",
  );
}
