/** Stores that the service keeps its events in, with errors of the database whose words must not be said again. */

import type { Store } from "@webhook-inbox/core";
import { postgres } from "@webhook-inbox/postgres";
import { redis } from "@webhook-inbox/redis";
import { Redis } from "ioredis";
import { Pool } from "pg";

export interface Kept {
  readonly store: Store;
  /** Lets some of what is asked fail, once the inbox has begun. */
  trouble(): Promise<void>;
  /** Removes everything. */
  remove(): Promise<void>;
}

/** Where nobody answers. */
export interface Away {
  readonly store: Store;
  end(): Promise<void>;
}

const place = `canaries_${process.pid}`;
const nobodysPort = "1";

const isRedis = (url: string): boolean => new URL(url).protocol === "redis:";

export const keptAt = (url: string): Kept => (isRedis(url) ? inRedis(url) : inPostgres(url));

/** The same store at a port that nobody listens at, with a password in its URL. */
export function awayFrom(given: string, password: string): Away {
  const url = new URL(given);
  url.password = password;
  url.port = nobodysPort;
  if (isRedis(given)) {
    const client = new Redis(url.href, { maxRetriesPerRequest: 0, retryStrategy: () => null });
    // ioredis writes errors that nobody listens for to the console.
    client.on("error", () => undefined);
    return { store: redis(client), end: async () => client.disconnect() };
  }
  const pool = new Pool({ connectionString: url.href });
  return { store: postgres(pool), end: () => pool.end() };
}

function inPostgres(url: string): Kept {
  const pool = new Pool({ connectionString: url, max: 5 });
  return {
    store: postgres(pool, { schema: place }),
    async trouble() {
      await pool.query(`CREATE SEQUENCE ${place}.troubles`);
      await pool.query(
        `CREATE FUNCTION ${place}.trouble() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
           IF nextval('${place}.troubles') IN (2, 6, 7, 20) THEN
             RAISE EXCEPTION 'canary-database' USING DETAIL = 'canary-database-detail', HINT = 'canary-hint';
           END IF;
           RETURN NEW;
         END $$`,
      );
      await pool.query(
        `CREATE TRIGGER trouble BEFORE INSERT OR UPDATE ON ${place}.events FOR EACH ROW EXECUTE FUNCTION ${place}.trouble()`,
      );
    },
    async remove() {
      await pool.query(`DROP SCHEMA ${place} CASCADE`);
      await pool.end();
    },
  };
}

function inRedis(url: string): Kept {
  const client = new Redis(url, { retryStrategy: () => 50 });
  client.on("error", () => undefined);
  return {
    store: redis(client, { prefix: place }),
    // Redis has no words of its own for a failure; so connections end, this one among them.
    trouble: async () =>
      void (await client.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no")),
    async remove() {
      const keys = await client.keys(`{${place}}:*`);
      if (keys.length > 0) await client.del(keys);
      client.disconnect();
    },
  };
}
