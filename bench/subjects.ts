/** What is measured: applications that take a delivery and answer 200, ours and those it is held against. */

import { mkdtempSync, rmSync } from "node:fs";
import type { RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createInbox, type Store } from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { audata } from "@webhook-inbox/core/providers/audata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { webhooks } from "@webhook-inbox/express";
import { postgres } from "@webhook-inbox/postgres";
import { redis } from "@webhook-inbox/redis";
import { Queue } from "bullmq";
import express from "express";
import { makeWorkerUtils } from "graphile-worker";
import { Redis } from "ioredis";
import { Pool } from "pg";
import { PgBoss } from "pg-boss";
import { dropSchema, removeKeys } from "./cleanup.ts";

export interface Subject {
  readonly listener: RequestListener;
  readonly path: string;
  /** Waits for all work, and cleans up. */
  readonly close: () => Promise<void>;
}

export interface Places {
  readonly postgresUrl: string;
  readonly redisUrl: string;
}

const path = "/webhooks/audata/token";

/** An application that does something with the body of each request before it answers. */
function application(act: (body: Buffer) => unknown): RequestListener {
  const app = express();
  app.post(path, (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      void Promise.resolve(act(Buffer.concat(chunks))).then(
        () => response.end("ok"),
        () => {
          response.statusCode = 500;
          response.end();
        },
      );
    });
  });
  return app;
}

const idOf = (body: Buffer): string =>
  (JSON.parse(String(body)) as { webhookCallId: string }).webhookCallId;

/** The inbox with everything on: credential, dedup, custody, dispatch to a handler that does nothing, settlement. */
function inboxOn<T>(store: Store<T>, handles: boolean, end: () => Promise<void>): Subject {
  const inbox = createInbox({
    store,
    sources: { audata: audata({ token: "token" }) },
    logger: false,
    ...(handles ? {} : { work: false }),
  });
  inbox.on("audata", "*", () => undefined);
  const app = express();
  app.use(webhooks(inbox));
  return {
    listener: app,
    path,
    async close() {
      await inbox.close();
      await end();
    },
  };
}

function directory(): { readonly file: string; readonly remove: () => Promise<void> } {
  const made = mkdtempSync(join(tmpdir(), "webhook-inbox-bench-"));
  return {
    file: join(made, "inbox.sqlite"),
    remove: async () => rmSync(made, { recursive: true, force: true }),
  };
}

const schema = `bench_${process.pid}`;

function poolOn({ postgresUrl }: Places): {
  readonly pool: Pool;
  readonly remove: () => Promise<void>;
} {
  const pool = new Pool({ connectionString: postgresUrl, max: 20 });
  return {
    pool,
    remove: async () => {
      await pool.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
      await pool.end();
    },
  };
}

async function durableSqlite(file: string): Promise<DatabaseSync> {
  const database = new DatabaseSync(file);
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  database.exec("CREATE TABLE events (id TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT");
  return database;
}

export const subjects: Readonly<Record<string, (places: Places) => Promise<Subject>>> = {
  express: async () => ({
    listener: application(() => undefined),
    path,
    close: async () => undefined,
  }),

  memory: async () => inboxOn(memory({ acceptLoss: true }), true, async () => undefined),

  sqlite: async () => {
    const { file, remove } = directory();
    return inboxOn(sqlite(file), true, remove);
  },

  "sqlite, ack only": async () => {
    const { file, remove } = directory();
    return inboxOn(sqlite(file), false, remove);
  },

  "node:sqlite INSERT": async () => {
    const { file, remove } = directory();
    const database = await durableSqlite(file);
    const insert = database.prepare("INSERT INTO events VALUES (?, ?) ON CONFLICT DO NOTHING");
    const close = async (): Promise<void> => {
      database.close();
      await remove();
    };
    return { listener: application((body) => insert.run(idOf(body), body)), path, close };
  },

  postgres: async (places) => {
    const { pool, remove } = poolOn(places);
    return inboxOn(postgres(pool, { schema }), true, remove);
  },

  "postgres, ack only": async (places) => {
    const { pool, remove } = poolOn(places);
    return inboxOn(postgres(pool, { schema }), false, remove);
  },

  "pg INSERT": async (places) => {
    const { pool, remove } = poolOn(places);
    await pool.query(
      `CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.events (id text PRIMARY KEY, body bytea NOT NULL)`,
    );
    const text = `INSERT INTO ${schema}.events VALUES ($1, $2) ON CONFLICT DO NOTHING`;
    const act = (body: Buffer): Promise<unknown> =>
      pool.query({ name: "insert", text, values: [idOf(body), body] });
    return { listener: application(act), path, close: remove };
  },

  "pg-boss send": async ({ postgresUrl }) => {
    const boss = new PgBoss({ connectionString: postgresUrl, schema: `${schema}_boss`, max: 20 });
    boss.on("error", () => undefined);
    await boss.start();
    await boss.createQueue("events");
    return {
      listener: application((body) => boss.send("events", JSON.parse(String(body)) as object)),
      path,
      close: async () => {
        await boss.stop({ graceful: false });
        await dropSchema(postgresUrl, `${schema}_boss`);
      },
    };
  },

  "graphile addJob": async ({ postgresUrl }) => {
    const pool = new Pool({ connectionString: postgresUrl, max: 20 });
    pool.on("error", () => undefined);
    pool.on("connect", (client) => client.on("error", () => undefined));
    const utils = await makeWorkerUtils({ pgPool: pool, schema: `${schema}_graphile` });
    await utils.migrate();
    return {
      listener: application((body) => utils.addJob("event", JSON.parse(String(body)))),
      path,
      close: async () => {
        await utils.release();
        await pool.query(`DROP SCHEMA ${schema}_graphile CASCADE`);
        await pool.end();
      },
    };
  },

  redis: async ({ redisUrl }) => {
    const client = new Redis(redisUrl);
    return inboxOn(redis(client, { prefix: schema }), true, () =>
      removeKeys(client, `{${schema}}:*`),
    );
  },

  "bullmq add": async ({ redisUrl }) => {
    const client = new Redis(redisUrl, { maxRetriesPerRequest: null });
    const queue = new Queue("events", { connection: client, prefix: `{${schema}}` });
    return {
      listener: application((body) =>
        queue.add("event", JSON.parse(String(body)), { jobId: idOf(body) }),
      ),
      path,
      close: async () => {
        await queue.close();
        await removeKeys(client, `{${schema}}:*`);
      },
    };
  },
};
