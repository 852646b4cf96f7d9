/** `inbox.fetch` called by itself, as frameworks call it. Over sockets it is held to the HTTP suite, in `testing`. */

import { createInbox } from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { audata } from "@webhook-inbox/core/providers/audata";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { describe, expect, onTestFinished, test } from "vitest";
import { rememberingLogger } from "../../../tests/support/log.ts";

const job = '{"event":"job_finished","data":{"job_id":1,"status":"error"}}';
const origin = "https://app.test";

function newInbox(path?: string) {
  const { logger, lines } = rememberingLogger();
  const inbox = createInbox({
    store: memory({ acceptLoss: true }),
    sources: {
      jobs: socialData({ token: "t" }),
      radio: audata({ token: "t" }),
      open: socialData(),
    },
    limits: { bodyBytesMax: 1000 },
    logger,
    ...(path === undefined ? {} : { path }),
  });
  onTestFinished(() => inbox.close());
  return { inbox, lines };
}

const post = (
  path: string,
  body: string | ReadableStream | null = job,
  more: RequestInit = {},
): Request => new Request(origin + path, { method: "POST", body, duplex: "half", ...more });

describe("path", () => {
  const places = [
    { own: undefined, given: undefined, begins: "/webhooks" },
    { own: undefined, given: "/api/webhooks", begins: "/api/webhooks" },
    { own: undefined, given: "/api/webhooks/", begins: "/api/webhooks" },
    { own: "/in", given: undefined, begins: "/in" },
    { own: "/", given: undefined, begins: "" },
    { own: "/", given: "/api", begins: "/api" },
    { own: undefined, given: "/", begins: "" },
  ];
  for (const { own, given, begins } of places) {
    test(`an inbox at ${own ?? "its default"}, given ${given ?? "none"}, begins at ${begins}/`, async () => {
      const { inbox } = newInbox(own);
      const options = given === undefined ? {} : { path: given };
      const answer = await inbox.fetch(post(`${begins}/jobs/t?x=%20#part`), options);
      expect([answer.status, await answer.text()]).toEqual([200, "ok"]);
      const { events } = await inbox.list();
      const kept = await inbox.get(events[0]?.key ?? "");
      expect(kept?.delivery?.target).toBe(`${inbox.path}/jobs/***?x=%20`);
      const beside = await inbox.fetch(post(`${begins || "/x"}x/jobs/t`), options);
      expect(beside.status).toBe(404);
      const elsewhere = await inbox.fetch(post("/elsewhere/jobs/t"), options);
      expect([elsewhere.status, await elsewhere.text()]).toEqual([404, "not found"]);
    });
  }

  test("the inbox's own path without anything below it is not the inbox's", async () => {
    const { inbox } = newInbox();
    expect((await inbox.fetch(post("/webhooks"))).status).toBe(404);
    expect((await inbox.fetch(new Request(origin))).status).toBe(404);
  });
});

for (const path of ["webhooks", "/webhooks//", "/a?b", 5, null]) {
  test(`path cannot be ${JSON.stringify(path)}`, async () => {
    const { inbox } = newInbox();
    const answering = inbox.fetch(post("/webhooks/jobs/t"), { path: path as string });
    await expect(answering).rejects.toMatchObject({ code: "OPTION_INVALID" });
  });
}

test("it may be handed on by itself, and what platforms give beside the request harms nothing", async () => {
  const { fetch } = newInbox().inbox;
  const context = { params: Promise.resolve({ rest: ["jobs", "t"] }) };
  expect((await fetch(post("/webhooks/jobs/t"), context as object)).status).toBe(200);
});

describe("bodies", () => {
  const streamOf = (...chunks: unknown[]): ReadableStream => ReadableStream.from(chunks);
  const bytes = (text: string): Uint8Array => Buffer.from(text);

  test("a stream is read chunk by chunk, and no further than the limit", async () => {
    const { inbox } = newInbox();
    const [head, tail] = [job.slice(0, 9), job.slice(9)];
    const answer = await inbox.fetch(post("/webhooks/jobs/t", streamOf(bytes(head), bytes(tail))));
    expect(answer.status).toBe(200);
    let read = 0;
    const endless = new ReadableStream(
      { pull: (controller) => (read++, controller.enqueue(new Uint8Array(100))) },
      { highWaterMark: 0 },
    );
    expect((await inbox.fetch(post("/webhooks/jobs/t", endless))).status).toBe(413);
    expect(read).toBe(11);
  });

  test("a stream that breaks, or is not of bytes, is answered 400", async () => {
    const { inbox } = newInbox();
    const broken = new ReadableStream({
      pull(controller) {
        controller.error(new Error("gone"));
      },
    });
    expect((await inbox.fetch(post("/webhooks/jobs/t", broken))).status).toBe(400);
    expect((await inbox.fetch(post("/webhooks/jobs/t", streamOf("text")))).status).toBe(400);
    expect((await inbox.list()).events).toEqual([]);
  });

  test("one that was read before is answered 500, and the log names the fix", async () => {
    const { inbox, lines } = newInbox();
    const used = post("/webhooks/jobs/t");
    await used.text();
    const locked = post("/webhooks/jobs/t");
    locked.body?.getReader();
    for (const request of [used, locked]) expect((await inbox.fetch(request)).status).toBe(500);
    expect(lines.map(({ message }) => message).join()).toMatch(/before the body parser/);
  });

  test("one that was read before is exact again in a new Request", async () => {
    const { inbox } = newInbox();
    const used = post("/webhooks/jobs/t");
    const body = await used.arrayBuffer();
    expect((await inbox.fetch(new Request(used, { method: "POST", body }))).status).toBe(200);
  });

  test("none at all is empty, and kept", async () => {
    const { inbox } = newInbox();
    expect((await inbox.fetch(post("/webhooks/jobs/t", null))).status).toBe(200);
    expect((await inbox.list()).events[0]?.reason).toBe("empty");
  });
});

test("a source without a credential needs to know that it is asked from this machine", async () => {
  const { inbox } = newInbox();
  const headers = { host: "localhost:3000" };
  const request = () => post("/webhooks/open", job, { headers });
  expect((await inbox.fetch(request())).status).toBe(401);
  expect((await inbox.fetch(request(), { remoteAddress: "10.0.0.1" })).status).toBe(401);
  expect((await inbox.fetch(request(), { remoteAddress: "::1" })).status).toBe(200);
});

describe("waitUntil", () => {
  test("gets what is due after a delivery, which is done when it resolves", async () => {
    const { inbox } = newInbox();
    let isHandled = false;
    inbox.on("jobs", "job_finished", () => void (isHandled = true));
    const kept: Promise<unknown>[] = [];
    await inbox.fetch(post("/webhooks/jobs/t"), { waitUntil: (work) => kept.push(work) });
    expect(kept).toHaveLength(1);
    expect(await kept[0]).toBe(true);
    expect(isHandled).toBe(true);
  });

  test("may throw, and be given a closed inbox: the delivery is kept, and the log says what follows", async () => {
    const { inbox, lines } = newInbox();
    const throws = {
      waitUntil: () => {
        throw new Error("outside a request");
      },
    };
    expect((await inbox.fetch(post("/webhooks/jobs/t"), throws)).status).toBe(200);
    expect(lines.map(({ message }) => message).join()).toMatch(/waitUntil threw Error/);
    const kept: Promise<unknown>[] = [];
    const bare = new Request(`${origin}/webhooks/radio/t`);
    await inbox.close();
    await inbox.fetch(bare, { waitUntil: (work) => void kept.push(work) });
    expect(await Promise.all(kept)).toEqual([false]);
  });

  test("gets nothing after a refusal", async () => {
    const { inbox } = newInbox();
    const kept: unknown[] = [];
    const waitUntil = (work: unknown): unknown => kept.push(work);
    await inbox.fetch(post("/webhooks/jobs/wrong"), { waitUntil });
    await inbox.fetch(post("/elsewhere"), { waitUntil });
    expect(kept).toEqual([]);
  });
});
