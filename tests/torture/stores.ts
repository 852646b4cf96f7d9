/** The store under test, in whichever process it is opened, by a URL; and what is in it, without a word of the library where it has tables. */

import { DatabaseSync } from "node:sqlite";
import { createInbox, systemClock, type EventRecord, type Store } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { mysql } from "@webhook-inbox/mysql";
import { postgres } from "@webhook-inbox/postgres";
import { redis } from "@webhook-inbox/redis";
import { Redis } from "ioredis";
import { createConnection, createPool } from "mysql2/promise";
import { Client, Pool } from "pg";

export interface OpenStore {
  readonly store: Store;
  readonly end: () => Promise<void>;
}

const kinds = ["postgres", "mysql", "redis"] as const;

export function kindOf(url: string): "sqlite" | (typeof kinds)[number] {
  return kinds.find((kind) => url.startsWith(`${kind}:`)) ?? "sqlite";
}

export function storeAt(url: string): OpenStore {
  switch (kindOf(url)) {
    case "postgres": {
      const pool = new Pool({ connectionString: url, max: 10 });
      return { store: postgres(pool), end: () => pool.end() };
    }
    case "mysql": {
      const pool = createPool({ uri: url, connectionLimit: 10 });
      return { store: mysql(pool), end: () => pool.end() };
    }
    case "redis": {
      const client = new Redis(url);
      client.on("error", () => undefined);
      return { store: redis(client), end: async () => client.disconnect() };
    }
    case "sqlite":
      return { store: sqlite(url), end: async () => undefined };
  }
}

export type StoredEvent = Pick<EventRecord, "id" | "state">;

/** All events of a store. */
export async function eventsAt(url: string): Promise<readonly StoredEvent[]> {
  switch (kindOf(url)) {
    case "postgres":
      return await eventsInPostgres(url);
    case "mysql":
      return await eventsInMysql(url);
    case "redis":
      return await eventsInRedis(url);
    case "sqlite":
      return eventsInFile(url);
  }
}

/** How many deliveries are left in a spill, those among them that are in the store and only yet to be destroyed. */
export const leftIn = (spill: string): number => eventsInFile(spill).length;

/** How many deliveries wait in a spill for the store. */
export const waitingIn = (spill: string): number =>
  eventsInFile(spill).filter(({ state }) => state !== "done").length;

function eventsInFile(path: string): readonly StoredEvent[] {
  const database = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
  try {
    const rows: unknown = database.prepare("SELECT id, state FROM webhook_inbox_events").all();
    return rows as readonly StoredEvent[];
  } finally {
    database.close();
  }
}

async function eventsInPostgres(connectionString: string): Promise<readonly StoredEvent[]> {
  const client = new Client({ connectionString });
  await client.connect();
  try {
    return (await client.query<StoredEvent>("SELECT id, state FROM webhook_inbox.events")).rows;
  } finally {
    await client.end();
  }
}

async function eventsInMysql(uri: string): Promise<readonly StoredEvent[]> {
  const connection = await createConnection({ uri });
  try {
    // Text is kept as bytes.
    const [rows] = await connection.query(
      "SELECT CONVERT(id USING utf8mb4) AS id, CONVERT(state USING utf8mb4) AS state FROM webhook_inbox_events",
    );
    return rows as unknown as readonly StoredEvent[];
  } finally {
    await connection.end();
  }
}

async function eventsInRedis(url: string): Promise<readonly StoredEvent[]> {
  const { store, end } = storeAt(url);
  try {
    await store.open({ clock: systemClock });
    const found: EventRecord[] = [];
    let cursor: string | undefined;
    do {
      const page = await store.list({ cursor, limit: 1000 });
      found.push(...page.events);
      ({ cursor } = page);
    } while (cursor !== undefined);
    return found;
  } finally {
    await store.close();
    await end();
  }
}

/** Whether the ledger of what went which way agrees with the events that are there. */
export async function isBalancedAt(url: string): Promise<boolean> {
  const { store, end } = storeAt(url);
  const sources = { audata: audata({ token: "t" }) };
  const inbox = createInbox({ store, sources, work: false, logger: false });
  try {
    return (await inbox.audit()).isBalanced;
  } finally {
    await inbox.close();
    await end();
  }
}
