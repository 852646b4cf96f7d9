/** What the blocks of pages take for granted, so that each of them compiles by itself. */

/** Declarations by the names that they declare. */
export const declared: Readonly<Record<string, string>> = {
  inbox: 'import { inbox } from "./given.ts";',
  store: 'declare const store: import("@webhook-inbox/core").Store;',
  refusals: "declare const refusals: { add(count: number, labels: Record<string, string>): void };",
  sources: 'import { sources } from "./given.ts";',
  serve: 'declare const serve: import("@webhook-inbox/testing/http").Serve;',
  createInbox: 'import { createInbox } from "@webhook-inbox/core";',
  WebhooksModule: 'import { WebhooksModule } from "@webhook-inbox/nestjs";',
  sqlite: 'import { sqlite } from "@webhook-inbox/core/sqlite";',
  audata: 'import { audata } from "@webhook-inbox/core/providers/audata";',
  postgres: 'import { postgres } from "@webhook-inbox/postgres";',
  PostgresBegin: 'import type { PostgresBegin } from "@webhook-inbox/postgres";',
  mysql: 'import { mysql } from "@webhook-inbox/mysql";',
  redis: 'import { redis } from "@webhook-inbox/redis";',
  Pool: 'import { Pool } from "pg";',
  pool: 'declare const pool: import("pg").Pool;',
  createPool: 'import { createPool } from "mysql2/promise";',
  Redis: 'import { Redis } from "ioredis";',
  connectionString: "declare const connectionString: string;",
  uri: "declare const uri: string;",
  Queue: 'import { Queue } from "bullmq";',
  Worker: 'import { Worker } from "bullmq";',
  enqueue: 'import { enqueue } from "@webhook-inbox/bullmq";',
  processor: 'import { processor } from "@webhook-inbox/bullmq";',
  connection: "declare const connection: { host: string; port: number };",
  job_finished: "declare const job_finished: () => Promise<void>;",
  dashboard: 'import { dashboard } from "@webhook-inbox/dashboard";',
  openTelemetry: 'import { openTelemetry } from "@webhook-inbox/opentelemetry";',
  observeInbox: 'import { observeInbox } from "@webhook-inbox/opentelemetry";',
  update: "declare const update: () => Promise<void>;",
  ListenersService: "declare class ListenersService {}",
  createEmptyDatabase: "declare const createEmptyDatabase: () => Promise<string>;",
  dropDatabase: "declare const dropDatabase: (name: string) => Promise<void>;",
  myStore: 'declare const myStore: (name: string) => import("@webhook-inbox/core").Store;',
  drizzle: 'import { drizzle } from "drizzle-orm/node-postgres";',
  prizes:
    'import { pgTable, text } from "drizzle-orm/pg-core"; const prizes = pgTable("prizes", { call: text() });',
  kysely:
    'import { CompiledQuery, type Kysely, type Transaction } from "kysely"; type Database = object; declare const kysely: Kysely<Database>;',
  Prisma:
    "declare namespace Prisma { interface TransactionClient { $queryRawUnsafe(text: string, ...values: readonly unknown[]): Promise<object[]> } }",
  prisma:
    "declare const prisma: { $transaction<T>(work: (tx: Prisma.TransactionClient) => Promise<T>): Promise<T> };",
  ctx: 'declare const ctx: import("@webhook-inbox/core").HandlerContext<import("@webhook-inbox/postgres").PostgresTransaction<import("pg").PoolClient>>;',
  id: "declare const id: string;",
  crm: "declare const crm: { update(sender: unknown, how: object): Promise<void>; fail(job: string): Promise<{ status: number }> };",
  key: "declare const key: string;",
  server: 'declare const server: import("node:http").Server;',
  url: "declare const url: string;",
  stripe:
    "declare const stripe: { webhooks: { constructEvent(body: unknown, signature: string | undefined, secret: string): { type: string; data: { object: unknown } } } };",
  secret: "declare const secret: string;",
  markAsPaid: "declare const markAsPaid: (invoice: unknown, how?: object) => Promise<void>;",
  express: 'import express from "express";',
  Module: 'import { Module } from "@nestjs/common";',
  Injectable: 'import { Injectable } from "@nestjs/common";',
  OnWebhook: 'import { OnWebhook } from "@webhook-inbox/nestjs";',
  EventOf: 'import type { EventOf } from "@webhook-inbox/core";',
  vault: "declare const vault: { read(name: string): Promise<string> };",
  database:
    "declare const database: { shop(name: string): Promise<{ secret: string } | undefined> };",
  userOf:
    "declare const userOf: (who: string | null | Request) => Promise<{ readonly by: string; readonly email: string; readonly isAdmin: boolean } | undefined>;",
  fastify: 'declare const fastify: import("fastify").FastifyInstance;',
  koa: 'declare const koa: import("koa");',
  koaMount:
    'declare const koaMount: (path: string, middleware: import("koa").Middleware) => import("koa").Middleware;',
  app: 'declare const app: import("express").Express;',
  page: "declare const page: (message: string) => void;",
  exporter: 'declare const exporter: import("@opentelemetry/sdk-trace").SpanExporter;',
  ConfigModule: "declare class ConfigModule {}",
  ConfigService: "declare class ConfigService { get(name: string): string }",
};

/** An inbox as the README's first program has it. */
export const given = `import { createInbox } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { captainData } from "@webhook-inbox/core/providers/captain-data";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";

export const sources = {
  socialdata: socialData({ token: "t" }),
  audata: audata({ token: "t" }),
  "captain-data": captainData({ bearer: "t" }),
};
export const inbox = createInbox({ store: sqlite("webhooks.sqlite"), sources });
`;

export const stubs = `declare module "next/server" {
  export function after(working: Promise<unknown>): void;
}
`;

/** What `app`, `webhooks` and `mount` are on the page of a package. */
export const ofPackage: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  express: { webhooks: 'import { webhooks } from "@webhook-inbox/express";' },
  koa: {
    app: 'declare const app: import("koa");',
    webhooks: 'import { webhooks } from "@webhook-inbox/koa";',
  },
  fastify: {
    app: 'declare const app: import("fastify").FastifyInstance;',
    webhooks: 'import { webhooks } from "@webhook-inbox/fastify";',
  },
  dashboard: { mount: 'import { mount } from "@webhook-inbox/express";' },
};
