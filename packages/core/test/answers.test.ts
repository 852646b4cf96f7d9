/** What handlers answer beside success and failure, and which schedule they are tried again by. */

import { createInbox, dead, retry } from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { describe, expect, test } from "vitest";
import { deliver, desk, minute } from "../../../tests/support/desk.ts";
import { ask, serve as listen } from "../../../tests/support/served.ts";

describe("retry({ afterMs })", () => {
  test("is tried again after just that time, and counts as an attempt", async () => {
    const { clock, inbox, serve, record } = desk();
    const attempts: number[] = [];
    inbox.on("socialdata", "job_finished", (_, { attempt }) => {
      attempts.push(attempt);
      return attempt === 1 ? retry({ afterMs: 90_000 }) : undefined;
    });
    await deliver(await serve());
    await inbox.idle();
    const waiting = await record();
    expect(waiting).toMatchObject({ state: "pending", attempts: 1 });
    expect((waiting?.dueAt ?? 0) - clock.now()).toBe(90_000);
    expect(waiting?.history[0]?.failures).toEqual([
      {
        handler: "socialdata/job_finished",
        name: "retry",
        message: "asked to run again after 90000 ms",
      },
    ]);
    clock.advance(90_000);
    await inbox.idle();
    expect(attempts).toEqual([1, 2]);
    expect(await record()).toMatchObject({ state: "done" });
  });

  test("waits for the longer one when another handler has failed", async () => {
    const { clock, inbox, serve, record } = desk({ retry: { delaysMs: [1000] } });
    inbox.on("socialdata", "job_finished", () => retry({ afterMs: minute }));
    inbox.on("socialdata", "job_finished", { name: "fails" }, () => {
      throw new Error("no");
    });
    await deliver(await serve());
    await inbox.idle();
    expect(((await record())?.dueAt ?? 0) - clock.now()).toBe(minute);
  });

  test("is no way around the last attempt", async () => {
    const { clock, inbox, serve, record } = desk({ retry: { delaysMs: [0] } });
    inbox.on("socialdata", "job_finished", () => retry({ afterMs: 0 }));
    await deliver(await serve());
    await inbox.idle();
    clock.advance(1);
    await inbox.idle();
    expect(await record()).toMatchObject({ state: "dead", reason: "exhausted", attempts: 2 });
  });

  for (const afterMs of [-1, Number.NaN, Infinity, "5" as unknown as number]) {
    test(`refuses ${String(afterMs)}`, () => {
      expect(() => retry({ afterMs })).toThrow(
        expect.objectContaining({ code: "HANDLER_INVALID" }),
      );
    });
  }
});

describe("dead(reason)", () => {
  test("ends the event at once, with the reason kept", async () => {
    const { inbox, serve, record } = desk();
    inbox.on("socialdata", "job_finished", () => dead("no such customer"));
    await deliver(await serve());
    await inbox.idle();
    const event = await record();
    expect(event).toMatchObject({
      state: "dead",
      reason: "fatal",
      attempts: 1,
      gaveUp: ["socialdata/job_finished"],
    });
    expect(event?.history[0]?.failures[0]).toMatchObject({
      name: "dead",
      message: "no such customer",
    });
  });

  test("leaves the other handlers their attempts; only then the event is dead", async () => {
    const { clock, inbox, serve, record } = desk({ retry: { delaysMs: [1000] } });
    const runs: string[] = [];
    inbox.on("socialdata", "job_finished", () => {
      runs.push("gives up");
      return dead("never");
    });
    inbox.on("socialdata", "job_finished", { name: "slow" }, (_, { attempt }) => {
      runs.push("slow");
      if (attempt === 1) throw new Error("not yet");
    });
    await deliver(await serve());
    await inbox.idle();
    expect(await record()).toMatchObject({ state: "pending" });
    clock.advance(1200);
    await inbox.idle();
    expect(runs).toEqual(["gives up", "slow", "slow"]);
    expect(await record()).toMatchObject({ state: "dead", reason: "fatal", finished: ["slow"] });
  });

  test("a replay runs the one that gave up again, and nobody else", async () => {
    const { inbox, serve, record } = desk();
    const runs: string[] = [];
    let isMended = false;
    inbox.on("socialdata", "job_finished", ({ key }, { idempotencyKey }) => {
      runs.push(`${key} ${idempotencyKey}`);
      return isMended ? undefined : dead("never");
    });
    inbox.on("socialdata", "job_finished", { name: "other" }, () => void runs.push("other"));
    await deliver(await serve());
    await inbox.idle();
    isMended = true;
    await inbox.replay((await record())?.key ?? "");
    await inbox.idle();
    expect(runs).toHaveLength(3);
    expect(runs[2]).toBe(runs[0]);
    expect(await record()).toMatchObject({ state: "done", gaveUp: [], generation: 0 });
  });

  test("what only looks like an answer is none", async () => {
    const { inbox, serve, record } = desk();
    const cruel = new Proxy(
      {},
      {
        has: () => {
          throw new Error("no");
        },
      },
    );
    inbox.on("socialdata", "job_finished", () => ({ kind: "dead", reason: "mine" }));
    inbox.on("socialdata", "job_finished", { name: "cruel" }, () => cruel);
    await deliver(await serve());
    await inbox.idle();
    expect(await record()).toMatchObject({ state: "done" });
  });
});

describe("the schedule", () => {
  const fails = () => {
    throw new Error("no");
  };

  test("is that of the type, else of the source, else of the inbox", async () => {
    const inbox = createInbox({
      store: memory({ acceptLoss: true }),
      sources: {
        typed: socialData({ auth: "none", retry: { types: { job_finished: { delaysMs: [] } } } }),
        own: socialData({ auth: "none", retry: { delaysMs: [0, 0] } }),
        plain: socialData({ auth: "none" }),
      },
      retry: { delaysMs: [0] },
      logger: false,
    });
    const names = ["typed", "own", "plain"] as const;
    for (const name of names) inbox.on(name, "job_finished", fails);
    const served = await listen(inbox);
    const body = JSON.stringify({ event: "job_finished", data: { job_id: 1, status: "error" } });
    for (const name of names) await ask(served, `/webhooks/${name}`, { body });
    for (let n = 0; n < 9; n++) await inbox.idle();
    const { events } = await inbox.list();
    expect(Object.fromEntries(events.map(({ source, attempts }) => [source, attempts]))).toEqual({
      typed: 1,
      own: 3,
      plain: 2,
    });
    expect(new Set(events.map(({ state }) => state))).toEqual(new Set(["dead"]));
  });

  for (const retryOption of [
    { delaysMs: [-1] },
    { delays: [] },
    { types: { x: { delaysMs: 5 } } },
  ]) {
    test(`of a source that is ${JSON.stringify(retryOption)} is refused`, () => {
      const source = socialData({ auth: "none", retry: retryOption as object });
      const options = { store: memory({ acceptLoss: true }), sources: { source } };
      expect(() => createInbox(options)).toThrow(
        expect.objectContaining({ code: "OPTION_INVALID" }),
      );
    });
  }
});
