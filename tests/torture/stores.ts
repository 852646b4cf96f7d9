/** The store under test, in whichever process it is opened, by a URL. */

import type { Store } from "@webhook-inbox/core";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { postgres } from "@webhook-inbox/postgres";
import { redis } from "@webhook-inbox/redis";
import { Redis } from "ioredis";
import { Pool } from "pg";

export interface OpenStore {
  readonly store: Store;
  readonly end: () => Promise<void>;
}

export function storeAt(url: string): OpenStore {
  if (url.startsWith("postgres:")) {
    const pool = new Pool({ connectionString: url, max: 10 });
    return { store: postgres(pool), end: () => pool.end() };
  }
  if (url.startsWith("redis:")) {
    const client = new Redis(url);
    client.on("error", () => undefined);
    return { store: redis(client), end: async () => client.disconnect() };
  }
  return { store: sqlite(url), end: async () => undefined };
}
