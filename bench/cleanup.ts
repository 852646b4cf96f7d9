/** Leaves servers as they were found. */

import type { Redis } from "ioredis";
import { Pool } from "pg";

export async function dropSchema(postgresUrl: string, name: string): Promise<void> {
  const pool = new Pool({ connectionString: postgresUrl, max: 1 });
  await pool.query(`DROP SCHEMA IF EXISTS ${name} CASCADE`);
  await pool.end();
}

/** Removes keys by a pattern, and ends the client. */
export async function removeKeys(client: Redis, pattern: string): Promise<void> {
  for await (const keys of client.scanStream({ match: pattern, count: 1000 })) {
    const found = keys as string[];
    if (found.length > 0) await client.unlink(found);
  }
  client.disconnect();
}
