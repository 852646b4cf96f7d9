/** What only Koa has. What every adapter has is in the HTTP suite. */

import { Router } from "@koa/router";
import { createInbox } from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { audata } from "@webhook-inbox/core/providers/audata";
import { webhooks } from "@webhook-inbox/koa";
import Koa3 from "koa";
import mount from "koa-mount";
import Koa2 from "koa2";
import { describe, expect, onTestFinished, test } from "vitest";
import { ask, listen } from "../../../tests/support/served.ts";

const query = "?event=Listener.updated&webhookCallId=1&sender%5Bid%5D=1&x=a%2Fb+c";

function newInbox(path = "/webhooks") {
  const inbox = createInbox({
    store: memory({ acceptLoss: true }),
    sources: { radio: audata({ token: "t" }) },
    path,
    logger: false,
  });
  onTestFinished(() => inbox.close());
  return inbox;
}

async function served(app: Koa3) {
  const callback = app.callback();
  return await listen((req, res) => void callback(req, res));
}

const targetOf = async (inbox: ReturnType<typeof newInbox>): Promise<string | undefined> => {
  const { events } = await inbox.list();
  return (await inbox.get(events[0]?.key ?? ""))?.delivery?.target;
};

for (const [version, Koa] of Object.entries({ "Koa 3": Koa3, "Koa 2": Koa2 })) {
  describe(version, () => {
    test("under mounts in mounts the path is relative to the innermost, and exact", async () => {
      const inbox = newInbox();
      const inner = new Koa().use(mount("/b", webhooks(inbox)));
      const app = await served(new Koa().use(mount("/a", inner)));
      expect((await ask(app, `/a/b/webhooks/radio/t${query}`)).status).toBe(200);
      expect((await ask(app, `/a/webhooks/radio/t${query}`)).status).toBe(404);
      expect(await targetOf(inbox)).toBe(`/webhooks/radio/***${query}`);
    });

    test("a router strips nothing: the inbox is given the whole path", async () => {
      const inbox = newInbox("/api/webhooks");
      const router = new Router({ prefix: "/api" });
      router.all("/webhooks/{*rest}", webhooks(inbox));
      router.get("/home", (ctx) => void (ctx.body = "home"));
      const koa = new Koa();
      koa.use(router.routes());
      koa.use(router.allowedMethods());
      const app = await served(koa);
      expect((await ask(app, `/api/webhooks/radio/t${query}`)).status).toBe(200);
      expect((await ask(app, "/api/webhooks/radio/wrong")).status).toBe(401);
      expect((await ask(app, "/api/home")).body).toBe("home");
      expect(await targetOf(inbox)).toBe(`/api/webhooks/radio/***${query}`);
    });

    test("middleware around it sees the answer, and may add to it", async () => {
      const seen: unknown[] = [];
      const app = new Koa();
      app.use(async (ctx, next) => {
        await next();
        seen.push([ctx.status, ctx.body]);
        ctx.set("x-time", "1");
        ctx.cookies.set("seen", "1");
      });
      app.use(webhooks(newInbox()));
      app.use((ctx) => void (ctx.body = "other"));
      const at = await served(app);
      const taken = await ask(at, `/webhooks/radio/t${query}`);
      expect([taken.status, taken.body, taken.headers["x-time"]]).toEqual([200, "ok", "1"]);
      expect((await ask(at, "/webhooks/radio/wrong")).status).toBe(401);
      expect((await ask(at, "/")).body).toBe("other");
      expect(seen).toEqual([
        [200, "ok"],
        [401, "unauthorized"],
        [200, "other"],
      ]);
    });
  });
}

test("an error of the application's own middleware stays its own", async () => {
  const app = new Koa3();
  app.silent = true;
  app.use(webhooks(newInbox()));
  app.use(() => {
    throw new Error("mine");
  });
  const at = await served(app);
  expect((await ask(at, "/")).status).toBe(500);
  expect((await ask(at, `/webhooks/radio/t${query}`)).status).toBe(200);
});
