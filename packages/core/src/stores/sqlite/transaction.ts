/** `ctx.transaction` on SQLite: the user's statements and the completion of the handler in one commit. */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Hold } from "../../contracts/store.ts";
import { WebhookInboxError } from "../../errors.ts";
import { claimLost, Undone } from "../records.ts";

/** What a handler may use of the inbox's own connection while its function runs. */
export interface SqliteClient {
  exec(sql: string): void;
  prepare(sql: string): SqliteStatement;
}

/** A statement of `node:sqlite`, but for what would stay open after the transaction. */
export type SqliteStatement = Pick<StatementSync, "run" | "get" | "all">;

/**
 * Runs `work` in a transaction on the file of the store, and marks the handler as succeeded in the same transaction: both
 * happen, or neither. `work` must be synchronous, because a connection that waits inside a transaction would swallow what
 * others commit meanwhile: an `async` function is an error, of its type and when it runs.
 */
export type SqliteTransaction = <T>(
  work: (database: SqliteClient) => T,
  ...theFunctionMustNotBeAsync: [T] extends [never]
    ? []
    : T extends PromiseLike<unknown>
      ? ["the function must not be async"]
      : []
) => Promise<T>;

/** `seq` is the row of the event. Runs inside a transaction of `database`; throws `Undone` for what is to be rolled back because of the user's function. */
export function finishWith<T>(
  database: DatabaseSync,
  seq: number | undefined,
  { key, fence }: Hold,
  handler: string,
  work: (database: SqliteClient) => T,
): T {
  const held = "WHERE seq = ?1 AND fence = ?2 AND state = 'running'";
  const claim = database.prepare(`SELECT 1 FROM webhook_inbox_events ${held}`);
  if (claim.get(seq ?? null, fence) === undefined) throw new Undone(claimLost(key));
  database.exec(`SAVEPOINT ${savepoint}`);
  const result = runWith(database, work);
  try {
    // It is gone if the function has ended the transaction, even if it has begun another one.
    database.exec(`RELEASE ${savepoint}`);
  } catch {
    throw new Undone(ended());
  }
  database
    .prepare(`UPDATE webhook_inbox_events SET finished = json_insert(finished, '$[#]', ?3) ${held}`)
    .run(seq ?? null, fence, handler);
  return result;
}

const transactionWords = /^\s*(?:BEGIN|COMMIT|END|ROLLBACK|SAVEPOINT|RELEASE)\b/i;
const savepoint = "webhook_inbox_transaction";

/** Runs the user's function with a client that ends with it. */
function runWith<T>(database: DatabaseSync, work: (database: SqliteClient) => T): T {
  let isOpen = true;
  const opened = <U>(act: () => U): U => {
    if (!isOpen) throw invalid("its database was used after the function had returned.");
    // Outside a transaction every statement would be kept by itself.
    if (!database.isTransaction) throw ended();
    const answer = act();
    if (!database.isTransaction) throw ended();
    return answer;
  };
  const checked = (sql: string): string => {
    if (transactionWords.test(sql))
      throw invalid("its function must not begin or end a transaction.");
    return sql;
  };
  const client: SqliteClient = {
    exec: (sql) => opened(() => database.exec(checked(sql))),
    prepare: (sql) => {
      const statement = opened(() => database.prepare(checked(sql)));
      return {
        run: (...values: never[]) => opened(() => statement.run(...values)),
        get: (...values: never[]) => opened(() => statement.get(...values)),
        all: (...values: never[]) => opened(() => statement.all(...values)),
      };
    },
  };
  let result: T;
  try {
    result = work(client);
  } catch (error) {
    throw new Undone(error);
  } finally {
    isOpen = false;
  }
  if (!isPromise(result)) return result;
  result.then(undefined, () => undefined);
  throw new Undone(
    invalid(
      "its function returned a promise. On SQLite it must be synchronous: await before or after it.",
    ),
  );
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

/** SQLite has ended it, as a statement with OR ROLLBACK does, or the function has, hidden among other statements. */
function ended(): WebhookInboxError {
  return new WebhookInboxError(
    "TRANSACTION_INVALID",
    "ctx.transaction: a statement of its function has ended the transaction, so it is not known what was kept. Use no " +
      "COMMIT and no OR ROLLBACK in it.",
  );
}
