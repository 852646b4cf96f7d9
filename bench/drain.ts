/** `pnpm bench drain`: how fast a backlog is worked off by handlers that do nothing, beside the tuned queues (P9). */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInbox, systemClock, type Store } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { postgres } from "@webhook-inbox/postgres";
import { redis } from "@webhook-inbox/redis";
import { Queue, Worker } from "bullmq";
import { Logger, makeWorkerUtils, run } from "graphile-worker";
import { Redis } from "ioredis";
import { Pool } from "pg";
import { PgBoss } from "pg-boss";
import { dropSchema, removeKeys } from "./cleanup.ts";
import { takeMany } from "./events.ts";
import { reachedOf, spread, ratiosOf, type Report, type Target } from "./report.ts";
import { median } from "./rounds.ts";
import type { Places } from "./subjects/subject.ts";

const backlog = 20_000;
const name = `bench_${process.pid}`;

/** Fills, then answers what works it off: only that is timed. */
type Subject = (
  places: Places,
) => Promise<{ readonly work: () => Promise<void>; readonly end: () => Promise<void> }>;

/** Resolves when it was called so many times. */
function countdown(count: number): { readonly done: Promise<void>; readonly one: () => void } {
  let left = count;
  let finish: () => void = () => undefined;
  const done = new Promise<void>((resolve) => (finish = resolve));
  return {
    done,
    one() {
      left -= 1;
      if (left === 0) finish();
    },
  };
}

async function inboxOn<T>(store: Store<T>, end: () => Promise<void>): ReturnType<Subject> {
  await store.open({ clock: systemClock });
  await takeMany(store, backlog);
  const inbox = createInbox({
    store,
    sources: { audata: audata({ token: "token" }) },
    limits: { handlersMax: 100 },
    logger: false,
  });
  const { done, one } = countdown(backlog);
  inbox.on("audata", "*", one);
  return {
    async work() {
      await inbox.start();
      await done;
      await inbox.idle();
    },
    async end() {
      await inbox.close();
      await end();
    },
  };
}

const subjects: Readonly<Record<string, Subject>> = {
  sqlite: async () => {
    const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-bench-"));
    return await inboxOn(sqlite(join(directory, "inbox.sqlite")), async () =>
      rmSync(directory, { recursive: true, force: true }),
    );
  },

  postgres: async ({ postgresUrl }) => {
    const pool = new Pool({ connectionString: postgresUrl, max: 20 });
    return await inboxOn(postgres(pool, { schema: name }), async () => {
      await pool.query(`DROP SCHEMA ${name} CASCADE`);
      await pool.end();
    });
  },

  redis: async ({ redisUrl }) => {
    const client = new Redis(redisUrl);
    return await inboxOn(redis(client, { prefix: name }), () => removeKeys(client, `{${name}}*`));
  },

  "bullmq, 50 at once": async ({ redisUrl }) => {
    const client = new Redis(redisUrl, { maxRetriesPerRequest: null });
    const queue = new Queue("events", { connection: client, prefix: `{${name}}` });
    for (let from = 0; from < backlog; from += 1000) {
      await queue.addBulk(
        Array.from({ length: 1000 }, (_, n) => ({
          name: "event",
          data: { n: from + n, text: "x".repeat(600) },
        })),
      );
    }
    const { done, one } = countdown(backlog);
    const worker = new Worker("events", async () => undefined, {
      connection: client,
      prefix: `{${name}}`,
      concurrency: 50,
      autorun: false,
    });
    worker.on("completed", one);
    return {
      async work() {
        void worker.run();
        await done;
      },
      async end() {
        await worker.close();
        await queue.close();
        await removeKeys(client, `{${name}}*`);
      },
    };
  },

  "pg-boss, batches of 1,000": async ({ postgresUrl }) => {
    const schema = `${name}_boss`;
    const boss = new PgBoss({ connectionString: postgresUrl, schema, max: 20 });
    boss.on("error", () => undefined);
    await boss.start();
    await boss.createQueue("events");
    for (let from = 0; from < backlog; from += 1000) {
      await boss.insert(
        "events",
        Array.from({ length: 1000 }, (_, n) => ({ data: { n: from + n, text: "x".repeat(600) } })),
      );
    }
    const { done, one } = countdown(backlog);
    return {
      async work() {
        await boss.work(
          "events",
          { batchSize: 1000, pollingIntervalSeconds: 0.5 },
          async (jobs) => {
            for (const _ of jobs) one();
          },
        );
        await done;
      },
      async end() {
        await boss.stop({ graceful: false });
        await dropSchema(postgresUrl, schema);
      },
    };
  },

  "graphile-worker, local queue": async ({ postgresUrl }) => {
    const schema = `${name}_graphile`;
    const pool = new Pool({ connectionString: postgresUrl, max: 20 });
    const utils = await makeWorkerUtils({ pgPool: pool, schema });
    await utils.migrate();
    for (let from = 0; from < backlog; from += 1000) {
      await utils.addJobs(
        Array.from({ length: 1000 }, (_, n) => ({
          identifier: "event",
          payload: { n: from + n, text: "x".repeat(600) },
        })),
      );
    }
    await utils.release();
    const { done, one } = countdown(backlog);
    let stop: () => Promise<void> = async () => undefined;
    return {
      async work() {
        const runner = await run({
          pgPool: pool,
          schema,
          taskList: { event: async () => one() },
          noHandleSignals: true,
          logger: new Logger(() => () => undefined),
          preset: {
            worker: {
              concurrentJobs: 50,
              localQueue: { size: 1000 },
              completeJobBatchDelay: 0,
              failJobBatchDelay: 0,
            },
          },
        });
        stop = () => runner.stop();
        await done;
      },
      async end() {
        await stop();
        await pool.query(`DROP SCHEMA ${schema} CASCADE`);
        await pool.end();
      },
    };
  },
};

const targets: readonly Target[] = [
  { id: "P9", of: "sqlite", to: "bullmq, 50 at once", atLeast: 3 },
  { id: "P9", of: "postgres", to: "pg-boss, batches of 1,000", atLeast: 1.1 },
  { id: "P9", of: "postgres", to: "graphile-worker, local queue", atLeast: 1.1 },
];

export interface DrainOptions {
  readonly rounds: number;
  readonly only: readonly string[];
}

export async function drain(places: Places, { rounds, only }: DrainOptions): Promise<Report> {
  const names = Object.keys(subjects).filter((one) => only.length === 0 || only.includes(one));
  const found = new Map<string, number[]>(names.map((one) => [one, []]));
  for (let round = 1; round <= rounds; round++) {
    for (const one of names) {
      const subject = await subjects[one]?.(places);
      const begin = performance.now();
      await subject?.work();
      const perSecond = backlog / ((performance.now() - begin) / 1000);
      await subject?.end();
      found.get(one)?.push(perSecond);
      process.stderr.write(`round ${round}/${rounds} ${one}: ${Math.round(perSecond)}/s\n`);
    }
  }
  const floor = found.get("bullmq, 50 at once") ?? [];
  return {
    name: "drain",
    how: `A backlog of ${backlog.toLocaleString("en")}, ${rounds} interleaved rounds, medians; from the start of the worker until all is settled.`,
    heads: ["subject", "handled/s", "× BullMQ"],
    rows: names.map((one) => {
      const speeds = found.get(one) ?? [];
      const ratios = spread(ratiosOf(speeds, floor));
      return [one, Math.round(median(speeds)).toLocaleString("en"), ratios];
    }),
    reached: reachedOf(targets, (one) => found.get(one)),
    figures: Object.fromEntries(found),
  };
}
