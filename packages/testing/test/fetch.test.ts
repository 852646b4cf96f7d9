/** The HTTP suite on `inbox.fetch`: under Hono, and in a server that knows nothing but `Request` and `Response`. */

import type { Server } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import { inboxFrom } from "@webhook-inbox/core/defaults";
import { httpSuite } from "@webhook-inbox/testing/http";
import { Hono } from "hono";
import { compress } from "hono/compress";
import { cors } from "hono/cors";
import { secureHeaders } from "hono/secure-headers";
import { describe, test } from "vitest";
import { started } from "../../../tests/support/http.ts";

const exempt = {
  "header lines are kept as they came, repeats and all":
    "a Request has its headers in lower case, sorted and joined",
  "a header that must not repeat is answered 400 when it does":
    "a Request has its headers joined: they are no credential, and answered 401",
  "a refusal ends its connection, and a 200 does not": "a Response has no say in its connection",
};

describe("a function of Request to Response", () => {
  httpSuite({
    test,
    hasFront: false,
    exempt,
    serve(given, { prefix, pages }) {
      const inbox = inboxFrom(given);
      const fetch = async (request: Request): Promise<Response> => {
        const { pathname } = new URL(request.url);
        if (pathname.startsWith(`${prefix}/pages`)) {
          const page = await pages(request, { path: `${prefix}/pages` });
          return request.method === "HEAD" ? new Response(null, page) : page;
        }
        if (pathname === `${prefix}/home`) return new Response("home");
        if (pathname === `${prefix}/webhooks`) return new Response("mine");
        if (pathname === `${prefix}/echo`) return Response.json(await request.json());
        return await inbox.fetch(request, { path: prefix + inbox.path });
      };
      return started(createAdaptorServer({ fetch }) as Server, inbox);
    },
  });
});

describe("Hono", () => {
  httpSuite({
    test,
    hasFront: true,
    afterParser: "lost",
    exempt,
    serve(given, { prefix, parser, isFronted, pages }) {
      const inbox = inboxFrom(given);
      const app = new Hono();
      if (isFronted) app.use(secureHeaders(), compress({ threshold: 0 }), cors());
      if (parser === "before") {
        app.use(async (c, next) => {
          if (c.req.header("content-type") === "application/json") await c.req.text();
          await next();
        });
      }
      const routes = app.basePath(prefix);
      const path = prefix + inbox.path;
      routes.all(`${inbox.path}/*`, async (c, next) => {
        if (c.req.path === path) return await next();
        return await inbox.fetch(c.req.raw, { path });
      });
      routes.all("/pages/*", (c) => pages(c.req.raw, { path: `${prefix}/pages` }));
      routes.get("/home", (c) => c.text("home"));
      routes.get("/webhooks", (c) => c.text("mine"));
      routes.post("/echo", async (c) => c.json(await c.req.json()));
      return started(createAdaptorServer(app) as Server, inbox);
    },
  });
});
