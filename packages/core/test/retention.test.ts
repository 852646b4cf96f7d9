/** Retention: what is over and old is forgotten by itself, and accounted for. */

import { createInbox } from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { describe, expect, test, vi } from "vitest";
import { deliver, deskOn } from "../../../tests/support/desk.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";

const hour = 3_600_000;
const day = 24 * hour;

for (const [name, create] of Object.entries({
  memory: () => memory({ acceptLoss: true }),
  sqlite: () => sqlite(temporaryFile()),
})) {
  test(`${name}: deliveries go after 30 days and keys after 90, of what is over`, async () => {
    const { clock, inbox, serve, lines } = deskOn(create(), { retry: { delaysMs: [] } });
    inbox.on("socialdata", "job_finished", ({ data }) => {
      if (data.job_id === 1) throw new Error("dies");
    });
    const served = await serve();
    for (const id of [1, 2, 3]) await deliver(served, id);
    await inbox.idle();
    const { events } = await inbox.list();
    const keyOf = (id: number) => events.find((one) => one.id === `job:${id}:error`)?.key ?? "";
    const passed = async (ms: number) => {
      clock.skip(ms);
      // A round is some steps, each on a timer of its own.
      for (let n = 0; n < 12; n++) {
        clock.advance(n === 0 ? hour : 1000);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await passed(29 * day);
    expect((await inbox.get(keyOf(2)))?.delivery).toBeDefined();
    await passed(2 * day);
    await vi.waitUntil(async () => (await inbox.get(keyOf(2)))?.delivery === undefined);
    expect((await inbox.get(keyOf(1)))?.delivery).toBeDefined();
    await deliver(served, 3);
    expect((await inbox.get(keyOf(3)))?.event.duplicates).toBe(1);
    await passed(60 * day);
    await vi.waitUntil(async () => (await inbox.get(keyOf(2))) === undefined);
    expect((await inbox.list()).events.map(({ state }) => state)).toEqual(["dead"]);
    expect(await inbox.audit()).toMatchObject({
      taken: 3,
      pruned: 2,
      missing: 0,
      isBalanced: true,
    });
    // What is long ago is one sum, and nothing of it is lost.
    const tally = await inbox.tally({ stepMs: hour });
    expect(tally.filter(({ to }) => to === "done")).toMatchObject([{ count: 2 }]);
    expect(lines.some(({ message }) => message.startsWith("retention: "))).toBe(true);
    await inbox.close();
  });
}

test("with retention: false nothing is ever forgotten", async () => {
  const { clock, inbox, serve, record } = deskOn(memory({ acceptLoss: true }), {
    retention: false,
  });
  inbox.on("socialdata", "job_finished", () => undefined);
  await deliver(await serve());
  await inbox.idle();
  clock.advance(1000 * day);
  await inbox.idle();
  expect(await record()).toMatchObject({ state: "done" });
  await inbox.close();
});

test("tallies are summed up by the hour, also where nothing is forgotten", async () => {
  const { clock, inbox, serve } = deskOn(sqlite(temporaryFile()), { retention: false });
  inbox.on("socialdata", "job_finished", () => undefined);
  const served = await serve();
  const count = 100;
  for (let id = 0; id < count; id++) {
    await deliver(served, id);
    await inbox.idle();
    clock.skip(15 * 60_000);
  }
  const steps = async () => {
    const tally = await inbox.tally({ stepMs: 60_000 });
    return tally.filter(({ to }) => to === "done");
  };
  const before = await steps();
  clock.skip(2 * day);
  for (let n = 0; n < 60; n++) {
    clock.advance(n === 0 ? hour : 100);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const after = await steps();
  expect([before.length, after.every(({ at }) => at % hour === 0)]).toEqual([count, true]);
  expect(after.length).toBeLessThan(count / 3);
  expect(after.reduce((sum, one) => sum + one.count, 0)).toBe(count);
  await inbox.close();
});

describe("a retention that cannot be is refused", () => {
  for (const retention of [{ payloadMs: 0 }, { payloadMs: 10, keyMs: 5 }, { days: 5 }]) {
    test(JSON.stringify(retention), () => {
      const sources = { a: socialData({ auth: "none" }) };
      const options = { store: memory({ acceptLoss: true }), sources, retention };
      expect(() => createInbox(options)).toThrow(
        expect.objectContaining({ code: "OPTION_INVALID" }),
      );
    });
  }
});
