/** Limits per inbox, source and handler: none is exceeded, and nobody starves. */

import { createInbox, type HandlerOptions } from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import * as z from "zod";
import { describe, expect, test, vi } from "vitest";
import { ask, serve } from "../../../tests/support/served.ts";
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
