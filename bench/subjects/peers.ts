/** Peers: a library that verifies and keeps nothing, and queues behind a route. */

import { createNodeMiddleware, Webhooks } from "@octokit/webhooks";
import { Queue } from "bullmq";
import { makeWorkerUtils } from "graphile-worker";
import { Redis } from "ioredis";
import { PgBoss } from "pg-boss";
import { dropSchema, removeKeys } from "../cleanup.ts";
import express from "express";
import {
  application,
  countIn,
  idOf,
  ignore,
  paths,
  poolOn,
  schema,
  secret,
  type MakeSubject,
} from "./subject.ts";

const dataOf = (body: Buffer): object => JSON.parse(String(body)) as object;

export const peers: Readonly<Record<string, MakeSubject>> = {
  "@octokit/webhooks": async () => {
    const hooks = new Webhooks({ secret });
    hooks.onAny(() => undefined);
    const app = express();
    app.use(createNodeMiddleware(hooks, { path: paths.github }));
    return { listener: app, shape: "github", close: ignore };
  },

  "pg-boss send": async ({ postgresUrl }) => {
    const own = `${schema}_boss`;
    const boss = new PgBoss({ connectionString: postgresUrl, schema: own, max: 20 });
    boss.on("error", () => undefined);
    await boss.start();
    await boss.createQueue("events");
    const pool = poolOn({ postgresUrl, redisUrl: "" });
    return {
      listener: application((body) => boss.send("events", dataOf(body))),
      shape: "audata",
      counts: async () => ({ kept: await countIn(pool, `${own}.job`), handled: undefined }),
      async close() {
        await boss.stop({ graceful: false });
        await pool.end();
        await dropSchema(postgresUrl, own);
      },
    };
  },

  "graphile addJob": async (places) => {
    const pool = poolOn(places);
    const own = `${schema}_graphile`;
    const utils = await makeWorkerUtils({ pgPool: pool, schema: own });
    await utils.migrate();
    return {
      listener: application((body) => utils.addJob("event", dataOf(body))),
      shape: "audata",
      counts: async () => ({ kept: await countIn(pool, `${own}.jobs`), handled: undefined }),
      async close() {
        await utils.release();
        await pool.query(`DROP SCHEMA ${own} CASCADE`);
        await pool.end();
      },
    };
  },

  "bullmq add": async ({ redisUrl }) => {
    const client = new Redis(redisUrl, { maxRetriesPerRequest: null });
    const queue = new Queue("events", { connection: client, prefix: `{${schema}}` });
    return {
      listener: application((body) => queue.add("event", dataOf(body), { jobId: idOf(body) })),
      shape: "audata",
      counts: async () => ({ kept: await queue.getWaitingCount(), handled: undefined }),
      async close() {
        await queue.close();
        await removeKeys(client, `{${schema}}:*`);
      },
    };
  },
};
