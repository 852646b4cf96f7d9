/** `ctx.transaction` as handlers find it: one for each attempt, over when the handler is, and known to its settlement. */

import type { Hold, Store } from "../contracts/store.ts";
import { WebhookInboxError } from "../errors.ts";

export interface TransactionNeeds {
  readonly store: Pick<Store, "transaction">;
  /** What shows, when it is asked, that the event is in hand. */
  readonly hold: () => Hold;
}

/** The user's side of a store's transaction. */
export interface Transaction {
  /** Undefined where the store has none. */
  readonly run: unknown;
  /** Lets no further one begin, waits for one that is under way, and says what became of the last one. */
  readonly ended: () => Promise<TransactionEnd>;
}

type TransactionEnd =
  | { readonly kind: "none" | "committed" }
  | { readonly kind: "failed"; readonly error: unknown };

export function createTransaction({ store, hold }: TransactionNeeds, handler: string): Transaction {
  let end: TransactionEnd = { kind: "none" };
  let underWay: Promise<unknown> | undefined;
  let isOver = false;

  async function commit(given: readonly unknown[]): Promise<unknown> {
    if (isOver) throw over();
    if (underWay !== undefined || end.kind === "committed") throw repeated();
    try {
      const inStore = store.transaction?.(hold(), handler);
      underWay = (inStore as (...given: readonly unknown[]) => Promise<unknown>)(...given);
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

  let last: Promise<unknown> = Promise.resolve();
  const run = (...given: readonly unknown[]): Promise<unknown> => {
    const committed = commit(given);
    // A handler whose transaction failed has failed: there is no need to end the process as well.
    last = Promise.all([last, committed.catch(() => undefined)]);
    return committed;
  };
  return {
    run: store.transaction === undefined ? undefined : run,
    async ended() {
      isOver = true;
      await last;
      return end;
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
