/** Expected webhooks: those that do not come are fetched from the provider's API, and are one with those that do. */

import {
  createInbox,
  type Poll,
  type Polled,
  type Signal,
  type WebhookEvent,
} from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { captainData } from "@webhook-inbox/core/providers/captain-data";
import { generic } from "@webhook-inbox/core/providers/generic";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { simulate } from "@webhook-inbox/testing/simulate";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { ManualClock } from "../../../tests/support/clock.ts";
import { rememberingLogger } from "../../../tests/support/log.ts";
import { serve } from "../../../tests/support/served.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";

const minute = 60_000;

interface DeskOptions {
  readonly fetch?: typeof globalThis.fetch;
  /** No provider knows where to send. */
  readonly isSilent?: boolean;
}

async function desk(more: DeskOptions = {}) {
  const jobs = await simulate.socialData();
  const runs = await simulate.captainData();
  onTestFinished(async () => {
    await jobs.close();
    await runs.close();
  });
  const asked: string[] = [];
  const clock = new ManualClock();
  const signals: Signal[] = [];
  const handled: WebhookEvent[] = [];
  const file = temporaryFile();
  const log = rememberingLogger();
  const make = () => {
    const inbox = createInbox({
      store: sqlite(file),
      sources: {
        socialdata: socialData({ token: "t", api: { apiKey: "test-key", baseUrl: jobs.url } }),
        "captain-data": captainData({
          token: "t",
          api: { apiKey: "test-key", projectUid: "test-project", baseUrl: `${runs.url}/v3` },
        }),
        audata: audata({ token: "t" }),
      },
      fetch: async (input, init) => {
        asked.push(new URL(new Request(input).url).pathname);
        return await (more.fetch ?? fetch)(input, init);
      },
      logger: log.logger,
      onSignal: (signal) => void signals.push(signal),
      clock,
    });
    inbox.on("socialdata", "*", (event) => void handled.push(event));
    inbox.on("captain-data", "*", (event) => void handled.push(event));
    return inbox;
  };
  const inbox = make();
  const { url } = await serve(inbox);
  const isSilent = more.isSilent === true;
  jobs.saveSettings({ webhookUrl: isSilent ? null : `${url}/webhooks/socialdata/t` });
  for (const event of isSilent ? [] : (["succeeded", "failed"] as const)) {
    runs.addWebhook({ event, url: `${url}/webhooks/captain-data/t/${event}` });
  }
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    await inbox.idle();
  };
  const kept = async () => {
    const { events } = await inbox.list();
    return events.map(({ id, state, reason }) => [id, state, reason].filter(Boolean).join(" "));
  };
  return {
    inbox,
    url,
    make,
    jobs,
    runs,
    asked,
    handled,
    signals,
    pass,
    kept,
    clock,
    lines: log.lines,
  };
}

describe("a webhook that comes in time", () => {
  test("is handled once, and nobody is asked", async () => {
    const { inbox, jobs, asked, handled, pass, kept } = await desk();
    const job = jobs.startJob();
    await inbox.expect("socialdata", job, { withinMs: minute });
    await jobs.finishJob(job, { status: "success" });
    await pass(2 * minute);
    expect(asked).toEqual([]);
    expect(handled.map(({ id }) => id)).toEqual([`job:${job}:success`]);
    expect(await kept()).toEqual([`job:${job}:success done`, `${job} done`]);
  });

  test("also when it came before it was expected", async () => {
    const { inbox, jobs, asked, handled, pass } = await desk();
    const job = jobs.startJob();
    await jobs.finishJob(job, { status: "error" });
    await inbox.expect("socialdata", job, { withinMs: 0 });
    await pass(minute);
    expect(asked).toEqual([]);
    expect(handled).toHaveLength(1);
  });
});

describe("a webhook that does not come", () => {
  test("SocialData's is fetched, and handled as the same event with the same data", async () => {
    const plain = await desk();
    const first = plain.jobs.startJob();
    await plain.jobs.finishJob(first, { status: "success" });
    await plain.pass(0);

    const { inbox, jobs, asked, handled, pass, signals, lines } = await desk({ isSilent: true });
    const job = jobs.startJob();
    await inbox.expect("socialdata", job, { withinMs: minute });
    await pass(30_000);
    await jobs.finishJob(job, { status: "success" });
    await pass(20_000);
    expect(asked).toEqual([]);
    await pass(10_000);
    expect(asked).toEqual([`/jobs/${job}`]);
    const told = ({ id, type, data }: WebhookEvent) => ({ id, type, data });
    expect(handled.map(told)).toEqual(plain.handled.map(told));
    expect(handled[0]?.notes).toEqual(["fetched"]);
    expect(signals.filter(({ kind }) => kind === "fetched")).toHaveLength(1);
    expect(lines.map(({ message }) => message).join()).toContain("fetched from the provider");
  });

  test.each([
    ["succeeded", [{ input: {} }, { input: {}, error: "404" }], null],
    ["failed", [{ input: {}, error: "time-out" }], "time-out"],
  ] as const)("Captain Data's %s is fetched", async (event, inputs, error) => {
    const { inbox, runs, handled, pass, asked } = await desk({ isSilent: true });
    const job = await runs.startJob({ workflowName: "W", jobName: "J" });
    await inbox.expect("captain-data", job, { withinMs: minute });
    await pass(minute);
    expect(handled).toEqual([]);
    await runs.finishJob(job, inputs);
    await pass(minute);
    expect(asked).toEqual([`/v3/jobs/${job}`, `/v3/jobs/${job}`]);
    expect(handled).toMatchObject([
      {
        id: `${job}:${event}`,
        type: `job.${event}`,
        data: { job_uid: job, workflow_name: "W", job_name: "J", error },
        notes: ["fetched"],
      },
    ]);
  });

  test("of a job that has not ended is asked for again, ever more rarely, until it has", async () => {
    const { inbox, jobs, asked, handled, pass, kept } = await desk({ isSilent: true });
    const job = jobs.startJob();
    await inbox.expect("socialdata", job, { withinMs: minute });
    await pass(minute);
    expect(asked).toHaveLength(1);
    await pass(29_000);
    expect(asked).toHaveLength(1);
    await pass(1000);
    expect(asked).toHaveLength(2);
    jobs.processJob(job);
    for (let hours = 0; hours < 24; hours++) await pass(60 * minute);
    expect(asked.length).toBeGreaterThan(20);
    expect(asked.length).toBeLessThan(60);
    expect(await kept()).toEqual([`${job} pending`]);
    await jobs.finishJob(job, { status: "error", message: "Insufficient balance" });
    await pass(60 * minute);
    expect(handled.map(({ data }) => data)).toEqual([
      { job_id: job, status: "error", message: "Insufficient balance" },
    ]);
  });

  test("and comes after all, is a duplicate and no conflict", async () => {
    const { inbox, jobs, handled, pass, kept, url } = await desk({ isSilent: true });
    const job = jobs.startJob();
    await inbox.expect("socialdata", job, { withinMs: 0 });
    await jobs.finishJob(job, { status: "success" });
    await pass(0);
    expect(handled).toHaveLength(1);
    const body = JSON.stringify({
      data: {
        result: { datafile_url: "https://s3.amazonaws.com/..." },
        job_id: job,
        status: "success",
      },
      event: "job_finished",
    });
    expect((await fetch(`${url}/webhooks/socialdata/t`, { method: "POST", body })).status).toBe(
      200,
    );
    await pass(minute);
    expect(handled).toHaveLength(1);
    expect((await kept()).filter((one) => one.includes("conflict"))).toEqual([]);
    const [event] = (await inbox.list({ type: "job_finished" })).events;
    expect(event?.duplicates).toBe(1);
  });

  test("and comes while the provider is being asked, is handled once", async () => {
    let arrive: () => Promise<unknown> = async () => undefined;
    const { inbox, jobs, handled, pass, url } = await desk({
      isSilent: true,
      fetch: async (input, init) => {
        const answer = await fetch(input, init);
        await arrive();
        return answer;
      },
    });
    const job = jobs.startJob();
    await jobs.finishJob(job, { status: "success" });
    const body = JSON.stringify({
      event: "job_finished",
      data: {
        job_id: job,
        status: "success",
        result: { datafile_url: "https://s3.amazonaws.com/..." },
      },
    });
    arrive = () => fetch(`${url}/webhooks/socialdata/t`, { method: "POST", body });
    await inbox.expect("socialdata", job, { withinMs: 0 });
    await pass(0);
    expect(handled).toHaveLength(1);
  });
});

describe("a provider that does not say", () => {
  test("is asked again by the schedule of retries, after what it asks for, and in the end the expectation is dead", async () => {
    let status = 500;
    const { inbox, asked, pass, kept } = await desk({
      fetch: async () => new Response("", { status, headers: { "retry-after": "120" } }),
    });
    await inbox.expect("socialdata", 7, { withinMs: 0 });
    await pass(0);
    expect(asked).toHaveLength(1);
    await pass(119_000);
    expect(asked).toHaveLength(1);
    status = 429;
    await pass(2000);
    expect(asked).toHaveLength(2);
    for (let hours = 0; hours < 100; hours++) await pass(60 * minute);
    expect(asked).toHaveLength(12);
    expect(await kept()).toEqual(["7 dead exhausted"]);
  });

  test.each([
    ["has no such job", 404],
    ["is another user's", 403],
  ])("because the job %s ends the expectation at once, with the reason", async (_, status) => {
    const { inbox, asked, pass } = await desk({ fetch: async () => new Response("", { status }) });
    const key = await inbox.expect("socialdata", 7, { withinMs: 0 });
    await pass(0);
    await pass(60 * minute);
    expect(asked).toHaveLength(1);
    expect((await inbox.get(key))?.event).toMatchObject({
      state: "dead",
      reason: "fatal",
      history: [{ failures: [{ handler: "(poll)", name: "Unfulfilled" }] }],
    });
  });

  test("what hangs, answers no JSON, or too much of it, or redirects harms nobody", async () => {
    const answers = [
      async () => await Promise.reject(new TypeError("fetch failed")),
      async () => new Response("<html>"),
      async () => new Response("x".repeat(2_000_000)),
      async () => Response.redirect("https://elsewhere.example.com/"),
      async () => Response.json({ status: 7 }),
    ];
    for (const answer of answers) {
      const { inbox, pass, handled } = await desk({ fetch: answer });
      const key = await inbox.expect("captain-data", "j", { withinMs: 0 });
      await pass(0);
      expect((await inbox.get(key))?.event.state).toBe("pending");
      expect(handled).toEqual([]);
    }
  });

  test("asks no more often than its rate limit allows, however many are due", async () => {
    const { inbox, asked, jobs, clock } = await desk();
    for (let count = 0; count < 6; count++) {
      await inbox.expect("socialdata", jobs.startJob(), { withinMs: 0 });
    }
    await vi.waitUntil(() => asked.length === 1);
    for (let turn = 2; turn <= 6; turn++) {
      clock.advance(499);
      await new Promise((resolve) => setImmediate(resolve));
      expect(asked.length).toBeLessThan(turn);
      clock.advance(1);
      await vi.waitUntil(() => asked.length === turn);
    }
  });
});

test("an expectation outlives the process, and is one however often it is said", async () => {
  const { inbox, make, jobs, handled, clock, asked } = await desk({ isSilent: true });
  const job = jobs.startJob();
  const key = await inbox.expect("socialdata", job, { withinMs: minute });
  expect(await inbox.expect("socialdata", String(job), { withinMs: 5 * minute })).toBe(key);
  await inbox.close();
  await jobs.finishJob(job, { status: "success" });
  const next = make();
  onTestFinished(() => next.close());
  await next.idle();
  expect(asked).toEqual([]);
  clock.advance(minute);
  await next.idle();
  expect(asked).toHaveLength(1);
  expect(handled).toHaveLength(1);
  expect(await next.audit()).toMatchObject({ missing: 0, isBalanced: true });
});

test("an expectation can be cancelled", async () => {
  const { inbox, asked, pass } = await desk();
  const key = await inbox.expect("socialdata", 1, { withinMs: minute });
  await inbox.cancel(key);
  await pass(60 * minute);
  expect(asked).toEqual([]);
});

test("what cannot be expected is refused at once", async () => {
  const { inbox } = await desk();
  const invalid = { code: "OPTION_INVALID" };
  await expect(inbox.expect("audata", "1", { withinMs: 1 })).rejects.toMatchObject(invalid);
  await expect(inbox.expect("nobody" as "audata", "1", { withinMs: 1 })).rejects.toMatchObject(
    invalid,
  );
  await expect(inbox.expect("socialdata", "..", { withinMs: 1 })).rejects.toMatchObject(invalid);
  await expect(inbox.expect("socialdata", "../x", { withinMs: 1 })).rejects.toMatchObject(invalid);
  await expect(inbox.expect("socialdata", "1", { withinMs: NaN })).rejects.toMatchObject(invalid);
  expect(() => socialData({ token: "t", api: { apiKey: undefined } })).toThrow(
    "api.apiKey is not set",
  );
});

test("a poll of one's own that throws, or answers what is none, is a failed attempt", async () => {
  const polls: readonly Poll[] = [
    {
      spacingMs: 0,
      ids: () => {
        throw new TypeError("ids");
      },
      ask: async () => ({ kind: "pending" }),
    },
    { spacingMs: 0, ids: () => [], ask: async () => ({ kind: "odd" }) as unknown as Polled },
    { spacingMs: 0, ids: () => [], ask: async () => undefined as unknown as Polled },
    { spacingMs: 0, ids: () => ["1"], ask: async () => ({ kind: "ended", body: '{"id":"2"}' }) },
    { spacingMs: 0, ids: () => ["1"], ask: async () => ({ kind: "ended", body: "{" }) },
  ];
  for (const poll of polls) {
    const clock = new ManualClock();
    const sources = { own: { ...generic({ token: "t", id: "id" }), poll } };
    const inbox = createInbox({ store: sqlite(temporaryFile()), sources, logger: false, clock });
    onTestFinished(() => inbox.close());
    const key = await inbox.expect("own", "1", { withinMs: 0 });
    await inbox.idle();
    expect((await inbox.get(key))?.event).toMatchObject({
      state: "pending",
      attempts: 1,
      history: [{ failures: [{ handler: "(poll)" }] }],
    });
    expect((await inbox.list()).events).toHaveLength(1);
  }
});
