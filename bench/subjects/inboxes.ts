/** Our own: the inbox with everything on (credential, dedup, custody, dispatch to a handler that does nothing, settlement). */

import type { RequestListener } from "node:http";
import { createInbox, type Inbox, type Store } from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { audata } from "@webhook-inbox/core/providers/audata";
import { github } from "@webhook-inbox/core/providers/github";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { webhooks } from "@webhook-inbox/express";
import { webhooks as fastifyWebhooks } from "@webhook-inbox/fastify";
import { webhooks as koaWebhooks } from "@webhook-inbox/koa";
import { postgres } from "@webhook-inbox/postgres";
import { redis } from "@webhook-inbox/redis";
import express from "express";
import fastify from "fastify";
import { Redis } from "ioredis";
import Koa from "koa";
import { removeKeys } from "../cleanup.ts";
import {
  directory,
  ignore,
  poolOn,
  schema,
  secret,
  type MakeSubject,
  type Shape,
  type Subject,
} from "./subject.ts";

type Mount = (inbox: Inbox) => Promise<RequestListener>;

const onExpress: Mount = async (inbox) => express().use(webhooks(inbox));

const onKoa: Mount = async (inbox) => {
  const app = new Koa().use(koaWebhooks(inbox));
  const listener = app.callback();
  return (request, response) => void listener(request, response);
};

const onFastify: Mount = async (inbox) => {
  const app = fastify();
  await app.register(fastifyWebhooks(inbox));
  await app.ready();
  return (request, response) => app.routing(request, response);
};

interface Given {
  readonly shape?: Shape;
  readonly handles?: boolean;
  readonly mount?: Mount;
}

async function inboxOn<T>(
  store: Store<T>,
  end: () => Promise<void>,
  { shape = "audata", handles = true, mount = onExpress }: Given = {},
): Promise<Subject> {
  let handled = 0;
  const inbox = createInbox({
    store,
    sources:
      shape === "audata" ? { audata: audata({ token: "token" }) } : { github: github({ secret }) },
    logger: false,
    ...(handles ? {} : { work: false as const }),
  });
  (inbox as Inbox).on(shape, "*", () => void (handled += 1));
  return {
    listener: await mount(inbox),
    shape,
    async counts() {
      if (handles) await inbox.idle();
      const { counted } = await store.audit();
      const kept = Object.values(counted).reduce((sum, count) => sum + count, 0);
      return { kept, handled: handles ? handled : undefined };
    },
    async close() {
      await inbox.close();
      await end();
    },
  };
}

const inMemory =
  (given: Given): MakeSubject =>
  () =>
    inboxOn(memory({ acceptLoss: true }), ignore, given);

const inFile =
  (given: Given = {}): MakeSubject =>
  () => {
    const { file, remove } = directory();
    return inboxOn(sqlite(file), remove, given);
  };

const inPostgres =
  (given: Given = {}): MakeSubject =>
  (places) => {
    const pool = poolOn(places);
    const remove = async (): Promise<void> => {
      await pool.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
      await pool.end();
    };
    return inboxOn(postgres(pool, { schema }), remove, given);
  };

export const inboxes: Readonly<Record<string, MakeSubject>> = {
  "express + memory": inMemory({}),
  "express + memory, HMAC": inMemory({ shape: "github" }),
  "koa + memory": inMemory({ mount: onKoa }),
  "koa + memory, HMAC": inMemory({ mount: onKoa, shape: "github" }),
  "fastify + memory": inMemory({ mount: onFastify }),
  "fastify + memory, HMAC": inMemory({ mount: onFastify, shape: "github" }),
  sqlite: inFile(),
  "sqlite, HMAC": inFile({ shape: "github" }),
  "sqlite, ack only": inFile({ handles: false }),
  postgres: inPostgres(),
  "postgres, ack only": inPostgres({ handles: false }),
  redis: ({ redisUrl }) => {
    const client = new Redis(redisUrl);
    const end = (): Promise<void> => removeKeys(client, `{${schema}}:*`);
    return inboxOn(redis(client, { prefix: schema }), end);
  },
};
