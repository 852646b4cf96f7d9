/** Senders and providers that mean harm, or know no better. */

import { once } from "node:events";
import { connect as connectHttp2, createServer as createHttp2 } from "node:http2";
import { connect, type AddressInfo, type Socket } from "node:net";
import { createInbox, defineProvider, hmac, type Identification } from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { nodeHandler } from "@webhook-inbox/core/node";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { ask, listen, serve, type Served } from "../../../tests/support/served.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";

afterEach(() => vi.useRealTimers());

const store = () => memory({ acceptLoss: true });
const job = '{"event":"job_finished","data":{"job_id":1,"status":"error"}}';

/** A provider that finds what it is told to find, and signs if it has a secret. */
function oddProvider(
  identify: (body: string) => unknown,
  methods: readonly ("GET" | "POST")[] = ["POST"],
) {
  return defineProvider({
    name: "odd",
    auth: ["token", "secret"],
    signature: hmac({ algorithm: "sha256", header: "X-Signature", encoding: "hex" }),
    methods,
    segments: ["one", "two"],
    habits: { redelivers: "automatic", bodyStable: true },
    events: {},
    identify: ({ body }) => identify(Buffer.from(body).toString()) as Identification,
    parse: ({ body }) => Buffer.from(body).toString(),
  });
}

async function connected({ port }: Served): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

describe("before anything is verified", () => {
  const signed = oddProvider(() => ({ kind: "nothing" }));
  const open = () =>
    createInbox({
      store: store(),
      sources: { signed: signed({ secret: "s" }), jobs: socialData({ token: "t" }) },
      logger: false,
    });
  const head = (framing: string): string =>
    `POST /webhooks/signed HTTP/1.1\r\nHost: x\r\nX-Signature: ${"0".repeat(64)}\r\n${framing}\r\n\r\n`;

  test("a body in as many chunks as it has bytes costs no more than its bytes", async () => {
    const served = await serve(open());
    const socket = await connected(served);
    const before = process.memoryUsage().rss;
    let most = 0;
    const sampling = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 5);
    socket.write(head("Transfer-Encoding: chunked"));
    const bytes = 1_000_000;
    socket.write(`${"1\r\nx\r\n".repeat(bytes)}0\r\n\r\n`);
    const [answer] = (await once(socket, "data")) as [Buffer];
    clearInterval(sampling);
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 401 /);
    expect((most - before) / bytes).toBeLessThan(250);
  });

  for (const framing of ["Transfer-Encoding: chunked", "Content-Length: 1048576"]) {
    test(`200 connections that send a head with ${framing} and no body keep nobody out`, async () => {
      const served = await serve(open());
      const sockets = await Promise.all(Array.from({ length: 200 }, () => connected(served)));
      for (const socket of sockets) socket.write(head(framing));
      await new Promise((resolve) => setTimeout(resolve, 50));
      const answers = await Promise.all(
        Array.from({ length: 20 }, () =>
          ask(served, "/webhooks/jobs/t", { body: job, chunked: true }),
        ),
      );
      expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
    });
  }

  test("a body slower than 1 KiB a second is given up after 2 s", async () => {
    const served = await serve(open());
    const socket = await connected(served);
    socket.write(head("Content-Length: 100000"));
    const dripping = setInterval(() => socket.write("x"), 100);
    const began = performance.now();
    const [answer] = (await once(socket, "data")) as [Buffer];
    clearInterval(dripping);
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 408 /);
    // At 10 s any body is given up: this one is because of its pace.
    expect(performance.now() - began).toBeLessThan(8000);
  });

  test("what deliveries hold together is bounded: beyond it 503, and room again afterwards", async () => {
    const inbox = createInbox({
      store: store(),
      sources: { jobs: socialData({ token: "t" }) },
      limits: { inFlightBytesMax: 100_000 },
      logger: false,
    });
    const served = await serve(inbox);
    const socket = await connected(served);
    socket.write(
      `POST /webhooks/jobs/t HTTP/1.1\r\nHost: x\r\nContent-Length: 90001\r\n\r\n${"x".repeat(90_000)}`,
    );
    await vi.waitUntil(async () => {
      const { status, headers } = await ask(served, "/webhooks/jobs/t", { body: job });
      return status === 503 && headers["retry-after"] !== undefined;
    });
    socket.destroy();
    await vi.waitUntil(
      async () => (await ask(served, "/webhooks/jobs/t", { body: job })).status === 200,
    );
    // Beside another one that holds its share, each gives back its own.
    const other = await connected(served);
    other.write("POST /webhooks/jobs/t HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx");
    for (let n = 0; n < 20; n++) {
      expect((await ask(served, "/webhooks/jobs/t", { body: job })).status).toBe(200);
    }
  });

  test("300 authentic deliveries at once without an announced length are all taken", async () => {
    const inbox = open();
    const served = await serve(inbox);
    const answers = await Promise.all(
      Array.from({ length: 300 }, (_, id) =>
        ask(served, "/webhooks/jobs/t", { body: job.replace("1", String(id)), chunked: true }),
      ),
    );
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  });
});

describe("a provider of somebody else", () => {
  const found: readonly (readonly [what: string, found: () => unknown, expected: string])[] = [
    ["throws", () => JSON.parse("{"), "quarantined unidentified"],
    ["finds undefined", () => undefined, "quarantined unidentified"],
    ["finds something else", () => ({ kind: "what" }), "quarantined unidentified"],
    ["finds no list", () => ({ kind: "events" }), "quarantined unidentified"],
    [
      "finds an event without a type",
      () => ({ kind: "events", events: [{ id: "1" }] }),
      "quarantined unidentified",
    ],
    ["answers later", () => Promise.resolve({ kind: "nothing" }), "quarantined unidentified"],
    [
      "finds a number as id",
      () => ({ kind: "events", events: [{ id: 12, type: "t" }] }),
      "pending 12",
    ],
    [
      "finds null as id",
      () => ({ kind: "events", events: [{ id: null, type: "t" }] }),
      "pending sha256",
    ],
    [
      "finds no text as id",
      () => ({ kind: "events", events: [{ id: "", type: "t" }] }),
      "pending sha256",
    ],
    [
      "finds a time in nanoseconds",
      () => ({ kind: "events", events: [{ id: "1", type: "t", occurredAt: 1.69e18 }] }),
      "pending 1",
    ],
    [
      "finds a time of no number",
      () => ({ kind: "events", events: [{ id: "1", type: "t", occurredAt: Number.NaN }] }),
      "pending 1",
    ],
    [
      "finds a time between milliseconds",
      () => ({ kind: "events", events: [{ id: "1", type: "t", occurredAt: 1.5 }] }),
      "pending 1",
    ],
  ];
  for (const [what, identify, expected] of found) {
    test(`that ${what} refuses nothing: 200 and ${expected}`, async () => {
      const odd = oddProvider(identify);
      const inbox = createInbox({
        store: sqlite(temporaryFile()),
        sources: { odd: odd({ token: "t" }) },
        work: false,
        logger: false,
      });
      const served = await serve(inbox);
      expect((await ask(served, "/webhooks/odd/t", { body: "{" })).status).toBe(200);
      const [event] = (await inbox.list()).events;
      expect(`${event?.state} ${event?.reason ?? event?.id}`).toContain(expected);
    });
  }

  test("that finds an empty list keeps nothing", async () => {
    const odd = oddProvider(() => ({ kind: "events", events: [] }));
    const inbox = createInbox({
      store: store(),
      sources: { odd: odd({ token: "t" }) },
      logger: false,
    });
    const served = await serve(inbox);
    expect((await ask(served, "/webhooks/odd/t", { body: "[]" })).status).toBe(200);
    expect((await inbox.list()).events).toEqual([]);
  });

  test("whose events have no id: other types, segments and places in a batch are other events", async () => {
    const odd = oddProvider((body) => ({
      kind: "events",
      events: body.split(",").map((type) => ({ id: undefined, type })),
    }));
    const inbox = createInbox({
      store: store(),
      sources: { odd: odd({ token: "t" }) },
      work: false,
      logger: false,
    });
    const served = await serve(inbox);
    for (const path of ["/webhooks/odd/t/one", "/webhooks/odd/t/two", "/webhooks/odd/t/two"]) {
      await ask(served, path, { body: "a,a,b" });
    }
    const { events } = await inbox.list();
    expect(events.map(({ duplicates }) => duplicates)).toEqual([1, 1, 1, 0, 0, 0]);
  });

  test("whose `content` throws on what was sent: 401", async () => {
    const provider = defineProvider({
      name: "brittle",
      auth: ["secret"],
      signature: hmac({
        algorithm: "sha256",
        header: "x-signature",
        encoding: "hex",
        content: ({ body }) => [JSON.parse(Buffer.from(body).toString()) as string],
      }),
      methods: ["POST"],
      habits: { redelivers: "automatic", bodyStable: true },
      events: {},
      identify: () => ({ kind: "nothing" }),
      parse: () => undefined,
    });
    const inbox = createInbox({
      store: store(),
      sources: { p: provider({ secret: "s" }) },
      logger: false,
    });
    const served = await serve(inbox);
    const headers = { "x-signature": "0".repeat(64) };
    expect((await ask(served, "/webhooks/p", { body: "{", headers })).status).toBe(401);
  });
});

describe("around the door", () => {
  test("HTTP/2 is served alike, and its pseudo headers, which hold the path, are not stored", async () => {
    const inbox = createInbox({
      store: store(),
      sources: { jobs: socialData({ token: "a-long-token" }) },
      work: false,
      logger: false,
    });
    const handler = nodeHandler(inbox);
    // Types of the two protocols differ in what no handler uses.
    const server = createHttp2(handler as unknown as Parameters<typeof createHttp2>[1]).listen(
      0,
      "127.0.0.1",
    );
    await once(server, "listening");
    const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    onTestFinished(async () => {
      session.destroy();
      server.close();
      await inbox.close();
    });
    const post = async (path: string): Promise<unknown> => {
      const stream = session.request({ ":method": "POST", ":path": path });
      stream.end(job);
      const [headers] = (await once(stream, "response")) as [{ ":status": number }];
      stream.resume();
      return headers[":status"];
    };
    expect(await post("/webhooks/jobs/a-long-token")).toBe(200);
    expect(await post("/webhooks/jobs/wrong")).toBe(401);
    const { events } = await inbox.list();
    expect(events).toMatchObject([{ id: "job:1:error" }]);
    const kept = await inbox.get(events[0]?.key ?? "");
    expect(JSON.stringify(kept?.delivery)).not.toMatch(/a-long-token|":path"/);
  });

  test("a response that others have broken ends the connection, not the process", async () => {
    const inbox = createInbox({
      store: store(),
      sources: { jobs: socialData({ token: "t" }) },
      logger: false,
    });
    onTestFinished(() => inbox.close());
    const handler = nodeHandler(inbox);
    const served = await listen((req, res) => {
      res.writeHead = () => {
        throw new Error("broken");
      };
      handler(req, res);
    });
    const socket = await connected(served);
    socket.write("GET /webhooks/nobody HTTP/1.1\r\nHost: x\r\n\r\n");
    await once(socket, "close");
  });

  test("a store that throws at once when it is opened is tried again", async () => {
    const inner = store();
    let opened = 0;
    const flaky = Object.assign(inner, {
      open: () => {
        opened += 1;
        if (opened === 1) throw new Error("not yet");
        return Promise.resolve();
      },
    });
    const inbox = createInbox({
      store: flaky,
      sources: { jobs: socialData({ token: "t" }) },
      logger: false,
    });
    const served = await serve(inbox);
    await vi.waitUntil(
      async () => (await ask(served, "/webhooks/jobs/t", { body: job })).status === 200,
    );
    expect(opened).toBe(2);
  });
});

test("the machine's clock keeps delays of any length", async () => {
  vi.useFakeTimers();
  // It keeps the timers that it finds when it is loaded.
  vi.resetModules();
  const { systemClock } = await import("@webhook-inbox/core");
  const rang: number[] = [];
  const hour = 3_600_000;
  systemClock.after(2.5 * hour, () => rang.push(2.5));
  systemClock.after(40 * 24 * hour, () => rang.push(960));
  systemClock.after(3 * hour, () => rang.push(3))();
  vi.advanceTimersByTime(2.5 * hour - 1);
  expect(rang).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(rang).toEqual([2.5]);
  vi.advanceTimersByTime(40 * 24 * hour);
  expect(rang).toEqual([2.5, 960]);
});
