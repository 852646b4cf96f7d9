/**
 * `ctx.transaction` on MySQL: the user's statements and the completion of the handler in one commit. Nothing is locked
 * while the user's function runs: who has lost the claim meanwhile finds out at the end, and is undone.
 */

import { WebhookInboxError, type Hold } from "@webhook-inbox/core";
import { claimLost, listOf, listText, Undone } from "@webhook-inbox/core/records";
import type { Run } from "./pool.ts";
import { keyBytes } from "./rows.ts";
import { literal, type Tables } from "./tables.ts";
import { numberOfError } from "./unavailable.ts";
import { textOf } from "./values.ts";

/**
 * Runs `work` in a transaction on the store's database, and marks the handler as succeeded in the same transaction: both
 * happen, or neither. `work` gets the connection and must use no other; it must not begin or end a transaction, nor change
 * tables, which MySQL commits by itself.
 */
export type MysqlTransaction<Client> = <T>(work: (client: Client) => Promise<T>) => Promise<T>;

const savepoint = "webhook_inbox_transaction";
/** No such savepoint. */
const noSavepoint = 1305;

/** Runs inside a transaction; throws `Undone` for what is to be rolled back because of the user's function. */
export async function finishWith<T>(
  run: Run,
  { events }: Tables,
  { key, fence }: Hold,
  handler: string,
  work: () => Promise<T>,
): Promise<T> {
  const held = `event_key = ? AND fence = ? AND state = ${literal("running")}`;
  const hold = [keyBytes(key), Buffer.from(fence)];
  const { rows } = await run(`SELECT seq FROM ${events} WHERE ${held}`, hold);
  if (rows.length === 0) throw new Undone(claimLost(key));
  await run(`SAVEPOINT ${savepoint}`);
  let result: T;
  try {
    result = await work();
  } catch (error) {
    throw new Undone(error);
  }
  try {
    // It is gone if the function has ended the transaction, even if it has begun another one.
    await run(`RELEASE SAVEPOINT ${savepoint}`);
  } catch (error) {
    if (numberOfError(error) === noSavepoint) throw new Undone(ended());
    throw error;
  }
  const still = await run(`SELECT finished FROM ${events} WHERE ${held} FOR UPDATE`, hold);
  const [row] = still.rows;
  if (row === undefined) throw new Undone(claimLost(key));
  const finished = listText([...listOf(textOf(row["finished"])), handler]);
  await run(`UPDATE ${events} SET finished = ? WHERE ${held}`, [Buffer.from(finished), ...hold]);
  return result;
}

/** Whether a transaction whose end nobody heard of was committed: its completion says so. */
export async function wasFinished(
  run: Run,
  { events }: Tables,
  { key }: Hold,
  handler: string,
): Promise<boolean> {
  const { rows } = await run(`SELECT finished FROM ${events} WHERE event_key = ?`, [keyBytes(key)]);
  const [row] = rows;
  return row !== undefined && listOf(textOf(row["finished"])).includes(handler);
}

function ended(): WebhookInboxError {
  return new WebhookInboxError(
    "TRANSACTION_INVALID",
    "ctx.transaction: its function has ended the transaction, so it is not known what was kept. Use no COMMIT or ROLLBACK in " +
      "it, and nothing that changes tables: MySQL commits before such a statement.",
  );
}
