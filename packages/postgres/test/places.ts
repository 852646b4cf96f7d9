/** Empty places in the test run's PostgreSQL: a schema for each test, on one pool. */

import { Pool, type PoolConfig } from "pg";
import { afterAll, inject } from "vitest";

/** A pool that is ended with the file. */
export function testPool(options: PoolConfig = {}): Pool {
  const pool = new Pool({ connectionString: inject("postgresUrl"), max: 20, ...options });
  pool.on("error", () => undefined);
  afterAll(() => pool.end());
  return pool;
}

let places = 0;

/** A name that nothing in the database has. */
export function newSchema(): string {
  places += 1;
  return `test_${process.pid}_${process.env["VITEST_POOL_ID"] ?? 0}_${places}`;
}
