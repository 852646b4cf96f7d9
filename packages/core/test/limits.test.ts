/** Limits per inbox, source and handler: none is exceeded, and nobody starves. */

import { createInbox, eventKey, systemClock, type HandlerOptions } from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import * as z from "zod";
import { describe, expect, test, vi } from "vitest";
import { ask, serve } from "../../../tests/support/served.ts";
import { newEvent } from "../../../tests/support/new-event.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";

const stores = {
  memory: () => memory({ acceptLoss: true }),
  sqlite: () => sqlite(temporaryFile()),
};

const tweets = { new_tweet: z.unknown() };

/** Counts how many run at once; each waits until it is let go. */
function gauge() {
  const running = new Map<string, number>();
  const most = new Map<string, number>();
  const waiting: (() => void)[] = [];
  let done = 0;
  const handler = (name: string) => async (): Promise<void> => {
    running.set(name, (running.get(name) ?? 0) + 1);
    most.set(name, Math.max(most.get(name) ?? 0, running.get(name) ?? 0));
    await new Promise<void>((resolve) => waiting.push(resolve));
    running.set(name, (running.get(name) ?? 0) - 1);
    done += 1;
  };
  return {
    handler,
    most,
    count: () => done,
    running: (name: string) => running.get(name) ?? 0,
    letGo: () => waiting.splice(0).forEach((resolve) => resolve()),
  };
}

for (const [store, create] of Object.entries(stores)) {
  describe(store, () => {
    async function sentAll(
      options: HandlerOptions,
      sourceOptions: { readonly handlersMax?: number } = {},
    ) {
      const { handler, ...gauged } = gauge();
      const inbox = createInbox({
        store: create(),
        sources: { a: socialData({ token: "t", events: tweets, ...sourceOptions }) },
        limits: { handlersMax: 8 },
        logger: false,
      });
      inbox.on("a", "job_finished", options, handler("limited"));
      inbox.on("a", "new_tweet", handler("free"));
      const served = await serve(inbox);
      for (let id = 0; id < 10; id++) {
        const data = { job_id: id, status: "error" };
        const body = JSON.stringify({ event: "job_finished", data });
        await ask(served, "/webhooks/a/t", { body });
      }
      for (let id = 0; id < 10; id++) {
        const body = JSON.stringify({ event: "new_tweet", data: { id } });
        await ask(served, "/webhooks/a/t", { body });
      }
      return { inbox, ...gauged };
    }

    async function finished({ inbox, letGo, count }: Awaited<ReturnType<typeof sentAll>>) {
      await vi.waitUntil(() => {
        letGo();
        return count() === 20;
      });
      await inbox.idle();
      await inbox.close();
    }

    test("a handler's concurrency holds, and other types use the slots that are left", async () => {
      const sent = await sentAll({ concurrency: 2 });
      await vi.waitUntil(() => sent.running("free") === 6);
      expect(sent.running("limited")).toBe(2);
      await finished(sent);
      expect(sent.most.get("limited")).toBe(2);
    });

    test("a source's handlersMax holds", async () => {
      const sent = await sentAll({}, { handlersMax: 3 });
      await vi.waitUntil(() => sent.running("limited") === 3);
      await finished(sent);
      expect(sent.most.get("limited")).toBe(3);
      expect(sent.most.get("free")).toBeLessThanOrEqual(3);
    });
  });
}

test("concurrency of a handler for every type holds over all types", async () => {
  const { handler, letGo, most, count } = gauge();
  const inbox = createInbox({
    store: memory({ acceptLoss: true }),
    sources: { a: socialData({ token: "t", events: tweets }) },
    logger: false,
  });
  inbox.on("a", "*", { concurrency: 1 }, handler("all"));
  const served = await serve(inbox);
  for (const event of ["job_finished", "new_tweet"]) {
    const data = { job_id: event, status: "error", id: event };
    await ask(served, "/webhooks/a/t", { body: JSON.stringify({ event, data }) });
  }
  await vi.waitUntil(() => {
    letGo();
    return count() === 2;
  });
  expect(most.get("all")).toBe(1);
});

for (const concurrency of [0, -1, 1.5, Number.NaN]) {
  test(`a concurrency of ${concurrency} is refused`, () => {
    const sources = { a: socialData({ auth: "none" }) };
    const inbox = createInbox({ store: memory({ acceptLoss: true }), sources, logger: false });
    expect(() => inbox.on("a", "*", { concurrency }, () => undefined)).toThrow(
      expect.objectContaining({ code: "HANDLER_INVALID" }),
    );
  });
}

test("a type of any name is handled beside a limited one", async () => {
  const inbox = createInbox({
    store: sqlite(temporaryFile()),
    sources: { a: socialData({ token: "t", events: tweets }) },
    logger: false,
  });
  const handled: string[] = [];
  inbox.on("a", "job_finished", { concurrency: 1 }, () => undefined);
  inbox.on("a", "*", ({ type }) => void handled.push(type));
  const served = await serve(inbox);
  const names = ["constructor", "__proto__", "toString", "valueOf"];
  await Promise.all(
    names.map((event) => ask(served, "/webhooks/a/t", { body: JSON.stringify({ event }) })),
  );
  await inbox.idle();
  expect(handled.toSorted()).toEqual(names.toSorted());
  await inbox.close();
});

for (const [store, create] of Object.entries(stores)) {
  test(`${store}: while another source has room, one that is full goes on as soon as it has a slot`, async () => {
    const inbox = createInbox({
      store: create(),
      sources: {
        full: socialData({ token: "t", handlersMax: 1 }),
        other: socialData({ token: "t" }),
      },
      logger: false,
    });
    let done = 0;
    inbox.on("full", "job_finished", async () => {
      await new Promise((resolve) => setImmediate(resolve));
      done += 1;
    });
    const served = await serve(inbox);
    for (let id = 0; id < 6; id++) {
      const body = JSON.stringify({ event: "job_finished", data: { job_id: id, status: "error" } });
      await ask(served, "/webhooks/full/t", { body });
    }
    await inbox.idle();
    expect(done).toBe(6);
    await inbox.close();
  });

  test(`${store}: an event that comes back to its worker does not break the handler's limit`, async () => {
    const inbox = createInbox({
      store: create(),
      sources: { a: socialData({ token: "t" }) },
      logger: false,
    });
    let running = 0;
    let most = 0;
    let done = 0;
    const waiting: (() => void)[] = [];
    inbox.on("a", "job_finished", { concurrency: 2 }, async () => {
      running += 1;
      most = Math.max(most, running);
      // It takes no notice of its signal.
      await new Promise<void>((resolve) => waiting.push(resolve));
      running -= 1;
      done += 1;
    });
    const served = await serve(inbox);
    const deliver = async (id: number): Promise<void> => {
      const body = JSON.stringify({ event: "job_finished", data: { job_id: id, status: "error" } });
      await ask(served, "/webhooks/a/t", { body });
    };
    await deliver(1);
    await vi.waitUntil(() => running === 1);
    const key = (await inbox.list()).events[0]?.key ?? "";
    await inbox.cancel(key);
    await inbox.replay(key);
    for (const id of [2, 3, 4, 5]) await deliver(id);
    await vi.waitUntil(() => {
      waiting.shift()?.();
      return done === 6;
    });
    await inbox.idle();
    expect(most).toBe(2);
    await inbox.close();
  });
}

test("many types that wait for later do not hide one that is due now", async () => {
  const store = sqlite(temporaryFile());
  await store.open({ clock: systemClock });
  const names = Array.from({ length: 1500 }, (_, n) => `later ${String(n).padStart(4, "0")}`);
  const terms = { fence: "1", leaseMs: 60_000, slots: {} };
  const eventOf = (type: string) => newEvent("a", type, type);
  await store.take(names.map(eventOf), { ...terms, slots: { a: names.length } });
  const outcome = { state: "pending", afterMs: 86_400_000, handedBack: false } as const;
  const nothing = { finished: [], gaveUp: [], history: [] };
  await store.settle(
    names.map((id) => ({ key: eventKey("a", id), fence: "1", outcome, ...nothing })),
  );
  await store.take([eventOf("zzz")], { ...terms, fence: "2" });
  const claiming = {
    leaseMs: 1000,
    slots: { a: 5 },
    typesMax: { a: { limited: 1 } },
    suspectsMax: 1,
    crashesMax: 9,
    bytesMax: 1e6,
  };
  const claimed: string[] = [];
  for (let n = 0; n < 3; n++) {
    const { claims } = await store.claim({ ...claiming, fence: `claim/${n}` });
    claimed.push(...claims.map(({ event }) => event.type));
  }
  expect(claimed).toEqual(["zzz"]);
  await store.close();
});
