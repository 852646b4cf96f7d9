/**
 * `ctx.transaction` on PostgreSQL: the user's statements and the completion of the handler in one commit. Nothing is
 * locked while the user's function runs: who has lost the claim meanwhile finds out at the end, and is undone.
 */

import { WebhookInboxError, type Hold } from "@webhook-inbox/core";
import { claimLost, Undone } from "@webhook-inbox/core/records";
import type { Run } from "./pool.ts";
import { uuidOf } from "./rows.ts";
import type { Tables } from "./tables.ts";
import { codeOf } from "./unavailable.ts";

/**
 * Runs `work` in a transaction on the store's database, and marks the handler as succeeded in the same transaction: both
 * happen, or neither. `work` gets the connection and must use no other; it must not begin or end a transaction.
 */
export type PostgresTransaction<Client> = <T>(work: (client: Client) => Promise<T>) => Promise<T>;

const savepoint = "webhook_inbox_transaction";

/** No transaction, no such savepoint, and one in which a statement has failed. */
const endedCodes: ReadonlySet<string> = new Set(["25P01", "3B001", "25P02"]);

/** Runs inside a transaction; throws `Undone` for what is to be rolled back because of the user's function. */
export async function finishWith<T>(
  run: Run,
  { events }: Tables,
  { key, fence }: Hold,
  handler: string,
  work: () => Promise<T>,
): Promise<T> {
  const held = "key = $1 AND fence = $2 AND state = 'running'";
  const [claim] = await run(`SELECT true AS held FROM ${events} WHERE ${held}`, [
    uuidOf(key),
    fence,
  ]);
  if (claim === undefined) throw new Undone(claimLost(key));
  await run(`SAVEPOINT ${savepoint}`);
  let result: T;
  try {
    result = await work();
  } catch (error) {
    throw new Undone(error);
  }
  try {
    // It is gone if the function has ended the transaction, even if it has begun another one; or cannot be released when
    // a statement failed and its error was passed over.
    await run(`RELEASE SAVEPOINT ${savepoint}`);
  } catch (error) {
    if (endedCodes.has(codeOf(error))) throw new Undone(ended(error));
    throw error;
  }
  const [written] = await run(
    `UPDATE ${events} SET finished = (finished::jsonb || to_jsonb($3::text))::text
     WHERE ${held} RETURNING true AS held`,
    [uuidOf(key), fence, handler],
  );
  if (written === undefined) throw new Undone(claimLost(key));
  return result;
}

/** Whether a transaction whose end nobody heard of was committed: its completion says so. */
export async function wasFinished(
  run: Run,
  { events }: Tables,
  { key }: Hold,
  handler: string,
): Promise<boolean> {
  const [row] = await run(`SELECT finished FROM ${events} WHERE key = $1`, [uuidOf(key)]);
  return row !== undefined && (JSON.parse(row["finished"] as string) as string[]).includes(handler);
}

function ended(cause: unknown): WebhookInboxError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new WebhookInboxError(
    "TRANSACTION_INVALID",
    `ctx.transaction: its function has ended the transaction, or passed over the error of a statement (${reason}). Use no ` +
      "COMMIT or ROLLBACK in it, and let errors through.",
    { cause },
  );
}
