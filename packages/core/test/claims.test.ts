/** Crashes, zombies, lost leases, stores that fail, and closing: whatever happens to a claim in hand. */

import { WebhookInboxError, type Store } from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { describe, expect, test, vi } from "vitest";
import { aborted, closeStuck, deliver, desk, deskOn, minute } from "../../../tests/support/desk.ts";
import { wrapped } from "../../../tests/support/wrapped.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";

describe("crashes and zombies", () => {
  /** A store like the inner one, whose leases have ended as soon as they begin: as if every worker were dead. */
  function leaseless<T>(inner: Store<T>): Store<T> {
    return wrapped(inner, {
      take: (events, terms) => inner.take(events, { ...terms, leaseMs: 0 }),
      claim: (terms) => inner.claim({ ...terms, leaseMs: 0 }),
    });
  }

  test("an event whose worker died is run by another, and the late worker changes nothing", async () => {
    const file = temporaryFile();
    const zombie = deskOn(leaseless(sqlite(file)));
    let awake: () => void = () => undefined;
    let signal: AbortSignal | undefined;
    zombie.inbox.on("socialdata", "job_finished", (_event, ctx) => {
      ({ signal } = ctx);
      return new Promise<void>((_, reject) => (awake = () => reject(new Error("zombie"))));
    });
    await deliver(await zombie.serve());
    await vi.waitUntil(async () => (await zombie.record())?.state === "running");
    const other = deskOn(sqlite(file));
    other.inbox.on("socialdata", "job_finished", () => undefined);
    await other.inbox.idle();
    expect(await other.record()).toMatchObject({ state: "done", attempts: 2, crashes: 1 });
    expect(signal?.aborted).toBe(false);
    zombie.clock.advance(10_000);
    await vi.waitUntil(() => signal?.aborted);
    awake();
    await vi.waitUntil(() =>
      zombie.lines.some(({ fields }) => "kind" in fields && fields.kind === "fenced"),
    );
    expect(await other.record()).toMatchObject({ state: "done", attempts: 2 });
    await other.inbox.close();
  });

  test("an event that killed three workers is dead, not tried a fourth time", async () => {
    const store = memory({ acceptLoss: true });
    const first = deskOn(store, { work: false });
    await deliver(await first.serve());
    for (let death = 0; death < 3; death++) {
      await store.claim({
        fence: `dead/${death}`,
        leaseMs: 0,
        slots: { socialdata: 1 },
        suspectsMax: 9,
        crashesMax: 9,
        bytesMax: 1e6,
      });
    }
    const last = deskOn(store);
    let ran = false;
    last.inbox.on("socialdata", "job_finished", () => void (ran = true));
    await last.inbox.idle();
    expect(await last.record()).toMatchObject({ state: "dead", reason: "poison" });
    expect(ran).toBe(false);
    await last.inbox.close();
  });

  test("a lease is extended while the handler runs", async () => {
    const { clock, inbox, serve: open, record } = desk({ work: { leaseMs: 900 } });
    let finish: () => void = () => undefined;
    let runs = 0;
    inbox.on("socialdata", "job_finished", { timeoutMs: minute }, () => {
      runs += 1;
      return new Promise<void>((resolve) => (finish = resolve));
    });
    await deliver(await open());
    await vi.waitUntil(() => runs === 1);
    for (let beat = 0; beat < 20; beat++) {
      clock.advance(300);
      await new Promise((resolve) => setImmediate(resolve));
    }
    finish();
    await inbox.idle();
    expect(runs).toBe(1);
    expect(await record()).toMatchObject({ state: "done", attempts: 1, crashes: 0 });
  });
});

test("an event is not run twice by a process that slept longer than its lease", async () => {
  const { clock, inbox, serve: open, record } = desk({ work: { leaseMs: 900 } });
  let runs = 0;
  inbox.on("socialdata", "job_finished", { timeoutMs: 10 * minute }, (_, { signal }) => {
    runs += 1;
    return aborted(signal);
  });
  const served = await open();
  await deliver(served, 1);
  await vi.waitUntil(() => runs === 1);
  // Time goes on without any of its timers, as it does for a process that is stopped.
  clock.skip(minute);
  await deliver(served, 2);
  clock.advance(1000);
  await vi.waitUntil(() => runs >= 2);
  expect(await record(1)).toMatchObject({ attempts: 1, crashes: 0 });
});

test("an event that still runs when its lease was lost is not run beside itself, and its end counts", async () => {
  const { clock, inbox, serve: open, record, lines } = desk({ work: { leaseMs: 900 } });
  const finish: (() => void)[] = [];
  inbox.on("socialdata", "job_finished", { timeoutMs: minute }, () => {
    return new Promise<void>((resolve) => finish.push(resolve));
  });
  await deliver(await open());
  await vi.waitUntil(() => finish.length === 1);
  // The clock jumps beyond all that is extended; none of its timers has rung when the worker looks for work.
  clock.skip(60 * minute);
  const idle = inbox.idle();
  await vi.waitUntil(async () => (await record())?.crashes === 1);
  expect(finish).toHaveLength(1);
  finish[0]?.();
  await idle;
  expect(await record()).toMatchObject({ state: "done", attempts: 2 });
  expect(lines.some(({ fields }) => "kind" in fields && fields.kind === "fenced")).toBe(false);
});

test("a settlement is written once the store is back", async () => {
  const store = memory({ acceptLoss: true });
  const settle = store.settle.bind(store);
  let failures = 3;
  store.settle = async (settlements) => {
    if (failures-- > 0) throw new WebhookInboxError("STORE_UNAVAILABLE", "away");
    return await settle(settlements);
  };
  const { clock, inbox, serve: open, record } = deskOn(store);
  let runs = 0;
  inbox.on("socialdata", "job_finished", () => void (runs += 1));
  await deliver(await open());
  await vi.waitUntil(() => {
    clock.advance(1000);
    return failures < 0;
  });
  await inbox.idle();
  expect(runs).toBe(1);
  expect(await record()).toMatchObject({ state: "done", attempts: 1 });
});

test("a success that could not be written for longer than its lease counts all the same", async () => {
  const store = memory({ acceptLoss: true });
  const settle = store.settle.bind(store);
  let isAway = true;
  store.settle = async (settlements) => {
    if (isAway) throw new WebhookInboxError("STORE_UNAVAILABLE", "away");
    return await settle(settlements);
  };
  const { clock, inbox, serve: open, record } = deskOn(store, { work: { leaseMs: 900 } });
  let runs = 0;
  inbox.on("socialdata", "job_finished", () => void (runs += 1));
  await deliver(await open());
  await vi.waitUntil(() => runs === 1);
  // Everything about the lease ends, and the worker is given its own event again.
  clock.skip(60 * minute);
  const idle = inbox.idle();
  await vi.waitUntil(async () => (await record())?.crashes === 1);
  isAway = false;
  await vi.waitUntil(async () => {
    clock.advance(1000);
    return (await record())?.state === "done";
  });
  await idle;
  expect(runs).toBe(1);
});

test("a settlement that the store cannot take holds up no other", async () => {
  const store = memory({ acceptLoss: true });
  const settle = store.settle.bind(store);
  store.settle = async (settlements) => {
    const bad = settlements.some(({ finished }) => finished.includes("bad"));
    if (bad) throw new RangeError("this row cannot be written");
    return await settle(settlements);
  };
  const { inbox, serve: open } = deskOn(store);
  inbox.on("socialdata", "job_finished", { name: "bad" }, () => undefined);
  inbox.on("other", "job_finished", () => undefined);
  const served = await open();
  await Promise.all([deliver(served, 1), deliver(served, 2, "other"), deliver(served, 3, "other")]);
  await vi.waitUntil(async () => (await inbox.list({ state: "done" })).events.length === 2);
});

describe("closing", () => {
  test("a handler that stops because it was told to has used no attempt, not even the last one", async () => {
    const store = memory({ acceptLoss: true });
    const { inbox, serve: open } = deskOn(store, { retry: { delaysMs: [] } });
    let began = false;
    inbox.on("socialdata", "job_finished", async (_, { signal }) => {
      began = true;
      await aborted(signal);
      throw signal.reason;
    });
    await deliver(await open());
    await vi.waitUntil(() => began);
    await inbox.close();
    expect((await store.list({})).events).toMatchObject([{ state: "pending", attempts: 0 }]);
  });

  test("what a take under way brings in is handed back, before the store is closed", async () => {
    const store = memory({ acceptLoss: true });
    const take = store.take.bind(store);
    let finish: () => void = () => undefined;
    const slow = new Promise<void>((resolve) => (finish = resolve));
    let isTaking = false;
    store.take = async (events, ask) => {
      isTaking = true;
      await slow;
      return await take(events, ask);
    };
    let isClosed = false;
    store.close = async () => void (isClosed = true);
    const settle = store.settle.bind(store);
    store.settle = async (settlements) => {
      expect(isClosed).toBe(false);
      return await settle(settlements);
    };
    const { inbox, serve: open } = deskOn(store);
    let runs = 0;
    inbox.on("socialdata", "job_finished", () => void (runs += 1));
    const served = await open();
    await inbox.idle();
    const answering = deliver(served);
    await vi.waitUntil(() => isTaking);
    const closing = inbox.close();
    finish();
    expect((await answering).status).toBe(200);
    await closing;
    expect(runs).toBe(0);
    expect((await store.list({})).events).toMatchObject([
      { state: "pending", attempts: 0, crashes: 0 },
    ]);
  });

  test("running handlers are told, waited for, and settled", async () => {
    const store = sqlite(temporaryFile());
    const { inbox, serve: open, lines } = deskOn(store);
    let began = false;
    inbox.on("socialdata", "job_finished", async (_, { signal }) => {
      began = true;
      await aborted(signal);
    });
    await deliver(await open());
    await vi.waitUntil(() => began);
    await inbox.close();
    const last = lines.findLast(({ fields }) => "kind" in fields && fields.kind === "settled");
    expect(last?.message).toContain("done");
  });

  test("a handler that ignores the closing is left behind after 25 s, and its event due again without a crash", async () => {
    const store = memory({ acceptLoss: true });
    const { clock, inbox, serve: open } = deskOn(store);
    let began = false;
    inbox.on("socialdata", "job_finished", () => {
      began = true;
      return new Promise(() => undefined);
    });
    await deliver(await open());
    await vi.waitUntil(() => began);
    let closed = false;
    const closing = inbox.close().then(() => (closed = true));
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(24_999);
    await new Promise((resolve) => setImmediate(resolve));
    expect(closed).toBe(false);
    clock.advance(1);
    await closing;
    const { events } = await store.list({});
    expect(events).toMatchObject([{ state: "pending", attempts: 1, crashes: 0 }]);
  });

  test("an inbox can be closed before it starts, and does not start afterwards", async () => {
    const { inbox } = desk();
    await inbox.close();
    await expect(inbox.start()).rejects.toMatchObject({ code: "INBOX_CLOSED" });
  });

  test("handlers registered after the start are refused", async () => {
    const { inbox } = desk();
    await inbox.start();
    expect(() => inbox.on("other", "*", () => undefined)).toThrow(
      expect.objectContaining({ code: "HANDLER_INVALID" }),
    );
    await inbox.close();
  });
});

describe("an event that comes back to the worker that has it", () => {
  test("though the answer to its settlement is on the way, it is run again, and counts no crash", async () => {
    const inner = memory({ acceptLoss: true });
    const answers: (() => void)[] = [];
    const store = wrapped(inner, {
      async settle(settlements) {
        const held = await inner.settle(settlements);
        await new Promise<void>((resolve) => answers.push(resolve));
        return held;
      },
    });
    const { inbox, serve: open, record } = deskOn(store, { retry: { delaysMs: [0] } });
    const attempts: number[] = [];
    inbox.on("socialdata", "job_finished", (_, { attempt }) => {
      attempts.push(attempt);
      if (attempt === 1) throw new Error("once");
    });
    await deliver(await open());
    // The worker looks for what is due while the first answer is still on its way.
    await vi.waitUntil(() => answers.length === 1);
    const settled = inbox.idle();
    await vi.waitUntil(async () => (await record())?.state === "running");
    await vi.waitUntil(() => {
      for (const answer of answers.splice(0)) answer();
      return attempts.length === 2;
    });
    await vi.waitUntil(async () => {
      for (const answer of answers.splice(0)) answer();
      return (await record())?.state === "done";
    });
    await settled;
    expect(attempts).toEqual([1, 2]);
    expect(await record()).toMatchObject({ attempts: 2, crashes: 0 });
  });
});

describe("closing", () => {
  test("a handler that had succeeded does not run again because another one did not end", async () => {
    const file = temporaryFile();
    const runs: string[] = [];
    const first = deskOn(sqlite(file));
    first.inbox.on("socialdata", "job_finished", { name: "quick" }, () => void runs.push("quick"));
    first.inbox.on("socialdata", "job_finished", { name: "stuck" }, () => {
      runs.push("stuck");
      return new Promise(() => undefined);
    });
    await deliver(await first.serve());
    await vi.waitUntil(() => runs.length === 2);
    await closeStuck(first);
    const second = deskOn(sqlite(file));
    second.clock.skip(60 * minute);
    for (const name of ["quick", "stuck"]) {
      second.inbox.on("socialdata", "job_finished", { name }, () => void runs.push(name));
    }
    await second.inbox.idle();
    expect(runs).toEqual(["quick", "stuck", "stuck"]);
    await second.inbox.close();
  });

  test("a take that is under way then leaves no claim behind", async () => {
    const inner = memory({ acceptLoss: true });
    let letGo: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (letGo = resolve));
    let isTaking = false;
    const store = wrapped(inner, {
      async take(events, asked) {
        isTaking = true;
        await gate;
        return await inner.take(events, asked);
      },
    });
    const { clock, inbox, serve: open } = deskOn(store);
    inbox.on("socialdata", "job_finished", () => undefined);
    const answered = deliver(await open());
    await vi.waitUntil(() => isTaking);
    let hasClosed = false;
    const closing = inbox.close().then(() => (hasClosed = true));
    for (let n = 0; n < 20; n++) {
      clock.advance(25_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    letGo();
    await vi.waitUntil(() => {
      clock.advance(1000);
      return hasClosed;
    });
    await closing;
    expect((await answered).status).toBe(200);
    const { events } = await inner.list({});
    expect(events).toMatchObject([{ state: "pending", attempts: 0, crashes: 0 }]);
  });
});
