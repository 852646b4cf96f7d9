import { createInbox, type InboxOptions, type Store, type WebhookEvent } from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { describe, expect, test, vi } from "vitest";
import { ManualClock } from "../../../tests/support/clock.ts";
import { rememberingLogger } from "../../../tests/support/log.ts";
import { ask, serve } from "../../../tests/support/served.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";

const minute = 60_000;

function sourcesOf() {
  return { socialdata: socialData({ token: "t" }), other: socialData({ token: "t" }) };
}

function deskOn(store: Store, options: Partial<InboxOptions<ReturnType<typeof sourcesOf>>> = {}) {
  const clock = new ManualClock();
  const log = rememberingLogger();
  const inbox = createInbox({ store, sources: sourcesOf(), clock, logger: log.logger, ...options });
  const key = async (id: number): Promise<string> => {
    const { events } = await inbox.list();
    return events.find((event) => event.id === `job:${id}:error`)?.key ?? "";
  };
  return {
    clock,
    inbox,
    lines: log.lines,
    serve: () => serve(inbox),
    /** The record of a job's event. */
    record: async (id = 1) => (await inbox.get(await key(id)))?.event,
  };
}

const desk = (options: Partial<InboxOptions<ReturnType<typeof sourcesOf>>> = {}) =>
  deskOn(memory({ acceptLoss: true }), options);

function deliver(served: Awaited<ReturnType<typeof serve>>, id = 1, source = "socialdata") {
  const body = JSON.stringify({ event: "job_finished", data: { job_id: id, status: "error" } });
  return ask(served, `/webhooks/${source}/t`, { body });
}

describe("retries", () => {
  test("a handler that throws is tried again after its delay, until it succeeds", async () => {
    const { clock, inbox, serve: open, record } = desk();
    const attempts: number[] = [];
    inbox.on("socialdata", "job_finished", (_, { attempt }) => {
      attempts.push(attempt);
      if (attempt < 3) throw new Error("not yet");
    });
    await deliver(await open());
    await inbox.idle();
    expect(await record()).toMatchObject({ state: "pending", attempts: 1 });
    clock.advance(3000);
    await inbox.idle();
    expect(attempts).toEqual([1]);
    clock.advance(4000);
    await inbox.idle();
    clock.advance(minute);
    await inbox.idle();
    expect(attempts).toEqual([1, 2, 3]);
    const event = await record();
    expect(event).toMatchObject({ state: "done", attempts: 3 });
    expect(event?.history.map(({ failures }) => failures.length)).toEqual([1, 1, 0]);
    expect(event?.history[0]?.failures).toEqual([
      { handler: "socialdata/job_finished", name: "Error", message: "not yet" },
    ]);
  });

  test("after twelve attempts over about three days the event is dead", async () => {
    const { clock, inbox, serve: open, record } = desk();
    let attempts = 0;
    inbox.on("socialdata", "job_finished", () => {
      attempts += 1;
      throw new Error("never");
    });
    await deliver(await open());
    const began = clock.now();
    await inbox.idle();
    for (let step = 0; step < 24 * 8 && (await record())?.state !== "dead"; step++) {
      clock.advance(30 * minute);
      await inbox.idle();
    }
    expect(attempts).toBe(12);
    expect(await record()).toMatchObject({ state: "dead", reason: "exhausted" });
    const hours = (clock.now() - began) / (60 * minute);
    expect(hours).toBeGreaterThan(60);
    expect(hours).toBeLessThan(95);
  });

  test("a schedule of one's own is kept, each delay spread by at most 20 %", async () => {
    const { clock, inbox, serve: open, record } = desk({ retry: { delaysMs: [1000] } });
    inbox.on("socialdata", "job_finished", () => Promise.reject(new Error("no")));
    await deliver(await open());
    await inbox.idle();
    const due = (await record())?.dueAt ?? 0;
    expect(due - clock.now()).toBeGreaterThanOrEqual(800);
    expect(due - clock.now()).toBeLessThanOrEqual(1200);
    clock.advance(1200);
    await inbox.idle();
    expect(await record()).toMatchObject({ state: "dead", attempts: 2 });
  });

  test("only handlers that have not succeeded run again, with the same idempotency key", async () => {
    const { clock, inbox, serve: open, record } = desk();
    const runs: string[] = [];
    inbox.on("socialdata", "job_finished", (_, { idempotencyKey }) => {
      runs.push(`first ${idempotencyKey}`);
    });
    inbox.on("socialdata", "job_finished", { name: "second" }, (_, { attempt, idempotencyKey }) => {
      runs.push(`second ${idempotencyKey}`);
      if (attempt === 1) throw new Error("once");
    });
    await deliver(await open());
    await inbox.idle();
    clock.advance(minute);
    await inbox.idle();
    expect(runs.map((run) => run.split(" ")[0])).toEqual(["first", "second", "second"]);
    expect(runs[1]).toBe(runs[2]);
    expect(runs[0]?.split(" ")[1]).not.toBe(runs[1]?.split(" ")[1]);
    expect((await record())?.finished).toEqual(["socialdata/job_finished", "second"]);
  });

  test("a handler that does not end is given up at its deadline, and its signal says so", async () => {
    const { clock, inbox, serve: open, record } = desk();
    let signal: AbortSignal | undefined;
    inbox.on("socialdata", "job_finished", { timeoutMs: 2000 }, (_, ctx) => {
      ({ signal } = ctx);
      return new Promise(() => undefined);
    });
    await deliver(await open());
    await vi.waitUntil(() => signal !== undefined);
    clock.advance(1999);
    expect(signal?.aborted).toBe(false);
    clock.advance(1);
    expect(signal?.aborted).toBe(true);
    await inbox.idle();
    const event = await record();
    expect(event).toMatchObject({ state: "pending", attempts: 1 });
    expect(event?.history[0]?.failures[0]?.name).toBe("TimeoutError");
  });
});

describe("whatever a handler does", () => {
  const frozen = Object.freeze(new Error("frozen"));
  const cruel = new Proxy(new Error("cruel"), {
    get: () => {
      throw new Error("no reading");
    },
  });
  const circular = new Error("circular");
  circular.cause = circular;
  const thrown: readonly (readonly [string, unknown])[] = [
    ["undefined", undefined],
    ["null", null],
    ["a text", "text"],
    ["a frozen error", frozen],
    ["an error whose getters throw", cruel],
    ["an object that cannot be a text", Object.create(null)],
    ["a message of a megabyte", new Error("x".repeat(1e6))],
    ["an error that causes itself", circular],
    ["a message with NUL and half a character", new Error("\0\uD83D")],
  ];
  for (const [what, error] of thrown) {
    for (const how of ["throws", "rejects with"] as const) {
      test(`it ${how} ${what}: tried again`, async () => {
        const { inbox, serve: open, record } = deskOn(sqlite(temporaryFile()));
        inbox.on("socialdata", "job_finished", () => {
          if (how === "rejects with") return Promise.reject(error);
          throw error;
        });
        await deliver(await open());
        await inbox.idle();
        const event = await record();
        expect(event).toMatchObject({ state: "pending", attempts: 1 });
        expect(event?.history[0]?.failures).toHaveLength(1);
        expect(JSON.stringify(event?.history).length).toBeLessThan(10_000);
      });
    }
  }

  test("it changes its data and delivery: neither others nor the next attempt see it", async () => {
    const { clock, inbox, serve: open } = desk();
    const seen: unknown[] = [];
    const spoil = (event: WebhookEvent, body: Uint8Array): void => {
      seen.push(structuredClone(event.data), Buffer.from(body).toString());
      Object.assign(event.data as object, { job_id: "spoilt" });
      body.fill(0);
    };
    for (const name of ["one", "two"]) {
      inbox.on("socialdata", "job_finished", { name }, (event, { attempt, delivery }) => {
        spoil(event, delivery.body);
        if (attempt === 1) throw new Error("again");
      });
    }
    await deliver(await open());
    await inbox.idle();
    clock.advance(minute);
    await inbox.idle();
    expect(seen).toHaveLength(8);
    expect(new Set(seen.map((one) => JSON.stringify(one))).size).toBe(2);
  });

  test("a promise that rejects later, outside, is its own business: the event is done", async () => {
    const { inbox, serve: open, record } = desk();
    inbox.on("socialdata", "job_finished", () => {
      const late = Promise.reject(new Error("late"));
      late.catch(() => undefined);
    });
    await deliver(await open());
    await inbox.idle();
    expect(await record()).toMatchObject({ state: "done" });
  });
});

describe("who works on what", () => {
  test("without a handler the event is kept as unhandled, and said so", async () => {
    const { inbox, serve: open, record, lines } = desk();
    await deliver(await open());
    await inbox.idle();
    expect(await record()).toMatchObject({ state: "unhandled" });
    expect(
      lines.filter(({ level }) => level === "warn").map(({ message }) => message),
    ).toContainEqual(expect.stringContaining("no handler is registered"));
  });

  test("with work: false an instance only receives; another one does the work", async () => {
    const file = temporaryFile();
    const receiver = deskOn(sqlite(file), { work: false });
    await deliver(await receiver.serve());
    await receiver.inbox.idle();
    expect(await receiver.record()).toMatchObject({ state: "pending", attempts: 0 });
    const worker = deskOn(sqlite(file));
    worker.inbox.on("socialdata", "job_finished", () => undefined);
    await worker.inbox.idle();
    await worker.inbox.close();
    expect(await receiver.record()).toMatchObject({ state: "done" });
  });

  test("with work.sources an instance leaves the other sources alone", async () => {
    const { inbox, serve: open } = desk({ work: { sources: ["other"] } });
    const handled: string[] = [];
    for (const source of ["socialdata", "other"] as const) {
      inbox.on(source, "*", ({ source: of }) => void handled.push(of));
    }
    const served = await open();
    await deliver(served, 1, "socialdata");
    await deliver(served, 2, "other");
    await inbox.idle();
    expect(handled).toEqual(["other"]);
    expect((await inbox.list({ source: "socialdata" })).events[0]?.state).toBe("pending");
  });

  test("no more than handlersMax events run at once, and all run in the end", async () => {
    const { inbox, serve: open } = desk({ limits: { handlersMax: 3 } });
    let running = 0;
    let most = 0;
    let done = 0;
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    inbox.on("socialdata", "job_finished", async () => {
      running += 1;
      most = Math.max(most, running);
      await gate;
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      done += 1;
    });
    const served = await open();
    await Promise.all(Array.from({ length: 40 }, (_, id) => deliver(served, id)));
    expect(running).toBe(3);
    release();
    await inbox.idle();
    expect([most, done]).toEqual([3, 40]);
  });

  test("a source whose handlers hang does not keep another one waiting", async () => {
    const { inbox, serve: open } = desk({ limits: { handlersMax: 4 } });
    inbox.on("socialdata", "job_finished", (_, { signal }) => once(signal));
    let handled = 0;
    inbox.on("other", "job_finished", () => void (handled += 1));
    const served = await open();
    for (let id = 0; id < 3; id++) await deliver(served, id);
    for (let id = 0; id < 5; id++) await deliver(served, id, "other");
    await vi.waitUntil(() => handled === 5);
  });

  test("a handler for every type runs beside that of one type", async () => {
    const { inbox, serve: open } = desk();
    const seen: string[] = [];
    inbox.on("socialdata", "*", () => void seen.push("*"));
    inbox.on("socialdata", "job_finished", () => void seen.push("job_finished"));
    await deliver(await open());
    await inbox.idle();
    expect(seen.toSorted()).toEqual(["*", "job_finished"]);
  });
});

/** Resolves when a signal is aborted. */
function once(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
}

describe("crashes and zombies", () => {
  /** A store like the inner one, whose leases have ended as soon as they begin: as if every worker were dead. */
  function leaseless(inner: Store): Store {
    return Object.assign(Object.create(inner) as Store, {
      open: inner.open.bind(inner),
      close: inner.close.bind(inner),
      get: inner.get.bind(inner),
      list: inner.list.bind(inner),
      settle: inner.settle.bind(inner),
      extend: inner.extend.bind(inner),
      take: (events: Parameters<Store["take"]>[0], terms: Parameters<Store["take"]>[1]) =>
        inner.take(events, { ...terms, leaseMs: 0 }),
      claim: (terms: Parameters<Store["claim"]>[0]) => inner.claim({ ...terms, leaseMs: 0 }),
    });
  }

  test("an event whose worker died is run by another, and the late worker changes nothing", async () => {
    const file = temporaryFile();
    const zombie = deskOn(leaseless(sqlite(file)));
    let awake: () => void = () => undefined;
    zombie.inbox.on("socialdata", "job_finished", () => {
      return new Promise<void>((_, reject) => (awake = () => reject(new Error("zombie"))));
    });
    await deliver(await zombie.serve());
    await vi.waitUntil(async () => (await zombie.record())?.state === "running");
    const other = deskOn(sqlite(file));
    other.inbox.on("socialdata", "job_finished", () => undefined);
    await other.inbox.idle();
    expect(await other.record()).toMatchObject({ state: "done", attempts: 2, crashes: 1 });
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
    return once(signal);
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
  test("running handlers are told, waited for, and settled", async () => {
    const store = sqlite(temporaryFile());
    const { inbox, serve: open, lines } = deskOn(store);
    let began = false;
    inbox.on("socialdata", "job_finished", async (_, { signal }) => {
      began = true;
      await once(signal);
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
