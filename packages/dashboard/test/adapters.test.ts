/** The same pages through every framework, below a prefix and at the root, with body parsers before them. */

import "reflect-metadata";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Module, type INestApplication } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { FastifyAdapter, type NestFastifyApplication } from "@nestjs/platform-fastify";
import type { FetchHandler } from "@webhook-inbox/core/node";
import { mountNode } from "@webhook-inbox/core/node";
import { mount as mountExpress } from "@webhook-inbox/express";
import { mount as mountFastify } from "@webhook-inbox/fastify";
import { mount as mountKoa } from "@webhook-inbox/koa";
import { mount as mountNest } from "@webhook-inbox/nestjs";
import express from "express";
import fastify from "fastify";
import Koa from "koa";
import { expect, onTestFinished, test } from "vitest";
import { ask } from "../../../tests/support/served.ts";
import { csrf, desk } from "./desk.ts";

type Serve = (board: FetchHandler) => Promise<number>;

async function portOf(server: Server): Promise<number> {
  if (!server.listening) await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

const expressApp =
  (path: string, parser?: express.RequestHandler): Serve =>
  (board) => {
    const app = express();
    if (parser !== undefined) app.use(parser);
    app.use(path, mountExpress(board));
    return portOf(createServer(app));
  };

@Module({ providers: [] })
class AppModule {
  readonly name = "app";
}

async function nestPort(app: INestApplication, board: FetchHandler): Promise<number> {
  app.use("/a", mountNest(board));
  await app.listen(0, "127.0.0.1");
  onTestFinished(() => app.close());
  return (app.getHttpServer().address() as AddressInfo).port;
}

const frameworks: Readonly<Record<string, readonly [path: string, serve: Serve]>> = {
  "node:http": ["", (board) => portOf(createServer(mountNode(board)))],
  "Express at the root": ["", expressApp("/")],
  "Express below a prefix": ["/a/b", expressApp("/a/b")],
  "Express behind a parser of forms": [
    "/a",
    expressApp("/a", express.urlencoded({ extended: false })),
  ],
  "Express behind a parser of nested forms": [
    "/a",
    expressApp("/a", express.urlencoded({ extended: true })),
  ],
  Koa: [
    "",
    (board) => {
      const app = new Koa();
      app.use(mountKoa(board));
      return portOf(createServer((req, res) => void app.callback()(req, res)));
    },
  ],
  "Nest on Express": [
    "/a",
    async (board) => await nestPort(await NestFactory.create(AppModule, { logger: false }), board),
  ],
  "Nest on Fastify": [
    "/a",
    async (board) => {
      const platform = new FastifyAdapter();
      const options = { logger: false } as const;
      const app = await NestFactory.create<NestFastifyApplication>(AppModule, platform, options);
      return await nestPort(app, board);
    },
  ],
  Fastify: [
    "/a",
    async (board) => {
      const app = fastify();
      await app.register(mountFastify(board), { prefix: "/a" });
      await app.listen({ port: 0, host: "127.0.0.1" });
      onTestFinished(() => app.close());
      return (app.server.address() as AddressInfo).port;
    },
  ],
};

test.each(Object.entries(frameworks))(
  "%s serves pages, and takes forms",
  async (_, [path, serve]) => {
    const shop = await desk();
    await shop.fail(2);
    const port = await serve(shop.board);
    const served = { port, url: `http://127.0.0.1:${port}` };
    const host = `127.0.0.1:${port}`;
    const page = await ask(served, `${path}/`, { headers: { host } });
    expect(page.status).toBe(200);
    expect(page.body).toContain(`href="${path}/events?state=dead"`);
    expect(page.headers["set-cookie"]?.[0]).toContain(`Path=${path || "/"};`);
    const style = await ask(served, `${path}/style.css`, { headers: { host } });
    expect([style.status, style.headers["content-type"]]).toEqual([200, "text/css; charset=utf-8"]);
    const missing = await ask(served, `${path}/nowhere`, { headers: { host } });
    expect(missing.status).toBe(404);
    const list = await ask(served, `${path}/events?state=dead`, { headers: { host } });
    const keys = [...list.body.matchAll(/name="key"\s+value="(\w+)"/g)].map(([, key]) => key ?? "");
    expect(keys).toHaveLength(2);
    const form = new URLSearchParams({ csrf, act: "cancel", count: "2", more: "no", why: "é & ü" });
    for (const key of keys) form.append("key", key);
    const sent = await ask(served, `${path}/act`, {
      body: form.toString(),
      headers: {
        host,
        origin: served.url,
        cookie: `webhook-inbox-csrf=${csrf}`,
        "content-type": "application/x-www-form-urlencoded",
      },
    });
    expect([sent.status, sent.headers["location"]]).toEqual([
      303,
      expect.stringMatching(new RegExp(`^${path}/acts/[0-9a-f-]{36}$`)),
    ]);
    await expect
      .poll(async () => (await shop.inbox.list({ state: "cancelled" })).events)
      .toMatchObject([
        { interventions: [{ reason: "é & ü" }] },
        { interventions: [{ reason: "é & ü" }] },
      ]);
  },
);

test("a framework that speaks Request and Response calls it with its mount path", async () => {
  const shop = await desk();
  const at = { path: "/ops" };
  const page = await shop.board(new Request("http://localhost/ops/events"), at);
  expect(page.status).toBe(200);
  expect(await page.text()).toContain('href="/ops/events"');
  expect((await shop.board(new Request("http://localhost/ops"), at)).status).toBe(200);
});
