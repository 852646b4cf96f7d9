/** `drain()`: what is due is worked off, within a time, and nothing is held beyond it. */

import { createInbox, WebhookInboxError } from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { ManualClock } from "../../../tests/support/clock.ts";
import { aborted, deliver, deskOn } from "../../../tests/support/desk.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";
import { wrapped } from "../../../tests/support/wrapped.ts";

const onDemand = { work: { when: "drain" } } as const;
const stores = {
  memory: () => memory({ acceptLoss: true }),
  sqlite: () => sqlite(temporaryFile()),
};

/** What a drain answers, when its clock goes on until it has ended. */
async function ended(clock: ManualClock, draining: Promise<boolean>): Promise<boolean> {
  let answer: boolean | undefined;
  void draining.then((isDone) => (answer = isDone));
  await vi.waitUntil(() => {
    clock.advance(500);
    return answer !== undefined;
  });
  return answer === true;
}

for (const [name, create] of Object.entries(stores)) {
  describe(name, () => {
    test("an inbox that works on demand runs handlers while it drains, and only then", async () => {
      const { inbox, clock, serve, record } = deskOn(create(), onDemand);
      let runs = 0;
      inbox.on("socialdata", "job_finished", () => void (runs += 1));
      const served = await serve();
      await deliver(served, 1);
      clock.advance(60_000);
      expect(await record(1)).toMatchObject({ state: "pending", attempts: 0 });
      expect(await inbox.drain()).toBe(true);
      expect(await record(1)).toMatchObject({ state: "done", attempts: 1 });
      await deliver(served, 2);
      clock.advance(60_000);
      expect(await record(2)).toMatchObject({ state: "pending", attempts: 0 });
      await inbox.idle();
      expect(await record(2)).toMatchObject({ state: "done" });
      expect(runs).toBe(2);
    });

    test("handlers that do not end in time are told, and their events handed back", async () => {
      const { inbox, clock, serve, record } = deskOn(create(), onDemand);
      let finish: (() => void) | undefined;
      const reasons: unknown[] = [];
      inbox.on("socialdata", "job_finished", async (_, { attempt, signal }) => {
        if (attempt > 1) return;
        await new Promise<void>((resolve) => (finish = resolve));
        reasons.push(signal.reason);
      });
      await deliver(await serve());
      const draining = inbox.drain({ withinMs: 1000 });
      await vi.waitUntil(() => finish !== undefined);
      expect(await ended(clock, draining)).toBe(false);
      expect(await record()).toMatchObject({ state: "pending", attempts: 1, crashes: 0 });
      // The process goes on, though nobody counts on it: what it finds now is nobody's any more.
      finish?.();
      await vi.waitUntil(() => reasons.length === 1);
      expect(String(reasons[0])).toMatch(/drain has ended/);
      expect(await record()).toMatchObject({ state: "pending", attempts: 1 });
      expect(await inbox.drain()).toBe(true);
      expect(await record()).toMatchObject({ state: "done", attempts: 2, crashes: 0 });
    });

    test("handlers that end when they are told have made no attempt", async () => {
      const { inbox, clock, serve, record } = deskOn(create(), onDemand);
      let isRunning = false;
      inbox.on("socialdata", "job_finished", async (_, { signal }) => {
        isRunning = true;
        await aborted(signal);
        throw signal.reason;
      });
      await deliver(await serve());
      for (let n = 0; n < 20; n++) {
        isRunning = false;
        const draining = inbox.drain({ withinMs: 1000 });
        await vi.waitUntil(() => isRunning);
        clock.advance(1000);
        expect(await draining).toBe(false);
      }
      expect(await record()).toMatchObject({ state: "pending", attempts: 0 });
    });

    test("a drain is not done while an attempt of old keeps the slot of what is due", async () => {
      const limits = { handlersMax: 1 };
      const { inbox, clock, serve, record } = deskOn(create(), { ...onDemand, limits });
      const finishing: (() => void)[] = [];
      inbox.on("socialdata", "job_finished", (_, { attempt }) =>
        attempt > 1 ? undefined : new Promise<void>((resolve) => finishing.push(resolve)),
      );
      const served = await serve();
      await deliver(served, 1);
      const first = inbox.drain({ withinMs: 1000 });
      await vi.waitUntil(() => finishing.length === 1);
      expect(await ended(clock, first)).toBe(false);
      await deliver(served, 2);
      expect(await ended(clock, inbox.drain({ withinMs: 1000 }))).toBe(false);
      finishing.shift()?.();
      const last = inbox.drain();
      await vi.waitUntil(async () => {
        finishing.shift()?.();
        return (await record(2))?.state === "done";
      });
      expect(await last).toBe(true);
      expect(await record(1)).toMatchObject({ state: "done" });
    });
  });
}

test("one drain does not stop what another waits for", async () => {
  const { inbox, clock, serve, record } = deskOn(memory({ acceptLoss: true }), onDemand);
  let finish: (() => void) | undefined;
  inbox.on("socialdata", "job_finished", () => new Promise<void>((resolve) => (finish = resolve)));
  await deliver(await serve());
  const [short, long] = [inbox.drain({ withinMs: 1000 }), inbox.drain({ withinMs: 9000 })];
  await vi.waitUntil(() => finish !== undefined);
  clock.advance(1000);
  expect(await short).toBe(false);
  expect(await record()).toMatchObject({ state: "running" });
  finish?.();
  expect(await long).toBe(true);
  expect(await record()).toMatchObject({ state: "done" });
});

test("an inbox that always works goes on after its drain", async () => {
  const { inbox, clock, serve, record } = deskOn(memory({ acceptLoss: true }));
  let isTold = false;
  let finish: (() => void) | undefined;
  inbox.on("socialdata", "job_finished", async (_, { signal }) => {
    void aborted(signal).then(() => (isTold = true));
    await new Promise<void>((resolve) => (finish = resolve));
  });
  await deliver(await serve());
  const draining = inbox.drain({ withinMs: 1000 });
  await vi.waitUntil(() => finish !== undefined);
  clock.advance(1000);
  expect(await draining).toBe(false);
  finish?.();
  await inbox.idle();
  expect(isTold).toBe(false);
  expect(await record()).toMatchObject({ state: "done" });
});

test("works only on the sources it was given", async () => {
  const work = { when: "drain", sources: ["other"] } as const;
  const { inbox, serve, record } = deskOn(memory({ acceptLoss: true }), { work });
  inbox.on("socialdata", "job_finished", () => undefined);
  await deliver(await serve());
  expect(await inbox.drain()).toBe(true);
  expect(await record()).toMatchObject({ state: "pending", attempts: 0 });
});

function awayStore() {
  const inner = memory({ acceptLoss: true });
  const state = { isAway: false, asked: 0 };
  const store = wrapped(inner, {
    claim: async (ask) => {
      state.asked += 1;
      if (state.isAway) throw new WebhookInboxError("STORE_UNAVAILABLE", "away");
      return await inner.claim(ask);
    },
  });
  return { store, state };
}

test("a store that is away is asked again while there is time, and ends a drain when there is none", async () => {
  const { store, state } = awayStore();
  const { inbox, clock, serve, record } = deskOn(store, onDemand);
  inbox.on("socialdata", "job_finished", () => undefined);
  await deliver(await serve());
  state.isAway = true;
  expect(await ended(clock, inbox.drain({ withinMs: 5000 }))).toBe(false);
  expect(state.asked).toBeGreaterThan(2);
  expect(await record()).toMatchObject({ state: "pending" });
  const draining = inbox.drain({ withinMs: 5000 });
  state.isAway = false;
  expect(await ended(clock, draining)).toBe(true);
  expect(await record()).toMatchObject({ state: "done" });
});

test("what a claim brings after the drain's end is not begun", async () => {
  const inner = memory({ acceptLoss: true });
  let answer: (() => void) | undefined;
  const store = wrapped(inner, {
    claim: async (ask) => {
      const claimed = await inner.claim(ask);
      await new Promise<void>((resolve) => (answer = resolve));
      return claimed;
    },
  });
  const { inbox, clock, serve, record } = deskOn(store, onDemand);
  let runs = 0;
  inbox.on("socialdata", "job_finished", () => void (runs += 1));
  await deliver(await serve());
  const draining = inbox.drain({ withinMs: 1000 });
  await vi.waitUntil(() => answer !== undefined);
  expect(await ended(clock, draining)).toBe(false);
  answer?.();
  await vi.waitUntil(async () => (await record())?.state === "pending");
  expect(await record()).toMatchObject({ attempts: 0, crashes: 0 });
  expect(runs).toBe(0);
});

test("close() ends what waits for the work", async () => {
  const { inbox, clock, serve } = deskOn(memory({ acceptLoss: true }));
  let isRunning = false;
  inbox.on("socialdata", "job_finished", async () => {
    isRunning = true;
    await new Promise<never>(() => undefined);
  });
  await deliver(await serve());
  const waiting = [inbox.idle(), inbox.drain({ withinMs: 60_000 })];
  await vi.waitUntil(() => isRunning);
  let hasClosed = false;
  void inbox.close({ drainMs: 100 }).then(() => (hasClosed = true));
  await vi.waitUntil(() => {
    clock.advance(100);
    return hasClosed;
  });
  await Promise.all(waiting);
});

test("rejects with what keeps the store from opening", async () => {
  const inbox = createInbox({
    store: sqlite(`${temporaryFile()}.none/inbox.sqlite`),
    sources: { socialdata: socialData({ token: "t" }) },
    logger: false,
  });
  onTestFinished(() => inbox.close());
  await expect(inbox.drain()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
});

for (const when of ["never", "", 1]) {
  test(`work.when cannot be ${JSON.stringify(when)}`, () => {
    const options = {
      store: memory({ acceptLoss: true }),
      sources: { socialdata: socialData({ token: "t" }) },
      work: { when: when as "drain" },
    };
    expect(() => createInbox(options)).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  });
}

for (const withinMs of [0, -1, Number.NaN, "5"]) {
  test(`withinMs cannot be ${JSON.stringify(withinMs)}`, async () => {
    const { inbox } = deskOn(memory({ acceptLoss: true }));
    onTestFinished(() => inbox.close());
    await expect(inbox.drain({ withinMs: withinMs as number })).rejects.toMatchObject({
      code: "OPTION_INVALID",
    });
  });
}
