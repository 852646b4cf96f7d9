/** What people do to events from code, and what can be seen of all that happened. */

import type { Signal } from "@webhook-inbox/core";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import { aborted, deliver, desk, deskOn, minute } from "../../../tests/support/desk.ts";
import { ask } from "../../../tests/support/served.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";

const fails = (): never => {
  throw new Error("no");
};

describe("replay", () => {
  test("runs a dead event again from its first attempt, and keeps who did it and why", async () => {
    const { inbox, serve, record } = desk({ retry: { delaysMs: [] } });
    let isMended = false;
    inbox.on("socialdata", "job_finished", () => (isMended ? undefined : fails()));
    await deliver(await serve());
    await inbox.idle();
    const event = await record();
    expect(event).toMatchObject({ state: "dead", attempts: 1 });
    isMended = true;
    const key = event?.key ?? "";
    expect(await inbox.replay(key, { by: "ada", reason: "fixed" })).toEqual({
      count: 1,
      keys: [key],
    });
    await inbox.idle();
    const after = await record();
    expect(after).toMatchObject({ state: "done", attempts: 1, replayed: true });
    expect(after?.interventions).toMatchObject([{ act: "replay", by: "ada", reason: "fixed" }]);
    expect(after?.history).toHaveLength(2);
  });

  test("that fails midway is told of as far as it came", async () => {
    const signals: Signal[] = [];
    const { inbox, serve } = deskOn(sqlite(temporaryFile()), {
      retry: { delaysMs: [] },
      onSignal: (signal) => void signals.push(signal),
    });
    inbox.on("socialdata", "job_finished", fails);
    await deliver(await serve());
    await inbox.idle();
    const replaying = inbox.replay({ state: "dead" }, { by: "ada", onProgress: fails });
    await expect(replaying).rejects.toThrow("no");
    expect(signals.filter(({ kind }) => kind === "intervened")).toMatchObject([
      { act: "replay", by: "ada", count: 1 },
    ]);
    await inbox.close();
  });

  test("with rerun all handlers run again, with a key of their own", async () => {
    const { inbox, serve, record } = desk();
    const keys: string[] = [];
    inbox.on("socialdata", "job_finished", (_, ctx) => void keys.push(ctx.idempotencyKey));
    await deliver(await serve());
    await inbox.idle();
    const key = (await record())?.key ?? "";
    await inbox.replay(key);
    await inbox.idle();
    expect(keys).toHaveLength(1);
    await inbox.replay(key, { rerun: true });
    await inbox.idle();
    expect(new Set(keys).size).toBe(2);
    expect(await record()).toMatchObject({ state: "done", generation: 1 });
  });

  test("by filter it may be tried dry, is spread in time, and tells how far it is", async () => {
    const { clock, inbox, serve } = desk({ retry: { delaysMs: [] } });
    let isMended = false;
    let handled = 0;
    inbox.on("socialdata", "job_finished", () => {
      if (!isMended) fails();
      handled += 1;
    });
    const served = await serve();
    for (let id = 0; id < 7; id++) await deliver(served, id);
    await inbox.idle();
    isMended = true;
    const dry = await inbox.replay({ state: "dead" }, { dryRun: true });
    expect(dry.count).toBe(7);
    expect((await inbox.list({ state: "dead" })).events).toHaveLength(7);
    const told: number[] = [];
    const which = { state: "dead", source: "socialdata" } as const;
    const onProgress = (count: number): void => void told.push(count);
    const replaying = inbox.replay(which, { perSecond: 1, onProgress });
    for (let seconds = 1; seconds <= 7; seconds++) {
      await vi.waitUntil(() => told.length >= seconds, 10_000);
      await inbox.idle();
      expect(handled).toBe(seconds);
      clock.advance(1000);
    }
    expect(await replaying).toMatchObject({ count: 7 });
    expect(told).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  test("by filter goes on over pages at its rate", async () => {
    const { clock, inbox, serve } = desk({ work: false });
    const served = await serve();
    await Promise.all(Array.from({ length: 600 }, (_, id) => deliver(served, id)));
    await inbox.cancel({ state: "pending" });
    await inbox.replay({ state: "cancelled" }, { perSecond: 1000 });
    const due: number[] = [];
    let cursor: string | undefined;
    do {
      const page = await inbox.list({ state: "pending", cursor });
      due.push(...page.events.map(({ dueAt }) => dueAt - clock.now()));
      ({ cursor } = page);
    } while (cursor !== undefined);
    expect([due.length, Math.min(...due)]).toEqual([600, 0]);
    // Those of a page are due together, as of its first.
    expect(Math.max(...due)).toBeGreaterThan(340);
    expect(Math.max(...due)).toBeLessThan(600);
  });

  test("at a rate is planned a second ahead, stops at a signal, and goes on where it has stopped", async () => {
    const { clock, inbox, serve } = desk({ work: false });
    const served = await serve();
    await Promise.all(Array.from({ length: 60 }, (_, id) => deliver(served, id)));
    await inbox.cancel({ state: "pending" });
    const pending = async (): Promise<number> =>
      (await inbox.list({ state: "pending" })).events.length;
    const stop = new AbortController();
    const told: number[] = [];
    const options = { perSecond: 20, onProgress: (count: number) => void told.push(count) };
    const replaying = inbox.replay({ state: "cancelled" }, { ...options, signal: stop.signal });
    await vi.waitUntil(() => told.at(-1) === 25, 10_000);
    await clock.turns();
    expect(await pending()).toBe(25);
    clock.advance(500);
    await vi.waitUntil(() => told.at(-1) === 35, 10_000);
    stop.abort();
    expect(await replaying).toMatchObject({ count: 35, isStopped: true });
    expect(await pending()).toBe(35);
    const rest = inbox.replay({ state: "cancelled" });
    expect(await rest).toMatchObject({ count: 25 });
    expect((await rest).isStopped).toBeUndefined();
    expect(await pending()).toBe(60);
    const stopped = { signal: AbortSignal.abort() };
    expect(await inbox.cancel({ state: "pending" }, stopped)).toMatchObject({ count: 0 });
  });

  test("an event in hand is left alone", async () => {
    const { inbox, serve, record } = desk();
    let finish: (() => void) | undefined;
    inbox.on("socialdata", "job_finished", () => new Promise<void>((done) => (finish = done)));
    await deliver(await serve());
    await vi.waitUntil(() => finish !== undefined);
    const key = (await record())?.key ?? "";
    expect(await inbox.replay(key)).toEqual({ count: 0, keys: [] });
    finish?.();
    await inbox.idle();
    expect(await record()).toMatchObject({ state: "done" });
  });
});

describe("cancel", () => {
  test("of a running event stops its handler by the signal, and discards its result", async () => {
    const { clock, inbox, serve, record, lines } = desk();
    let signal: AbortSignal | undefined;
    inbox.on("socialdata", "job_finished", async (_, ctx) => {
      ({ signal } = ctx);
      await aborted(ctx.signal);
    });
    await deliver(await serve());
    await vi.waitUntil(() => signal !== undefined);
    await inbox.cancel((await record())?.key ?? "", { by: "ada" });
    clock.advance(10_000);
    await inbox.idle();
    expect(signal?.aborted).toBe(true);
    expect(await record()).toMatchObject({ state: "cancelled", finished: [] });
    expect(lines.some(({ fields }) => "kind" in fields && fields.kind === "fenced")).toBe(true);
  });

  test("of a waiting event keeps it from being tried again", async () => {
    const { clock, inbox, serve, record } = desk();
    let attempts = 0;
    inbox.on("socialdata", "job_finished", () => {
      attempts += 1;
      fails();
    });
    await deliver(await serve());
    await inbox.idle();
    await inbox.cancel({ state: "pending", type: "job_finished" });
    clock.advance(60 * minute);
    await inbox.idle();
    expect([attempts, (await record())?.state]).toEqual([1, "cancelled"]);
  });
});

test("erase leaves nothing of a delivery in the file, and it does not come back", async () => {
  const file = temporaryFile();
  const { inbox, serve } = deskOn(sqlite(file));
  const secret = "canary-5f0c9d";
  inbox.on("socialdata", "job_finished", ({ data }) => {
    throw new Error(`cannot handle ${JSON.stringify(data)}`);
  });
  const served = await serve();
  const data = { job_id: secret, status: "error", message: secret };
  const body = JSON.stringify({ event: "job_finished", data });
  await ask(served, "/webhooks/socialdata/t", { body });
  await inbox.idle();
  const contents = () =>
    ["", "-wal"]
      .filter((end) => existsSync(file + end))
      .map((end) => readFileSync(file + end, "latin1"))
      .join();
  expect(contents()).toContain(secret);
  const { keys } = await inbox.erase((await inbox.list()).events[0]?.key ?? "", { by: "ada" });
  expect(contents()).not.toContain(secret);
  expect(await inbox.get(keys[0] ?? "")).toMatchObject({
    event: { state: "erased", id: "" },
    delivery: undefined,
  });
  expect((await ask(served, "/webhooks/socialdata/t", { body })).status).toBe(200);
  expect(contents()).not.toContain(secret);
  expect((await inbox.list()).events).toHaveLength(1);
  await inbox.close();
});

test("erasing some of many leaves nothing of them, wherever the file had put them", async () => {
  const file = temporaryFile();
  const { inbox, serve } = deskOn(sqlite(file), { work: false });
  const served = await serve();
  const mark = (id: number) => `canary-${id}-end`;
  for (let id = 0; id < 60; id++) {
    const data = { job_id: id, status: "error", message: mark(id) };
    const body = JSON.stringify({ event: "job_finished", data });
    await ask(served, "/webhooks/socialdata/t", { body });
  }
  const { events } = await inbox.list();
  const erased = events.filter((_, index) => index % 4 === 0);
  await Promise.all([
    inbox.erase(erased.slice(0, 7).map(({ key }) => key)),
    inbox.erase(erased.slice(7).map(({ key }) => key)),
  ]);
  await inbox.close();
  const left = readFileSync(file, "latin1");
  const found = erased.filter(({ id }) => left.includes(mark(Number(id.split(":")[1]))));
  expect(found).toEqual([]);
});

test("a cancelled handler is told at once, and a replay of its event runs anew", async () => {
  const { inbox, serve, record } = desk();
  const runs: string[] = [];
  inbox.on("socialdata", "job_finished", { name: "quick" }, (_, ctx) => {
    runs.push(`quick ${ctx.idempotencyKey}`);
  });
  inbox.on("socialdata", "job_finished", { name: "slow" }, async (_, ctx) => {
    runs.push(`slow ${ctx.idempotencyKey}`);
    if (runs.length <= 2) await aborted(ctx.signal);
  });
  await deliver(await serve());
  await vi.waitUntil(() => runs.length === 2);
  const key = (await record())?.key ?? "";
  await inbox.cancel(key);
  await inbox.replay(key, { rerun: true });
  await inbox.idle();
  expect(new Set(runs).size).toBe(4);
  const finished = (await record())?.finished.toSorted();
  expect([await record(), finished]).toMatchObject([
    { state: "done", generation: 1 },
    ["quick", "slow"],
  ]);
});

describe("a selection", () => {
  const wrong = [
    undefined,
    {},
    "",
    [""],
    { source: "socialdata" },
    { state: "dead", soruce: "socialdata" },
    { state: "dead", source: undefined },
    { state: "dead", receivedFrom: new Date() },
    { state: "erased" },
    { state: "failed" },
    5,
  ];
  for (const which of wrong) {
    const text = which === undefined ? "undefined" : JSON.stringify(Object.entries(which));
    test(`of ${text} is refused`, async () => {
      const { inbox } = desk();
      await expect(inbox.erase(which as never)).rejects.toMatchObject({
        code: "SELECTION_INVALID",
      });
    });
  }

  test("with an option that does not exist is refused", async () => {
    const { inbox } = desk();
    const refused = { code: "SELECTION_INVALID" };
    const misspelt = { dryrun: true } as object;
    await expect(inbox.cancel({ state: "dead" }, misspelt)).rejects.toMatchObject(refused);
    const foreign = { rerun: true } as object;
    await expect(inbox.cancel({ state: "dead" }, foreign)).rejects.toMatchObject(refused);
    await expect(inbox.replay("key", { perSecond: 0 })).rejects.toMatchObject(refused);
  });

  test("of thousands goes in pages, and of many keys as well", async () => {
    const { inbox, serve } = desk({ work: false });
    const served = await serve();
    const count = 1201;
    await Promise.all(Array.from({ length: count }, (_, id) => deliver(served, id)));
    const told: number[] = [];
    const answer = await inbox.cancel(
      { state: "pending" },
      { onProgress: (done) => told.push(done) },
    );
    expect([answer.count, answer.keys.length, told.at(-1)]).toEqual([count, 1000, count]);
    expect(told.length).toBeGreaterThan(2);
    expect(told).toEqual(told.toSorted((a, b) => a - b));
    expect(await inbox.replay([...answer.keys, "no key"])).toMatchObject({ count: 1000 });
  });
});

describe("what can be seen", () => {
  test("a query that cannot be is refused", async () => {
    const { inbox } = desk();
    const refused = { code: "SELECTION_INVALID" };
    await expect(inbox.get(undefined as never)).rejects.toMatchObject(refused);
    await expect(inbox.list({ cursor: "zip" })).rejects.toMatchObject(refused);
    await expect(inbox.list({ receivedFrom: new Date() as never })).rejects.toMatchObject(refused);
    await expect(inbox.list({ stat: "dead" } as never)).rejects.toMatchObject(refused);
    await expect(inbox.tally({ stepMs: 0 })).rejects.toMatchObject(refused);
  });

  test("tallies and audit account for everything", async () => {
    const { inbox, serve } = desk({ retry: { delaysMs: [] } });
    inbox.on("socialdata", "job_finished", ({ data }) => (data.job_id === 1 ? fails() : undefined));
    const served = await serve();
    for (const id of [1, 2, 2, 3]) await deliver(served, id);
    await deliver(served, 4, "other");
    await inbox.idle();
    await inbox.cancel({ state: "dead" });
    expect(await inbox.audit()).toEqual({
      taken: 4,
      duplicates: 1,
      conflicts: 0,
      pruned: 0,
      standing: { cancelled: 1, done: 2, unhandled: 1 },
      spilled: 0,
      missing: 0,
      isBalanced: true,
    });
    const tally = await inbox.tally({ source: "socialdata", type: "job_finished" });
    const of = (to: string) => tally.find((one) => one.to === to)?.count;
    expect([of("done"), of("dead"), of("duplicate")]).toEqual([2, 1, 1]);
  });

  test("signals say what happened, to the log and to whoever asked", async () => {
    const signals: Signal[] = [];
    const { inbox, serve } = desk({
      onSignal(signal) {
        signals.push(signal);
        throw new Error("a listener harms nobody");
      },
    });
    inbox.on("socialdata", "job_finished", () => undefined);
    await deliver(await serve());
    await inbox.idle();
    await inbox.cancel({ state: "dead" }, { by: "ada", reason: "none there" });
    expect(signals.map(({ kind }) => kind)).toEqual([
      "store_volatile",
      "started",
      "received",
      "settled",
      "intervened",
    ]);
    expect(signals.at(-1)).toMatchObject({ act: "cancel", by: "ada", count: 0 });
    expect(JSON.stringify(signals)).not.toContain("job_id");
  });
});
