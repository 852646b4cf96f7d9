/** The spill: what is acknowledged while the store is away, and how it gets into the store. */

import { createInbox, type Signal } from "@webhook-inbox/core";
import { generic } from "@webhook-inbox/core/providers/generic";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { describe, expect, test, vi } from "vitest";
import { ask, serve } from "../../../tests/support/served.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";
import { fragile, job, jobs, spillDesk } from "../../../tests/support/spill-desk.ts";

describe("while the store is away", () => {
  test("deliveries are answered 200, and are handled once it is back, with the time of their receipt", async () => {
    const desk = await spillDesk();
    const { inbox, served, main, handled, kinds, signals, storeFile, spillFile } = desk;
    expect((await ask(served, jobs, job(1))).status).toBe(200);
    await inbox.idle();
    main.become("away");
    const before = Date.now();
    for (const id of [2, 3, 4]) {
      expect(await ask(served, jobs, job(id))).toMatchObject({ status: 200, body: "ok" });
    }
    const after = Date.now();
    expect(kinds("received").slice(1)).toMatchObject([
      { receipt: { kind: "spilled" } },
      { receipt: { kind: "spilled" } },
      { receipt: { kind: "spilled" } },
    ]);
    expect(handled).toHaveLength(1);
    expect(await inbox.audit()).toMatchObject({ taken: 1, spilled: 3 });
    const away = { isReady: true, isStoreThere: false, spill: { isOpen: true, waiting: 3 } };
    expect(await inbox.health()).toMatchObject(away);
    main.become("hangs");
    expect(await inbox.health()).toMatchObject(away);
    main.become("there");
    await inbox.idle();
    const {
      sources: [first],
      ...health
    } = await inbox.health();
    expect(health).toEqual({
      isReady: true,
      isStoreThere: true,
      durability: "commit",
      file: storeFile,
      spill: { isOpen: true, waiting: 0, file: spillFile },
    });
    expect(first).toMatchObject({ path: "/webhooks/jobs/***", methods: ["POST"] });
    expect(handled.map(({ id }) => id).toSorted()).toEqual(
      [1, 2, 3, 4].map((id) => `job:${id}:error`),
    );
    for (const { receivedAt } of handled.slice(1)) {
      expect(receivedAt).toBeGreaterThanOrEqual(before);
      expect(receivedAt).toBeLessThanOrEqual(after);
    }
    const [taken] = signals.flatMap((signal) =>
      signal.kind === "received" && signal.receipt.kind === "spilled" ? [signal.receipt.key] : [],
    );
    expect((await inbox.get(taken ?? ""))?.event).toMatchObject({
      id: "job:2:error",
      state: "done",
    });
    expect(kinds("spilling")).toHaveLength(1);
    expect(kinds("spill_drained")).toEqual([{ kind: "spill_drained", deliveries: 3 }]);
    expect(await inbox.audit()).toMatchObject({
      taken: 4,
      duplicates: 0,
      missing: 0,
      isBalanced: true,
    });
  });

  test("nobody waits for a call that hangs, and those who come next do not wait at all", async () => {
    const { inbox, served, main, handled } = await spillDesk();
    await inbox.start();
    main.become("hangs");
    const first = performance.now();
    const statuses = await Promise.all([1, 2, 3, 4].map((id) => ask(served, jobs, job(id))));
    expect(statuses.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    const asked = main.calls.filter((verb) => verb === "take").length;
    const second = performance.now();
    for (const id of [5, 6, 7, 8]) expect((await ask(served, jobs, job(id))).status).toBe(200);
    const third = performance.now();
    expect((third - second) / 4).toBeLessThan((second - first) / 2);
    // One of live traffic, and one that looks whether it is back.
    expect(main.calls.filter((verb) => verb === "take").length - asked).toBeLessThanOrEqual(1);
    main.become("there");
    await vi.waitUntil(() => new Set(handled.map(({ id }) => id)).size === 8, 10_000);
    await inbox.idle();
    expect(handled).toHaveLength(8);
  });

  test("everything that a provider may send survives the way through the spill", async () => {
    const plain = await spillDesk();
    const spilled = await spillDesk();
    spilled.main.become("away");
    const large = job(9, `,"message":"${"x".repeat(400_000)}"`).body;
    const send = async ({ served }: Awaited<ReturnType<typeof spillDesk>>): Promise<void> => {
      const deliveries: Parameters<typeof ask>[] = [
        [served, jobs, job(1)],
        [served, jobs, { body: "{" }],
        [served, jobs, { body: large }],
        [served, "/webhooks/calls/t?event=Listener.updated&webhookCallId=c1&sender[first_name]=J"],
        [served, "/webhooks/calls/t?event=Listener.updated&sender[first_name]=J"],
        [served, "/webhooks/batches/t", { body: '{"type":"a","id":"1"}', headers: { "x-a": "1" } }],
        [served, "/webhooks/batches/t", { body: '{"type":"b"}' }],
      ];
      for (const delivery of deliveries) expect((await ask(...delivery)).status).toBe(200);
    };
    await send(plain);
    await send(spilled);
    spilled.main.become("there");
    const kept = async ({ inbox }: Awaited<ReturnType<typeof spillDesk>>) => {
      await inbox.idle();
      const { events } = await inbox.list();
      const all = await Promise.all(events.map(({ key }) => inbox.get(key)));
      const told = all.map((one) => [
        one?.event.id,
        one?.event.type,
        one?.event.state,
        one?.event.reason,
        one?.event.notes,
        one?.delivery?.target,
        one?.delivery?.contentHash,
        one?.delivery?.verifiedWith,
      ]);
      return told.map((one) => JSON.stringify(one)).toSorted();
    };
    expect(await kept(spilled)).toEqual(await kept(plain));
    expect(await kept(plain)).toHaveLength(8);
  });
});

describe("copies in the spill and in the store", () => {
  test("are one event, whichever came first", async () => {
    const { inbox, served, main, handled } = await spillDesk();
    await ask(served, jobs, job(1));
    main.become("away");
    await ask(served, jobs, job(1));
    await ask(served, jobs, job(2));
    await ask(served, jobs, { ...job(2), headers: { "x-request-id": "2" } });
    await ask(served, jobs, job(2));
    main.become("there");
    await inbox.idle();
    await ask(served, jobs, job(2));
    expect(handled.map(({ id }) => id).toSorted()).toEqual(["job:1:error", "job:2:error"]);
    const { events } = await inbox.list();
    const counts = events.map(({ id, duplicates }) => `${id} ${duplicates}`).toSorted();
    expect(counts).toEqual(["job:1:error 1", "job:2:error 3"]);
  });

  test("of a thousand deliveries are a thousand events, whether they came by the spill first or not", async () => {
    const { inbox, served, main, beside, handled } = await spillDesk();
    const count = 1000;
    const all = async (): Promise<void> => {
      for (let first = 0; first < count; first += 50) {
        const ids = Array.from({ length: 50 }, (_, n) => first + n);
        const answers = await Promise.all(ids.map((id) => ask(served, jobs, job(id))));
        expect(answers.every(({ status }) => status === 200)).toBe(true);
      }
    };
    await inbox.start();
    main.become("away");
    await all();
    beside.become("away");
    main.become("there");
    await vi.waitUntil(async () => (await inbox.audit().catch(() => undefined)) !== undefined);
    // What is sent now goes to the store as soon as it is found to be back.
    await all();
    beside.become("there");
    await inbox.idle();
    expect(new Set(handled.map(({ id }) => id)).size).toBe(count);
    expect(handled).toHaveLength(count);
    expect(await inbox.audit()).toMatchObject({
      taken: count,
      duplicates: count,
      spilled: 0,
      missing: 0,
      isBalanced: true,
    });
  }, 60_000);

  test("with other bytes are kept as variants, and one of them is handled", async () => {
    const { inbox, served, main, handled } = await spillDesk();
    await ask(served, jobs, job(1));
    main.become("away");
    await ask(served, jobs, job(1, ',"n":2'));
    await ask(served, jobs, job(2));
    await ask(served, jobs, job(2, ',"n":2'));
    main.become("there");
    await inbox.idle();
    expect(handled).toHaveLength(2);
    const { events } = await inbox.list({ state: "quarantined" });
    expect(events.map(({ id, reason }) => `${id} ${reason}`).toSorted()).toEqual([
      "job:1:error conflict",
      "job:2:error conflict",
    ]);
  });
});

describe("when both are away", () => {
  test("a delivery is held as long as its provider waits, and then answered 503 and counted as possibly lost", async () => {
    const { inbox, served, main, beside, kinds } = await spillDesk();
    await inbox.start();
    main.become("away");
    beside.become("away");
    const began = performance.now();
    const { status, headers } = await ask(served, jobs, job(1));
    expect(status).toBe(503);
    expect(headers["retry-after"]).toMatch(/^[1-5]$/);
    expect(performance.now() - began).toBeGreaterThan(2000);
    expect(kinds("possibly_lost")).toEqual([{ kind: "possibly_lost", source: "jobs" }]);
    main.become("there");
    beside.become("there");
    await inbox.idle();
    expect((await inbox.list()).events).toEqual([]);
  });

  for (const which of ["main", "beside"] as const) {
    test(`it is 200 if meanwhile the ${which === "main" ? "store" : "spill"} comes back`, async () => {
      const each = await spillDesk();
      await each.inbox.start();
      each.main.become("away");
      each.beside.become("away");
      const answered = ask(each.served, jobs, job(1));
      await vi.waitUntil(
        () => each.beside.calls.filter((verb) => verb === "take").length > 1,
        5000,
      );
      each[which].become("there");
      expect((await answered).status).toBe(200);
      each.main.become("there");
      each.beside.become("there");
      await each.inbox.idle();
      expect(each.handled).toHaveLength(1);
    });
  }

  test("it is 200 if the spill comes back before a store that hangs", async () => {
    const { inbox, served, main, beside } = await spillDesk();
    await inbox.start();
    main.become("hangs");
    beside.become("away");
    const answered = ask(served, jobs, job(1));
    await vi.waitUntil(() => beside.calls.filter((verb) => verb === "take").length > 0, 5000);
    beside.become("there");
    expect((await answered).status).toBe(200);
    main.become("there");
  });

  test("whose provider sends again is told at the end of that time, and nothing is counted", async () => {
    const repeating = { jobs: generic({ token: "t", redelivers: "automatic" }) };
    const main = fragile<unknown>(sqlite(temporaryFile()));
    const beside = fragile<unknown>(sqlite(temporaryFile()));
    const signals: Signal[] = [];
    const inbox = createInbox<typeof repeating, unknown>({
      store: main.store,
      spill: beside.store,
      sources: repeating,
      logger: false,
      onSignal: (signal) => void signals.push(signal),
    });
    const served = await serve(inbox);
    await inbox.start();
    main.become("away");
    beside.become("away");
    expect((await ask(served, jobs, { body: "{}" })).status).toBe(503);
    expect(signals.filter(({ kind }) => kind === "possibly_lost")).toEqual([]);
  });
});
