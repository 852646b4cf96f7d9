import { createInbox, WebhookInboxError, type Telemetry } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { captainData } from "@webhook-inbox/core/providers/captain-data";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { expect, test, vi } from "vitest";
import { ManualClock } from "../../../tests/support/clock.ts";
import { rememberingLogger } from "../../../tests/support/log.ts";
import { ask, serve } from "../../../tests/support/served.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";
import { wrapped } from "../../../tests/support/wrapped.ts";

test("no secret, payload, query or error message is in any log line, at any level", async () => {
  const { logger, lines } = rememberingLogger();
  const inbox = createInbox({
    store: sqlite(temporaryFile()),
    sources: {
      socialdata: socialData({ token: "canary-path-token" }),
      audata: audata({ token: "canary-query-token" }),
      "captain-data": captainData({ bearer: "canary-bearer" }),
    },
    logger,
  });
  inbox.on("socialdata", "job_finished", () => {
    throw Object.assign(new Error("canary-error-message"), { code: "canary error code" });
  });
  inbox.on("captain-data", "*", () => Promise.reject(new TypeError("canary-type-error")));
  const served = await serve(inbox);
  const body =
    '{"event":"job_finished","data":{"job_id":1,"status":"error","message":"canary-body"}}';
  await ask(served, "/webhooks/socialdata/canary-path-token", { body });
  await ask(served, "/webhooks/socialdata/canary-wrong-token", { body });
  await ask(served, "/webhooks/socialdata/canary-path-token", { body: "{canary-broken" });
  await ask(
    served,
    "/webhooks/audata?token=canary-query-token&event=Listener.updated&sender[first_name]=canary-name",
  );
  const headers = { authorization: "Bearer canary-bearer", "x-other": "canary-header" };
  await ask(served, "/webhooks/captain-data", { body: '{"job_uid":"canary-job"}', headers });
  await ask(served, "/webhooks/captain-data", {
    body,
    headers: { authorization: "Bearer canary" },
  });
  await inbox.idle();
  expect(lines.length).toBeGreaterThan(8);
  expect(JSON.stringify(lines)).not.toContain("canary");
  expect(lines.map(({ message }) => message)).toContainEqual(
    expect.stringMatching(
      /attempt 1 did not finish it, next in \d s: socialdata\/job_finished: Error at .*logs\.test\.ts:\d+/,
    ),
  );
});

test("what was refused or cannot be handled is a warning that names the cause, once a second for each", async () => {
  const { logger, lines } = rememberingLogger();
  const inbox = createInbox({
    store: sqlite(temporaryFile()),
    sources: { socialdata: socialData({ token: "t" }) },
    logger,
  });
  const served = await serve(inbox);
  const job = (more: string): string =>
    `{"event":"job_finished","data":{"job_id":1,"status":"error"${more}}}`;
  for (let n = 0; n < 5; n++) await ask(served, "/webhooks/socialdata/x", { body: job("") });
  await ask(served, "/webhooks/socialdata", { body: job("") });
  await ask(served, "/webhooks/socialdata/t", { body: "{" });
  await ask(served, "/webhooks/socialdata/t", { body: job("") });
  await ask(served, "/webhooks/socialdata/t", { body: job(',"other":1') });
  const warnings = lines.filter(({ level }) => level === "warn").map(({ message }) => message);
  expect(warnings.filter((message) => !message.includes("no handler"))).toEqual([
    "socialdata: refused 401 (token: mismatch, the secrets have matched no delivery yet: is this the one that the provider shows?)",
    "socialdata: refused 401 (token: missing)",
    expect.stringMatching(
      /^socialdata: kept in quarantine \(unparsable\): inbox\.get\("[0-9A-Z]{26}"\)$/,
    ),
    expect.stringMatching(
      /^socialdata: the id of inbox\.get\("[0-9A-Z]{26}"\) came with other content/,
    ),
  ]);
});

test("a wrong bearer beside right ones is an old one, or another's: nothing of it could be altered on its way", async () => {
  const { logger, lines } = rememberingLogger();
  const inbox = createInbox({
    store: sqlite(temporaryFile()),
    sources: { jobs: captainData({ bearer: "right" }) },
    logger,
  });
  const served = await serve(inbox);
  for (const bearer of ["right", "wrong"]) {
    await ask(served, "/webhooks/jobs", {
      body: "{",
      headers: { authorization: `Bearer ${bearer}` },
    });
  }
  expect(lines.map(({ message }) => message)).toContain(
    "jobs: refused 401 (bearer: mismatch, the secrets have matched others: an old one, or another's)",
  );
});

test("text that looks like a place, and control characters, do not reach a line", async () => {
  const { logger, lines } = rememberingLogger();
  const inbox = createInbox({
    store: sqlite(temporaryFile()),
    sources: { socialdata: socialData({ token: "t" }) },
    logger,
  });
  inbox.on("socialdata", "*", () => {
    throw new Error("x\n    at canary (\u001b[31m:1:1)\n    at canary:2:2");
  });
  const served = await serve(inbox);
  const body = JSON.stringify({ event: "a\u009b\u202e\u2028\nb", data: {} });
  await ask(served, "/webhooks/socialdata/t", { body });
  await inbox.idle();
  const text = lines.map(({ message }) => message).join("");
  expect(text).toContain("logs.test.ts");
  expect(text).toContain(String.raw`a\u009b\u202e\u2028\nb`);
  expect(text).not.toMatch(/canary|[^\x20-\x7E]/);
});

test("a logger that throws harms nobody", async () => {
  const broken = (): never => {
    throw new Error("logger");
  };
  const inbox = createInbox({
    store: sqlite(temporaryFile()),
    sources: { socialdata: socialData({ token: "t" }) },
    logger: { debug: broken, info: broken, warn: broken, error: broken },
  });
  const served = await serve(inbox);
  const body = '{"event":"job_finished","data":{"job_id":1,"status":"error"}}';
  expect((await ask(served, "/webhooks/socialdata/t", { body })).status).toBe(200);
  await inbox.idle();
});

test("the start prints each source's URL with its token masked, and what is unprotected", async () => {
  const { logger, lines } = rememberingLogger();
  vi.stubEnv("NODE_ENV", "test");
  const inbox = createInbox({
    store: sqlite(temporaryFile()),
    sources: {
      jobs: socialData({ token: "t" }),
      open: audata({ auth: "none" }),
      mine: captainData(),
    },
    path: "/",
    logger,
  });
  await inbox.start();
  expect(lines.map(({ level, message }) => `${level} ${message}`)).toEqual([
    "info jobs: POST <your host and mount point>/jobs/***",
    expect.stringMatching(/^warn open: GET or POST .*\/open takes deliveries from anybody/),
    expect.stringMatching(
      /^warn mine: POST .*\/mine\[\/created \/succeeded \/failed\] has no credential, so it answers this machine only/,
    ),
  ]);
  await inbox.close();
  vi.unstubAllEnvs();
});

test("a handler's own words carry its event and itself, as fields or before them on the console", async () => {
  const speak = async (logger?: ReturnType<typeof rememberingLogger>["logger"]): Promise<void> => {
    const inbox = createInbox({
      store: sqlite(temporaryFile()),
      sources: { socialdata: socialData({ token: "t" }) },
      ...(logger === undefined ? {} : { logger }),
    });
    inbox.on("socialdata", "job_finished", { name: "crm" }, (_, { log }) => {
      log.info({ order: 7, event: "mine" }, "with fields");
      log.warn("alone");
      log.error(new Error("boom"), "with an error");
      (log.info as (given: unknown, message: string) => void)(undefined, "with nothing");
    });
    const body = JSON.stringify({ event: "job_finished", data: { job_id: 1, status: "error" } });
    await ask(await serve(inbox), "/webhooks/socialdata/t", { body });
    await inbox.idle();
  };
  const { logger, lines } = rememberingLogger();
  await speak(logger);
  const own = lines.filter(({ fields }) => "handler" in fields);
  expect(own.map(({ level, message }) => `${level}: ${message}`)).toEqual([
    "info: with fields",
    "warn: alone",
    "error: with an error",
    "info: with nothing",
  ]);
  const event = { source: "socialdata", type: "job_finished", key: expect.any(String) as string };
  for (const { fields } of own) expect(fields).toMatchObject({ event, handler: "crm", attempt: 1 });
  expect(own[0]?.fields).toMatchObject({ order: 7 });
  expect(own[2]?.fields).toMatchObject({ err: { message: "boom" } });

  const said: string[] = [];
  const spies = (["info", "warn", "error"] as const).map((level) =>
    vi.spyOn(console, level).mockImplementation((line: string) => void said.push(line)),
  );
  await speak();
  for (const spy of spies) spy.mockRestore();
  const name = /^\[webhook-inbox\] socialdata "job_finished" \w{26} crm: /;
  const words = said.filter((line) => name.test(line)).map((line) => line.replace(name, ""));
  expect(words).toEqual([
    'with fields {"order":7,"event":"mine"}',
    "alone",
    expect.stringMatching(/^with an error Error: boom\n/),
    "with nothing",
  ]);
});

test("who looks at a delivery without masks is in the log, and what was seen is not", async () => {
  const { logger, lines } = rememberingLogger();
  const inbox = createInbox({
    store: sqlite(temporaryFile()),
    sources: { audata: audata({ token: "t" }) },
    logger,
  });
  const served = await serve(inbox);
  const body = '{"event":"Listener.updated","webhookCallId":"1","sender":{"first_name":"canary"}}';
  await ask(served, "/webhooks/audata/t", { body });
  const key = (await inbox.list()).events[0]?.key ?? "";
  const kept = await inbox.reveal(key, { by: "ada", reason: "ticket 7" });
  expect(Buffer.from(kept?.delivery?.body ?? []).toString()).toBe(body);
  expect(await inbox.reveal("no key", { by: "ada" })).toBeUndefined();
  const messages = lines.map(({ message }) => message).filter((text) => text.includes("ada"));
  expect(messages).toEqual([
    `audata "Listener.updated" ${key}: shown without masks to "ada": "ticket 7"`,
  ]);
  expect(JSON.stringify(lines)).not.toContain("canary");
  await expect(inbox.reveal(key, {} as never)).rejects.toMatchObject({ code: "SELECTION_INVALID" });
});

test("why a store cannot be opened is said once a minute, and at once where the cause is another", async () => {
  const { logger, lines } = rememberingLogger();
  const clock = new ManualClock();
  let cause = "STORE_UNAVAILABLE" as "STORE_UNAVAILABLE" | "STORE_LOSSY";
  const store = wrapped(sqlite(temporaryFile()), {
    open: () => Promise.reject(new WebhookInboxError(cause, "it is not there. Put it there.")),
  });
  const sources = { audata: audata({ token: "t" }) };
  const inbox = createInbox({ store, sources, clock, logger });
  const start = async (): Promise<number> => {
    await expect(inbox.start()).rejects.toThrow("it is not there");
    return lines.filter(({ message }) => message.includes("it is not there")).length;
  };
  expect([await start(), await start()]).toEqual([1, 1]);
  expect(lines.at(-1)?.message).toMatch(
    /^the store cannot be opened: it is not there\. Put it there\./,
  );
  cause = "STORE_LOSSY";
  expect([await start(), await start()]).toEqual([2, 2]);
  clock.advance(60_000);
  expect(await start()).toBe(3);
  await inbox.close();
});

test("a path that is none of the inbox's URLs is told once a minute for each source, without a word of it", async () => {
  const { logger, lines } = rememberingLogger();
  const sources = { audata: audata({ token: "t0ken" }) };
  const inbox = createInbox({ store: sqlite(temporaryFile()), sources, logger });
  const served = await serve(inbox);
  const answers: number[] = [];
  for (const path of [
    "canary",
    "canary",
    "audata/t0ken/canary",
    "audata/canary/",
    "audata/t0ken",
  ]) {
    answers.push((await ask(served, `/webhooks/${path}`, { method: "GET" })).status);
  }
  expect(answers).toEqual([404, 404, 404, 404, 200]);
  const told = lines.filter(({ message }) => message.includes("404"));
  expect(told.map(({ level, message }) => `${level} ${message}`)).toEqual([
    "warn answered 404: a path that names no source; the URLs of all sources were listed at the start",
    "warn audata: answered 404: a path that is none of its URLs; the URLs of all sources were listed at the start",
  ]);
  expect(JSON.stringify(lines)).not.toContain("canary");
});

test.each<[string, Pick<Telemetry, "received" | "attempted">]>([
  [
    "throws",
    {
      received: () => {
        throw new Error("no tracer");
      },
      attempted: () => {
        throw new Error("no tracer");
      },
    },
  ],
  [
    "fails at the end",
    {
      received: (_, run) => run("trace").then(() => Promise.reject(new Error("no exporter"))),
      attempted: (_, run) => run().then(() => Promise.reject(new Error("no exporter"))),
    },
  ],
  [
    "runs twice",
    {
      received: (_, run) => run("trace").then(() => run("again")),
      attempted: (_, run) => run().then(run),
    },
  ],
  [
    "runs nothing",
    {
      received: () => Promise.reject(new Error("not sampled")),
      attempted: () => Promise.reject(new Error("not sampled")),
    },
  ],
])("a telemetry that %s costs no delivery and no attempt", async (_, spans) => {
  const telemetry = { onSignal: () => expect.unreachable(), ...spans };
  const sources = { socialdata: socialData({ token: "t" }) };
  const store = sqlite(temporaryFile());
  const inbox = createInbox({ store, sources, logger: false, telemetry });
  let runs = 0;
  inbox.on("socialdata", "job_finished", () => void (runs += 1));
  const body = '{"event":"job_finished","data":{"job_id":1,"status":"error"}}';
  const answer = await ask(await serve(inbox), "/webhooks/socialdata/t", { body });
  await inbox.idle();
  expect([answer.status, runs]).toEqual([200, 1]);
  expect((await inbox.list()).events).toMatchObject([{ state: "done", duplicates: 0 }]);
  await inbox.close();
});
