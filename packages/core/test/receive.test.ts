import { createInbox } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { captainData } from "@webhook-inbox/core/providers/captain-data";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, onTestFinished, test } from "vitest";
import { ManualClock } from "../../../tests/support/clock.ts";
import { ask, raw, serve } from "../../../tests/support/served.ts";
import { fragile } from "../../../tests/support/spill-desk.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";

const job = (id: number | string, more: object = {}): string =>
  JSON.stringify({
    event: "job_finished",
    data: { job_id: id, status: "success", result: { datafile_url: "https://x.test/f" }, ...more },
  });

function newInbox() {
  return createInbox({
    store: sqlite(temporaryFile()),
    sources: {
      socialdata: socialData({ token: ["t0ken", "old"] }),
      audata: audata({ token: "audata-token" }),
      "captain-data": captainData({ bearer: "s3cret", headers: { "X-Team": "blue" } }),
      open: socialData({ auth: "none" }),
    },
    logger: false,
  });
}

const captain = { authorization: "Bearer s3cret", "x-team": "blue" };

/** Everything stored, as `state reason` or `state`. */
async function states(inbox: ReturnType<typeof newInbox>): Promise<readonly string[]> {
  const { events } = await inbox.list();
  return events.map(({ state, reason }) => (reason === undefined ? state : `${state} ${reason}`));
}

describe("custody", () => {
  test("the answer is 200 and ok, with nothing to cache or sniff", async () => {
    const served = await serve(newInbox());
    const { status, body, headers } = await ask(served, "/webhooks/socialdata/t0ken", {
      body: job(1),
    });
    expect([status, body]).toEqual([200, "ok"]);
    expect(headers).toMatchObject({
      "content-type": "text/plain",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "content-length": "2",
    });
  });

  test("an event is stored when the 200 arrives, whatever its handler does later", async () => {
    const inbox = newInbox();
    let finish: () => void = () => undefined;
    const working = new Promise<void>((resolve) => (finish = resolve));
    inbox.on("socialdata", "job_finished", () => working);
    const served = await serve(inbox);
    expect((await ask(served, "/webhooks/socialdata/t0ken", { body: job(1) })).status).toBe(200);
    const { events } = await inbox.list();
    expect(events).toMatchObject([{ id: "job:1:success", state: "running", attempts: 1 }]);
    finish();
    await inbox.idle();
    expect(await states(inbox)).toEqual(["done"]);
  });

  test("64 identical deliveries at once are one event, handled once, and 64 times 200", async () => {
    const inbox = newInbox();
    let handled = 0;
    inbox.on("socialdata", "job_finished", () => (handled += 1));
    const served = await serve(inbox);
    const answers = await Promise.all(
      Array.from({ length: 64 }, () => ask(served, "/webhooks/socialdata/t0ken", { body: job(7) })),
    );
    await inbox.idle();
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 64 }, () => 200));
    const { events } = await inbox.list();
    expect(events).toMatchObject([{ id: "job:7:success", state: "done", duplicates: 63 }]);
    expect(handled).toBe(1);
  });

  test("the same id with other content is kept as a conflict; the first is handled", async () => {
    const inbox = newInbox();
    inbox.on("socialdata", "job_finished", () => undefined);
    const served = await serve(inbox);
    const bodies = [job(1), job(1, { extra: true })];
    const answers = await Promise.all(
      bodies.map((body) => ask(served, "/webhooks/socialdata/t0ken", { body })),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    await inbox.idle();
    expect((await states(inbox)).toSorted()).toEqual(["done", "quarantined conflict"]);
  });

  test("what is stored is the exact request, without its credentials", async () => {
    const inbox = newInbox();
    const served = await serve(inbox);
    const body = new Uint8Array([0xef, 0xbb, 0xbf, ...Buffer.from('{"job_uid":"é😀"}')]);
    await ask(served, "/webhooks/captain-data/created?x=%20", {
      body,
      headers: { ...captain, "X-Other": ["1", "2"], cookie: "session=1" },
    });
    await ask(served, "/webhooks/socialdata/t0ken", { body: job(1) });
    await ask(served, "/webhooks/audata?token=audata-token&event=Listener.updated&webhookCallId=1");
    await inbox.idle();
    const { events } = await inbox.list();
    const kept = await Promise.all(events.map(({ key }) => inbox.get(key)));
    const [query, token, header] = kept.map((one) => one?.delivery);
    expect(query?.target).toBe("/webhooks/audata?token=***&event=Listener.updated&webhookCallId=1");
    expect(token?.target).toBe("/webhooks/socialdata/***");
    expect(token?.verifiedWith).toBe("token#1");
    expect(header?.target).toBe("/webhooks/captain-data/created?x=%20");
    expect(header?.verifiedWith).toBe("bearer#1 header x-team#1");
    expect(Buffer.from(header?.body ?? [])).toEqual(Buffer.from(body));
    const lines = header?.headers.join("\n");
    expect(lines).toContain("authorization\n***");
    expect(lines).toContain("x-team\n***");
    expect(lines).toContain("cookie\n***");
    expect(lines).toContain("X-Other\n1\nX-Other\n2");
    expect(JSON.stringify(kept)).not.toMatch(/t0ken|audata-token|s3cret|blue|session/);
  });

  test("a token stands nowhere in what is stored, however often it was sent", async () => {
    const inbox = newInbox();
    const served = await serve(inbox);
    const headers = {
      "x-original-url": "/webhooks/audata/audata-token",
      referer: "https://x.test/audata-token",
    };
    const query = "event=Listener.updated&webhookCallId=";
    await ask(served, `/webhooks/audata/audata-token?token=audata-token&${query}1`, { headers });
    await ask(served, `/webhooks/audata?${query}2&x=audata-token&token=audata-token`, { headers });
    const { events } = await inbox.list();
    expect(events).toHaveLength(2);
    const kept = await Promise.all(events.map(({ key }) => inbox.get(key)));
    expect(JSON.stringify(kept)).not.toContain("audata-token");
    const twice = await ask(
      served,
      `/webhooks/audata?token=audata-token&token=audata-token&${query}3`,
    );
    expect(twice.status).toBe(401);
  });

  test("a POST is the same event whatever is appended to its URL", async () => {
    const inbox = newInbox();
    const served = await serve(inbox);
    for (const query of ["", "?n=1", "?n=2"]) {
      await ask(served, `/webhooks/socialdata/t0ken${query}`, { body: '{"event":"other"}' });
      await ask(served, `/webhooks/socialdata/t0ken${query}`, { body: job(1) });
    }
    const { events } = await inbox.list();
    expect(events.map(({ duplicates }) => duplicates)).toEqual([2, 2]);
  });

  test("a store that cannot be opened is answered 503 with Retry-After, and serves when it can", async () => {
    const file = temporaryFile();
    const inbox = createInbox({
      store: sqlite(`${file}.d/inbox.sqlite`),
      sources: { socialdata: socialData({ token: "t0ken" }) },
      logger: false,
    });
    const served = await serve(inbox);
    const refused = await ask(served, "/webhooks/socialdata/t0ken", { body: job(1) });
    expect(refused.status).toBe(503);
    expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
    await import("node:fs/promises").then(({ mkdir }) => mkdir(`${file}.d`));
    expect((await ask(served, "/webhooks/socialdata/t0ken", { body: job(1) })).status).toBe(200);
  });

  test("whoever writes meanwhile turns readiness off, though the store answers to reading", async () => {
    const file = temporaryFile();
    const sources = { socialdata: socialData({ token: "t0ken" }) };
    const inbox = createInbox({ store: sqlite(file), sources, logger: false });
    const served = await serve(inbox);
    await inbox.start();
    const found = async (): Promise<object> => ({
      ready: inbox.isReady,
      ...(await inbox.health()),
    });
    expect(await found()).toMatchObject({ ready: true, isReady: true, isStoreThere: true });
    const other = new DatabaseSync(file);
    onTestFinished(() => other.close());
    other.exec("BEGIN IMMEDIATE");
    expect((await ask(served, "/webhooks/socialdata/t0ken", { body: job(1) })).status).toBe(503);
    expect(await inbox.list()).toEqual({ events: [] });
    expect(await found()).toMatchObject({ ready: false, isReady: false, isStoreThere: false });
    other.exec("ROLLBACK");
    expect((await ask(served, "/webhooks/socialdata/t0ken", { body: job(1) })).status).toBe(200);
    expect(await found()).toMatchObject({ ready: true, isReady: true, isStoreThere: true });
  });

  test("a failure counts for ten seconds, since a balancer that looks away would see no other", async () => {
    const clock = new ManualClock();
    const { store, become } = fragile(sqlite(temporaryFile()));
    const sources = { socialdata: socialData({ token: "t0ken" }) };
    const inbox = createInbox({ store, sources, clock, logger: false });
    const served = await serve(inbox);
    await inbox.start();
    become("away");
    expect((await ask(served, "/webhooks/socialdata/t0ken", { body: job(1) })).status).toBe(503);
    become("there");
    clock.advance(9_999);
    expect(inbox.isReady).toBe(false);
    clock.advance(1);
    expect(inbox.isReady).toBe(true);
  });

  test("while handlers end after close(), deliveries are still kept", async () => {
    const file = temporaryFile();
    const sources = { socialdata: socialData({ token: "t0ken" }) };
    const inbox = createInbox({ store: sqlite(file), sources, logger: false });
    let finish: () => void = () => undefined;
    inbox.on(
      "socialdata",
      "job_finished",
      () => new Promise<void>((resolve) => (finish = resolve)),
    );
    const served = await serve(inbox);
    await ask(served, "/webhooks/socialdata/t0ken", { body: job(1) });
    await new Promise((resolve) => setImmediate(resolve));
    const closing = inbox.close();
    expect((await ask(served, "/webhooks/socialdata/t0ken", { body: job(2) })).status).toBe(200);
    finish();
    await closing;
    expect((await ask(served, "/webhooks/socialdata/t0ken", { body: job(3) })).status).toBe(503);
    const after = createInbox({ store: sqlite(file), sources, work: false, logger: false });
    expect((await after.list()).events.map(({ id }) => id)).toEqual([
      "job:2:success",
      "job:1:success",
    ]);
    await after.close();
  });

  test("looking at the inbox starts no work, and handlers may still be registered", async () => {
    const file = temporaryFile();
    const sources = { socialdata: socialData({ token: "t0ken" }) };
    const receiver = createInbox({ store: sqlite(file), sources, work: false, logger: false });
    await ask(await serve(receiver), "/webhooks/socialdata/t0ken", { body: job(1) });
    await receiver.close();
    const inbox = createInbox({ store: sqlite(file), sources, logger: false });
    const { events } = await inbox.list();
    await inbox.get(events[0]?.key ?? "");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await inbox.list()).events).toMatchObject([{ state: "pending", attempts: 0 }]);
    inbox.on("socialdata", "job_finished", () => undefined);
    await inbox.idle();
    expect((await inbox.list()).events).toMatchObject([{ state: "done" }]);
    await inbox.close();
  });

  test("after close it is answered 503, and close may be called twice", async () => {
    const inbox = newInbox();
    const served = await serve(inbox);
    await inbox.close();
    await inbox.close();
    expect((await ask(served, "/webhooks/socialdata/t0ken", { body: job(1) })).status).toBe(503);
  });
});

describe("what is authentic is never refused for its content", () => {
  const bodies: readonly (readonly [what: string, body: string | Uint8Array, state: string])[] = [
    ["broken JSON", '{"event":', "quarantined unparsable"],
    ["invalid UTF-8", new Uint8Array([0x7b, 0xff, 0x7d]), "quarantined unparsable"],
    ["no bytes", "", "quarantined empty"],
    ["a number", "1", "quarantined unidentified"],
    ["null", "null", "quarantined unidentified"],
    ["a list", "[]", "quarantined unidentified"],
    ["no event", '{"data":{}}', "quarantined unidentified"],
    ["no data", '{"event":"job_finished"}', "quarantined unidentified"],
    [
      "data of another shape",
      '{"event":"job_finished","data":{"job_id":1,"status":"lost"}}',
      "quarantined invalid",
    ],
    ["an unknown event", '{"event":"job_started","data":{}}', "unhandled"],
    [
      "deep nesting",
      `{"event":"x","data":${"[".repeat(100_000)}${"]".repeat(100_000)}}`,
      "unhandled",
    ],
    ["names of the prototype", '{"event":"__proto__","__proto__":{"x":1}}', "unhandled"],
  ];

  for (const [what, body, state] of bodies) {
    test(`${what}: 200 and ${state}`, async () => {
      const inbox = newInbox();
      inbox.on("socialdata", "job_finished", () => undefined);
      const served = await serve(inbox);
      const { status } = await ask(served, "/webhooks/socialdata/t0ken", { body });
      await inbox.idle();
      expect([status, ...(await states(inbox))]).toEqual([200, state]);
      expect(({} as { x?: number }).x).toBeUndefined();
    });
  }

  test("a compressed body is kept as it came", async () => {
    const inbox = newInbox();
    const served = await serve(inbox);
    const { status } = await ask(served, "/webhooks/socialdata/t0ken", {
      body: new Uint8Array([0x1f, 0x8b, 8]),
      headers: { "content-encoding": "gzip" },
    });
    expect([status, ...(await states(inbox))]).toEqual([200, "quarantined coding"]);
  });

  test("any content type will do", async () => {
    const inbox = newInbox();
    const served = await serve(inbox);
    for (const [index, type] of ["text/plain", "image/png", " application/json;x"].entries()) {
      const headers = { "content-type": type };
      const answer = await ask(served, "/webhooks/socialdata/t0ken", { body: job(index), headers });
      expect(answer.status).toBe(200);
    }
    expect((await inbox.list()).events).toHaveLength(3);
  });

  test("without any credential the same content is answered 400 and not kept", async () => {
    const inbox = newInbox();
    const served = await serve(inbox);
    for (const body of ['{"event":', "", "1", "{}"]) {
      expect(await ask(served, "/webhooks/open", { body })).toMatchObject({
        status: 400,
        body: "bad request",
      });
    }
    expect((await ask(served, "/webhooks/open", { body: job(1) })).status).toBe(200);
    expect((await inbox.list()).events).toHaveLength(1);
  });
});

describe("refusals", () => {
  async function refusedAll(
    requests: readonly (readonly [path: string, Parameters<typeof ask>[2]])[],
    expected: object,
  ): Promise<void> {
    const inbox = newInbox();
    const served = await serve(inbox);
    for (const [path, more] of requests) {
      expect(await ask(served, path, more), path).toMatchObject(expected);
    }
    expect((await inbox.list()).events).toEqual([]);
  }
  const body = job(1);

  test("a credential that is missing, wrong or in the wrong place: one 401 for all", async () => {
    const path = "/webhooks/captain-data";
    await refusedAll(
      [
        ["/webhooks/socialdata", { body }],
        ["/webhooks/socialdata/", { body }],
        ["/webhooks/socialdata/t0ke", { body }],
        ["/webhooks/socialdata/t0ken%20", { body }],
        ["/webhooks/socialdata/%740ken", { body }],
        ["/webhooks/socialdata?token=t0ken", { body }],
        [`/webhooks/socialdata/${"x".repeat(10_000)}`, { body }],
        ["/webhooks/audata?token=wrong&event=x", {}],
        ["/webhooks/audata?event=x", {}],
        [path, { body }],
        [path, { body, headers: { authorization: "Bearer s3cret" } }],
        [path, { body, headers: { "x-team": "blue" } }],
        [path, { body, headers: { ...captain, authorization: "Bearer s3cre" } }],
        [path, { body, headers: { ...captain, authorization: "Bearer  s3cret" } }],
        [path, { body, headers: { ...captain, authorization: "Basic s3cret" } }],
        [path, { body, headers: { ...captain, authorization: "s3cret" } }],
        [path, { body, headers: { ...captain, "x-team": "Blue", connection: "keep-alive" } }],
      ],
      { status: 401, body: "unauthorized", headers: { connection: "close" } },
    );
  });

  test("the scheme of a bearer token may be in any case, and an old secret still counts", async () => {
    const served = await serve(newInbox());
    const headers = { ...captain, authorization: "bEARER s3cret" };
    const uid = '{"job_uid":"1"}';
    expect((await ask(served, "/webhooks/captain-data", { body: uid, headers })).status).toBe(200);
    expect((await ask(served, "/webhooks/socialdata/old", { body })).status).toBe(200);
  });

  test("a path that is not exactly a source's: 404", async () => {
    await refusedAll(
      [
        ["/webhooks/", { body }],
        ["/webhooks/nobody", { body }],
        ["/webhooks/SocialData/t0ken", { body }],
        ["/webhooks/socialdata/t0ken/", { body }],
        ["/webhooks/socialdata/t0ken/more", { body }],
        ["/webhooks/socialdata;x/t0ken", { body }],
        ["/webhooks/%73ocialdata/t0ken", { body }],
        ["/webhooks/../webhooks/socialdata/t0ken", { body }],
        ["/webhooks//socialdata/t0ken", { body }],
        ["/webhooks/captain-data/finished", { body, headers: captain }],
        ["//webhooks/socialdata/t0ken", { body }],
        ["/elsewhere", { body }],
      ],
      { status: 404, body: "not found" },
    );
  });

  test("a method that the provider does not send: 405 with Allow", async () => {
    const path = "/webhooks/socialdata/t0ken";
    const methods = ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"];
    await refusedAll(
      methods.map((method) => [path, { method }]),
      { status: 405, headers: { allow: "POST" } },
    );
  });

  test("a HEAD or a prefetch of a GET source stores nothing: 405 with Allow", async () => {
    const path = "/webhooks/audata/audata-token?event=Listener.updated&webhookCallId=1";
    await refusedAll(
      [
        [path, { method: "HEAD" }],
        [path, { headers: { purpose: "prefetch" } }],
        [path, { headers: { "sec-purpose": "prefetch;prerender" } }],
      ],
      { status: 405, headers: { allow: "GET, POST" } },
    );
  });

  test("a bare GET with the right token is a health check: 200, nothing stored", async () => {
    await refusedAll(
      [
        ["/webhooks/audata/audata-token", {}],
        ["/webhooks/audata/audata-token?", {}],
        ["/webhooks/audata?token=audata-token", {}],
        ["/webhooks/audata/audata-token?utm_source=mail&event=", {}],
      ],
      { status: 200, body: "ok" },
    );
  });

  test("a credential or framing header that repeats: 400", async () => {
    const repeated = { ...captain, authorization: ["Bearer s3cret", "Bearer other"] };
    await refusedAll(
      [
        ["/webhooks/captain-data", { body, headers: repeated }],
        ["/webhooks/captain-data", { body, headers: { ...captain, "x-team": ["blue", "red"] } }],
      ],
      { status: 400 },
    );
  });

  test("two hosts: 400", async () => {
    const served = await serve(newInbox());
    const seen = await raw(
      served,
      `POST /webhooks/socialdata/t0ken HTTP/1.1\r\nHost: x\r\nHost: y\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    expect(seen).toMatch(/^HTTP\/1\.1 400 /);
  });

  test("a refused sender that keeps sending still reads why", async () => {
    const served = await serve(newInbox());
    const long = new Uint8Array(60_000);
    for (let n = 0; n < 20; n++) {
      const answer = await ask(served, "/webhooks/socialdata/wrong", { body: long });
      expect(answer.status).toBe(401);
    }
  });

  test("more than 100 header lines: 431", async () => {
    const headers = Object.fromEntries(Array.from({ length: 120 }, (_, n) => [`x-${n}`, "1"]));
    await refusedAll([["/webhooks/socialdata/t0ken", { body, headers }]], { status: 431 });
  });

  test("a transfer coding that is not chunked: 501", async () => {
    const served = await serve(newInbox());
    const seen = await raw(
      served,
      "POST /webhooks/socialdata/t0ken HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    );
    expect(seen).toMatch(/^HTTP\/1\.1 501 /);
  });
});
