/**
 * The PostgreSQL store of webhook-inbox: `store: postgres(pool)`.
 *
 * @module @webhook-inbox/postgres
 */

export { schemaSql } from "./migrate.ts";
export type { Notification, PostgresClient, PostgresPool, Statement } from "./pool.ts";
export {
  postgres,
  type PostgresBegin,
  type PostgresOptions,
  type PostgresQuery,
} from "./postgres.ts";
export type { PostgresTransaction } from "./transaction.ts";
