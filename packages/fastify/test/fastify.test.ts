/** What only Fastify has. What every adapter has is in the HTTP suite. */

import type { AddressInfo } from "node:net";
import { createInbox } from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { audata } from "@webhook-inbox/core/providers/audata";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { mount, webhooks } from "@webhook-inbox/fastify";
import Fastify, { type FastifyInstance } from "fastify";
import { expect, onTestFinished, test, vi } from "vitest";
import { ask } from "../../../tests/support/served.ts";

const query = "?event=Listener.updated&webhookCallId=1&sender%5Bid%5D=1&x=/a%2Fb+c";
const job = '{"event":"job_finished","data":{"job_id":1,"status":"error"}}';

function newInbox(path = "/webhooks") {
  const inbox = createInbox({
    store: memory({ acceptLoss: true }),
    sources: { radio: audata({ token: "t0ken" }), jobs: socialData({ token: "t0ken" }) },
    path,
    logger: false,
  });
  onTestFinished(() => inbox.close());
  return inbox;
}

async function served(app: FastifyInstance) {
  await app.listen({ host: "127.0.0.1", port: 0 });
  onTestFinished(() => app.close());
  const { port } = app.server.address() as AddressInfo;
  return { port, url: `http://127.0.0.1:${port}` };
}

const targetOf = async (inbox: ReturnType<typeof newInbox>): Promise<string | undefined> => {
  const { events } = await inbox.list();
  return (await inbox.get(events[0]?.key ?? ""))?.delivery?.target;
};

test("parsers of the application are its own: none reads a delivery, and none is changed", async () => {
  const inbox = newInbox();
  const app = Fastify();
  const parsed: unknown[] = [];
  app.addContentTypeParser("application/json", { parseAs: "string" }, (_request, body, done) => {
    parsed.push(body);
    done(null, { own: body });
  });
  app.register(webhooks(inbox));
  app.post("/echo", (request) => request.body);
  const at = await served(app);
  const headers = { "content-type": "application/json" };
  expect((await ask(at, "/webhooks/jobs/t0ken", { body: job, headers })).status).toBe(200);
  expect(parsed).toEqual([]);
  const echoed = await ask(at, "/echo", { body: "{", headers });
  expect(JSON.parse(echoed.body)).toEqual({ own: "{" });
  expect((await ask(at, "/echo", { body: "x", headers: { "content-type": "a/b" } })).status).toBe(
    415,
  );
});

test("an application without any parser receives all the same", async () => {
  const app = Fastify({ bodyLimit: 10 });
  app.removeAllContentTypeParsers();
  app.register(webhooks(newInbox()));
  const at = await served(app);
  expect((await ask(at, "/webhooks/jobs/t0ken", { body: job })).status).toBe(200);
});

test("hooks of the context around it run first; those of a context beside it do not", async () => {
  const app = Fastify();
  app.register(webhooks(newInbox()));
  app.register(async (guarded) => {
    guarded.addHook("onRequest", async (_request, reply) => reply.code(403).send("no"));
    guarded.get("/home", () => "home");
    guarded.register(webhooks(newInbox("/guarded")));
  });
  const at = await served(app);
  expect((await ask(at, `/webhooks/radio/t0ken${query}`)).status).toBe(200);
  expect((await ask(at, "/home")).status).toBe(403);
  expect((await ask(at, `/guarded/radio/t0ken${query}`)).status).toBe(403);
});

test("hooks of the context around it see the answer, and may add to it", async () => {
  const app = Fastify();
  const seen: unknown[] = [];
  app.addHook("onSend", async (_request, reply) => void reply.header("x-time", "1"));
  app.addHook("onResponse", async (_request, reply) => void seen.push(reply.statusCode));
  app.register(webhooks(newInbox()));
  const at = await served(app);
  const answer = await ask(at, `/webhooks/radio/t0ken${query}`);
  expect([answer.status, answer.headers["x-time"]]).toEqual([200, "1"]);
  expect((await ask(at, "/webhooks/radio/wrong")).status).toBe(401);
  await vi.waitUntil(() => seen.length === 2);
  expect(seen).toEqual([200, 401]);
});

test("prefixes may be nested, end in a slash, and have parameters", async () => {
  for (const [outer, inner, asked] of [
    ["/a", "/b", "/a/b"],
    ["/a/", "/b/", "/a/b"],
    ["/:tenant", "", "/x%20y"],
    ["", "/:tenant/hooks", "/é".replace("é", "%C3%A9") + "/hooks"],
  ] as const) {
    const inbox = newInbox();
    const app = Fastify();
    app.register(async (below) => below.register(webhooks(inbox), { prefix: inner }), {
      prefix: outer,
    });
    const at = await served(app);
    expect((await ask(at, `${asked}/webhooks/radio/t0ken${query}`)).status, asked).toBe(200);
    expect(await targetOf(inbox)).toBe(`/webhooks/radio/***${query}`);
  }
});

test("a URL that Fastify was told to rewrite is read as it was rewritten", async () => {
  const inbox = newInbox();
  const app = Fastify({ rewriteUrl: ({ url = "" }) => url.replace(/^\/service/, "") });
  app.register(webhooks(inbox));
  const at = await served(app);
  expect((await ask(at, `/service/webhooks/radio/t0ken${query}`)).status).toBe(200);
  expect(await targetOf(inbox)).toBe(`/webhooks/radio/***${query}`);
});

test("what waits in the store is worked on as soon as the application is there", async () => {
  const inbox = newInbox();
  let isHandled = false;
  inbox.on("radio", "Listener.updated", () => void (isHandled = true));
  const app = Fastify();
  app.register(webhooks(inbox));
  await served(app);
  await vi.waitUntil(() => inbox.isReady);
  await inbox.fetch(new Request(`http://x.test/webhooks/radio/t0ken${query}`));
  await vi.waitUntil(() => isHandled);
});

test("several inboxes stand side by side", async () => {
  const [one, two] = [newInbox(), newInbox("/partners")];
  const app = Fastify();
  app.register(webhooks(one));
  app.register(webhooks(two));
  const at = await served(app);
  expect((await ask(at, `/partners/radio/t0ken${query}`)).status).toBe(200);
  expect((await one.list()).events).toHaveLength(0);
  expect((await two.list()).events).toHaveLength(1);
});

test("Fastify's own log lines have no token", async () => {
  const lines: string[] = [];
  const stream = { write: (line: string): number => lines.push(line) };
  const app = Fastify({ logger: { level: "trace", stream } });
  app.register(webhooks(newInbox()));
  app.register(async (failing) => {
    failing.addHook("onSend", () => Promise.reject(new Error("no")));
    failing.register(webhooks(newInbox("/failing")));
  });
  app.get("/other", () => "other");
  const at = await served(app);
  for (const path of [`/webhooks/radio/t0ken${query}`, "/webhooks/radio?token=t0ken", "/other"]) {
    await ask(at, path);
  }
  await vi.waitUntil(() => lines.filter((line) => line.includes("request completed")).length === 3);
  await ask(at, "/failing/radio/t0ken");
  await vi.waitUntil(() => lines.some((line) => line.includes('"level":50')));
  expect(lines.join("")).toContain("/other");
  expect(lines.join("")).not.toContain("t0ken");
});

test("the inbox closes with the application, after its handlers have ended", async () => {
  const inbox = newInbox();
  const life: string[] = [];
  let finish: (() => void) | undefined;
  inbox.on("radio", "Listener.updated", async () => {
    await new Promise<void>((resolve) => (finish = resolve));
    life.push("handled");
  });
  const app = Fastify();
  app.addHook("onClose", async () => void life.push("closed"));
  app.register(webhooks(inbox));
  const at = await served(app);
  await ask(at, `/webhooks/radio/t0ken${query}`);
  await vi.waitUntil(() => finish !== undefined);
  const closing = app.close();
  finish?.();
  await closing;
  expect(life).toEqual(["handled", "closed"]);
  expect(inbox.isReady).toBe(false);
});

test("a fetch handler knows where it is mounted, whatever the query has", async () => {
  const app = Fastify();
  app.register(
    mount((request, { path }) => Response.json([new URL(request.url).search, path])),
    {
      prefix: "/admin/:team",
    },
  );
  const at = await served(app);
  for (const path of ["/admin/red?x=/y", "/admin/red/?x=/y", "/admin/red/list/1?x=/y"]) {
    expect(JSON.parse((await ask(at, path)).body), path).toEqual(["?x=/y", "/admin/red"]);
  }
  const dots = await ask(at, "/admin/red?x=/../y");
  expect(JSON.parse(dots.body)).toEqual(["?x=/../y", "/admin/red"]);
  expect((await ask(at, "/admin/red/%2e%2e/y")).status).toBe(400);
});
