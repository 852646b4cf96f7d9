import { createServer } from "node:http";
import { bodyParser } from "@koa/bodyparser";
import cors from "@koa/cors";
import { Router } from "@koa/router";
import { mount, webhooks } from "@webhook-inbox/koa";
import { httpSuite, type Serve } from "@webhook-inbox/testing/http";
import Koa3 from "koa";
import { koaBody } from "koa-body";
import compress from "koa-compress";
import helmet from "koa-helmet";
import koaMount from "koa-mount";
import session from "koa-session";
import Koa2 from "koa2";
import { describe, test } from "vitest";
import { started } from "../../../tests/support/http.ts";

/** Koa with one of its body parsers. */
const serveWith =
  (Koa: typeof Koa3, parse: Koa3.Middleware): Serve =>
  (given, { prefix, parser, isFronted, pages }) => {
    const app = new Koa();
    app.silent = true;
    const routes = new Koa();
    const middleware = webhooks(given);
    if (isFronted) {
      app.keys = ["x"];
      app
        .use(helmet())
        .use(compress({ threshold: 0 }))
        .use(cors())
        .use(session(app));
      app.use((ctx, next) => {
        Object.assign(ctx.session ?? {}, { seen: true });
        return next();
      });
    }
    if (parser === "before") routes.use(parse);
    routes.use(middleware);
    if (parser === "after") routes.use(parse);
    routes.use(koaMount("/pages", mount(pages)));
    const router = new Router({ sensitive: true });
    router.get("/home", (ctx) => void (ctx.body = "home"));
    router.get("/webhooks", (ctx) => void (ctx.body = "mine"));
    router.post("/echo", ...(parser === "route" ? [parse] : []), (ctx) => {
      ctx.body = (ctx.request as { readonly body?: unknown }).body;
    });
    routes.use(router.routes());
    app.use(koaMount(prefix || "/", routes));
    const callback = app.callback();
    const server = createServer((req, res) => void callback(req, res));
    return started(server, middleware.inbox);
  };

for (const [version, Koa] of Object.entries({ "Koa 3": Koa3, "Koa 2": Koa2 })) {
  describe(version, () => {
    const serve = serveWith(Koa, bodyParser());
    httpSuite({ test, serve, hasFront: true, afterParser: "exact" });
  });
}

describe("Koa 3 with koa-body", () => {
  httpSuite({ test, serve: serveWith(Koa3, koaBody()), hasFront: true, afterParser: "rebuilt" });
});
