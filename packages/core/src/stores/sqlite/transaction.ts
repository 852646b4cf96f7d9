/** `ctx.transaction` on SQLite: the user's statements and the completion of the handler in one commit. */

import type { DatabaseSync } from "node:sqlite";
import type { Hold } from "../../contracts/store.ts";
import { WebhookInboxError } from "../../errors.ts";
import { keyBytes } from "./rows.ts";

/** What a handler may use of the inbox's own connection while its function runs. */
export type SqliteClient = Pick<DatabaseSync, "prepare" | "exec">;

/**
 * Runs `work` in a transaction on the file of the store, and marks the handler as succeeded in the same transaction: both
 * happen, or neither. `work` must be synchronous, because a connection that waits inside a transaction would swallow what
 * others commit meanwhile: an `async` function is an error, of its type and when it runs.
 */
export type SqliteTransaction = <T>(
  work: (database: SqliteClient) => T,
  ...notAsync: [T] extends [never]
    ? []
    : T extends PromiseLike<unknown>
      ? ["the function must not be async"]
      : []
) => Promise<T>;

/** What the user's function threw, carried past everything that looks at errors of SQLite. */
export class Undone {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

/** Runs inside a transaction of `database`; throws `Undone` for what is to be rolled back because of the user's function. */
export function finishWith<T>(
  database: DatabaseSync,
  { key, fence }: Hold,
  handler: string,
  work: (database: SqliteClient) => T,
): T {
  const { changes } = database
    .prepare(
      `UPDATE webhook_inbox_events SET finished = json_insert(finished, '$[#]', ?)
       WHERE key = ? AND fence = ? AND state = 'running'`,
    )
    .run(handler, keyBytes(key), fence);
  if (changes !== 1) throw new Undone(lost(key));
  let isOpen = true;
  const opened = (): DatabaseSync => {
    if (isOpen) return database;
    throw invalid("its database was used after the function had returned.");
  };
  const client: SqliteClient = {
    prepare: (sql) => opened().prepare(sql),
    exec: (sql) => opened().exec(sql),
  };
  let result: T;
  try {
    result = work(client);
  } catch (error) {
    throw new Undone(error);
  } finally {
    isOpen = false;
  }
  if (!database.isTransaction) {
    throw new Undone(
      invalid("its function ended the transaction itself. Leave COMMIT and ROLLBACK to it."),
    );
  }
  if (isPromise(result)) {
    result.then(undefined, () => undefined);
    throw new Undone(
      invalid(
        "its function returned a promise. On SQLite it must be synchronous: await before or after it.",
      ),
    );
  }
  return result;
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    "then" in value &&
    typeof value.then === "function"
  );
}

function invalid(what: string): WebhookInboxError {
  return new WebhookInboxError(
    "TRANSACTION_INVALID",
    `ctx.transaction: ${what} Nothing of it was kept.`,
  );
}

function lost(key: string): WebhookInboxError {
  return new WebhookInboxError(
    "CLAIM_LOST",
    `event ${key} is not in this worker's hand any more: another one has taken over, or a person has ended it. ` +
      "Nothing of the transaction was kept.",
  );
}
