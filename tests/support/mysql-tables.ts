/** The tables of a MySQL store, for tests. */

export const tableNames = ["events", "deliveries", "tallies", "lanes", "meta"] as const;

/** Removes them, and `more` with the same prefix. */
export async function dropTables(
  pool: { query(sql: string): Promise<unknown> },
  prefix: string,
  ...more: readonly string[]
): Promise<void> {
  const names = [...tableNames, ...more].map((name) => `${prefix}_${name}`);
  await pool.query(`DROP TABLE IF EXISTS ${names.join(", ")}`);
}
