import { createInbox, systemClock, type Schema, type WebhookEvent } from "@webhook-inbox/core";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { memory } from "@webhook-inbox/core/memory";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { aborted, deliver, desk, deskOn, minute } from "../../../tests/support/desk.ts";
import { ManualClock } from "../../../tests/support/clock.ts";
import { serve } from "../../../tests/support/served.ts";
import { wrapped } from "../../../tests/support/wrapped.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";

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

  // oxlint-disable-next-line unicorn/no-thenable -- that it is one is the point
  const thenable = (then: PropertyDescriptor): unknown => Object.defineProperty({}, "then", then);
  const fail = (): never => {
    throw new Error("then");
  };
  const both = (yes: () => void, no: () => void): void => {
    yes();
    no();
  };
  const odd: readonly (readonly [what: string, answer: unknown, state: string])[] = [
    ["a thenable that throws", thenable({ value: fail }), "pending"],
    [
      "a thenable that rejects",
      thenable({ value: (_: unknown, no: () => void) => no() }),
      "pending",
    ],
    ["a thenable that resolves, then rejects", thenable({ value: both }), "done"],
    ["a getter `then` that throws", thenable({ get: fail }), "pending"],
    ["an object without a prototype", Object.create(null), "done"],
    ["an error, without throwing it", new Error("returned"), "done"],
  ];
  for (const [what, answer, state] of odd) {
    test(`it returns ${what}: ${state}`, async () => {
      const { inbox, serve: open, record } = desk();
      inbox.on("socialdata", "job_finished", () => answer);
      await deliver(await open());
      await inbox.idle();
      expect(await record()).toMatchObject({ state, attempts: 1 });
    });
  }

  test("it deletes setTimeout: others are tried again all the same", async () => {
    const { setTimeout: kept } = globalThis;
    onTestFinished(() => void (globalThis.setTimeout = kept));
    const { inbox, serve: open } = desk({ clock: systemClock, retry: { delaysMs: [20] } });
    let second: () => void = () => undefined;
    const again = new Promise<void>((resolve) => (second = resolve));
    inbox.on("socialdata", "job_finished", (_, { attempt }) => {
      if (attempt === 2) return second();
      Reflect.deleteProperty(globalThis, "setTimeout");
      throw new Error("again");
    });
    await deliver(await open());
    await again;
  });

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

test("a schema that does not come to an end is given up at the handler's deadline", async () => {
  const hanging: Schema = {
    "~standard": { version: 1, vendor: "x", validate: () => new Promise(() => undefined) },
  };
  const clock = new ManualClock();
  const inbox = createInbox({
    store: memory({ acceptLoss: true }),
    sources: { a: socialData({ token: "t", events: { job_finished: hanging } }) },
    logger: false,
    clock,
  });
  inbox.on("a", "job_finished", { timeoutMs: 1000 }, () => expect.unreachable());
  const served = await serve(inbox);
  await deliver(served, 1, "a");
  const only = async () => (await inbox.list()).events[0];
  await vi.waitUntil(async () => {
    clock.advance(1000);
    return (await only())?.state === "pending";
  });
  expect((await only())?.history[0]?.failures[0]?.name).toBe("TimeoutError");
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

  test("what another instance has received is found within a second", async () => {
    const file = temporaryFile();
    const worker = deskOn(sqlite(file));
    let handled = 0;
    worker.inbox.on("socialdata", "job_finished", () => void (handled += 1));
    await worker.inbox.idle();
    const receiver = deskOn(sqlite(file), { work: false });
    await deliver(await receiver.serve());
    worker.clock.advance(1000);
    await vi.waitUntil(() => handled === 1);
    await worker.inbox.close();
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
    const { inbox, serve: open } = desk({
      limits: { handlersMax: 3 },
      work: { sources: ["socialdata"] },
    });
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

  test("what a claim brings when deliveries have its slots is given back, and runs in the end", async () => {
    const inner = memory({ acceptLoss: true });
    let isHolding = false;
    let answer: (() => void) | undefined;
    const store = wrapped(inner, {
      claim: async (ask) => {
        const claimed = await inner.claim(ask);
        if (!isHolding || claimed.claims.length === 0) return claimed;
        isHolding = false;
        await new Promise<void>((resolve) => (answer = resolve));
        return claimed;
      },
    });
    const { inbox, serve: open } = deskOn(store, {
      limits: { handlersMax: 4 },
      work: { sources: ["socialdata"] },
    });
    let [running, most] = [0, 0];
    const attempts = new Map<string, number[]>();
    const gates: (() => void)[] = [];
    const release = (): void => {
      for (const pass of gates.splice(0)) pass();
    };
    inbox.on("socialdata", "job_finished", async ({ key }, { attempt }) => {
      running += 1;
      most = Math.max(most, running);
      attempts.set(key, [...(attempts.get(key) ?? []), attempt]);
      await new Promise<void>((resolve) => gates.push(resolve));
      running -= 1;
    });
    const served = await open();
    for (let id = 0; id < 6; id++) await deliver(served, id);
    await vi.waitUntil(() => running === 4);
    isHolding = true;
    release();
    // Two wait in the store, and four slots are promised to the claim that has found them.
    await vi.waitUntil(() => answer !== undefined && running === 0);
    await Promise.all(Array.from({ length: 3 }, (_, id) => deliver(served, 10 + id)));
    await vi.waitUntil(() => running === 3);
    answer?.();
    await vi.waitUntil(async () => {
      const { events } = await inbox.list({ state: "pending" });
      return events.length === 1;
    });
    expect(running).toBe(4);
    const end = inbox.idle();
    await vi.waitUntil(() => {
      release();
      return attempts.size === 9;
    });
    release();
    await end;
    expect(most).toBe(4);
    expect([...attempts.values()]).toEqual(Array.from({ length: 9 }, () => [1]));
  });

  test("a source whose handlers all hang does not keep another one waiting", async () => {
    const { inbox, serve: open } = desk({ limits: { handlersMax: 4 } });
    inbox.on("socialdata", "job_finished", (_, { signal }) => aborted(signal));
    let handled = 0;
    inbox.on("other", "job_finished", () => void (handled += 1));
    const served = await open();
    for (let id = 0; id < 20; id++) await deliver(served, id);
    for (let id = 0; id < 5; id++) await deliver(served, id, "other");
    await vi.waitUntil(() => handled === 5);
  });

  test("what waits for a slot is not asked for again and again", async () => {
    let claims = 0;
    const inner = memory({ acceptLoss: true });
    const store = wrapped(inner, {
      claim(ask) {
        claims += 1;
        return inner.claim(ask);
      },
    });
    const { clock, inbox, serve: open } = deskOn(store, { limits: { handlersMax: 4 } });
    let running = 0;
    inbox.on("socialdata", "job_finished", (_, { signal }) => {
      running += 1;
      return aborted(signal);
    });
    const served = await open();
    for (let id = 0; id < 20; id++) await deliver(served, id);
    await vi.waitUntil(() => running === 3);
    claims = 0;
    for (let n = 0; n < 5000; n += 5) {
      clock.advance(5);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(claims).toBeGreaterThan(0);
    expect(claims).toBeLessThan(20);
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
