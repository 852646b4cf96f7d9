/**
 * The MySQL and MariaDB store of webhook-inbox: `store: mysql(pool)`.
 *
 * @module @webhook-inbox/mysql
 */

export { schemaSql } from "./migrate.ts";
export { mysql, type MysqlOptions } from "./mysql.ts";
export type { MysqlConnection, MysqlPool, Statement } from "./pool.ts";
export type { MysqlTransaction } from "./transaction.ts";
