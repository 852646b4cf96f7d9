/** Empty places in the test run's MySQL: a prefix for each test, on one pool. */

import { createPool, type Pool } from "mysql2/promise";
import { afterAll, inject } from "vitest";

/** A pool that is ended with the file. */
export function testPool(): Pool {
  const pool = createPool({ uri: inject("mysqlUrl"), connectionLimit: 20 });
  afterAll(() => pool.end());
  return pool;
}

let places = 0;

/** A name that no table in the database begins with. */
export function newPrefix(): string {
  places += 1;
  return `test_${process.pid}_${process.env["VITEST_POOL_ID"] ?? 0}_${places}`;
}
