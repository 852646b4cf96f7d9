/** The spill over restarts and erasures, with deliveries and calls that are stuck, and where it cannot be one. */

import {
  createInbox,
  WebhookInboxError,
  type InboxOptions,
  type Signal,
  type Store,
} from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { ask, serve } from "../../../tests/support/served.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";
import { wrapped } from "../../../tests/support/wrapped.ts";
import {
  contentOf,
  fragile,
  job,
  jobs,
  sources,
  spillDesk,
} from "../../../tests/support/spill-desk.ts";

describe("the spill outlives the process", () => {
  test("what one has left there is drained by the next, without a further delivery", async () => {
    const first = await spillDesk();
    first.main.become("away");
    for (const id of [1, 2, 3]) await ask(first.served, jobs, job(id));
    await first.inbox.close();
    const { inbox, handled } = await spillDesk({
      storeFile: first.storeFile,
      spillFile: first.spillFile,
    });
    await inbox.start();
    await vi.waitUntil(() => handled.length === 3, 10_000);
    expect(first.handled).toEqual([]);
  });

  test("and takes deliveries when the store is away from the start", async () => {
    const { inbox, served, main, handled } = await spillDesk({ begins: "away" });
    expect((await ask(served, jobs, job(1))).status).toBe(200);
    expect(inbox.isReady).toBe(true);
    main.become("there");
    await vi.waitUntil(() => handled.length === 1, 10_000);
  });

  test("and hangs from the start", async () => {
    const { inbox, served, main, handled } = await spillDesk({ begins: "hangs" });
    expect((await ask(served, jobs, job(1))).status).toBe(200);
    main.become("there");
    await vi.waitUntil(() => handled.length === 1, 10_000);
    expect(inbox.isReady).toBe(true);
  });

  test("a call of the store that fails late makes nobody less ready: the spill has kept its delivery", async () => {
    let fail: (() => void) | undefined;
    const inner = sqlite(temporaryFile());
    const late = new WebhookInboxError("STORE_UNAVAILABLE", "reset.");
    const failing = new Promise<never>((_, reject) => (fail = () => reject(late)));
    const store = wrapped(inner, { take: () => failing });
    const spill = sqlite(temporaryFile("spill.sqlite"));
    const inbox = createInbox({ store, spill, sources, logger: false });
    onTestFinished(() => inbox.close());
    const served = await serve(inbox);
    expect((await ask(served, jobs, job(1))).status).toBe(200);
    fail?.();
    await failing.catch(() => undefined);
    await vi.waitUntil(async () => (await inbox.health()).spill?.waiting === 1);
    expect(inbox.isReady).toBe(true);
  });

  test("and is not opened again once the inbox is closed", async () => {
    const { inbox, served, beside } = await spillDesk();
    await ask(served, jobs, job(1));
    await inbox.close();
    const opened = beside.calls.filter((verb) => verb === "open").length;
    expect((await inbox.health()).spill).toMatchObject({ isOpen: false, waiting: undefined });
    await expect(inbox.start()).rejects.toMatchObject({ code: "INBOX_CLOSED" });
    expect(beside.calls.filter((verb) => verb === "open")).toHaveLength(opened);
  });

  test("whoever waits for the drain when the inbox closes is told", async () => {
    const { inbox, served, main } = await spillDesk();
    await inbox.start();
    main.become("away");
    await ask(served, jobs, job(1));
    const idle = inbox.idle();
    await inbox.close();
    await idle;
  });

  test("an inbox that is never mounted drains as well", async () => {
    const first = await spillDesk();
    first.main.become("away");
    await ask(first.served, jobs, job(1));
    await first.inbox.close();
    const inbox = createInbox({
      store: sqlite(first.storeFile),
      spill: sqlite(first.spillFile),
      sources,
      logger: false,
    });
    onTestFinished(() => inbox.close());
    expect(await inbox.drain({ withinMs: 10_000 })).toBe(true);
    expect((await inbox.list()).events).toHaveLength(1);
    expect(await inbox.audit()).toMatchObject({ spilled: 0 });
  });

  test("a closed inbox keeps nothing any more, and says so at once", async () => {
    const { inbox, served } = await spillDesk();
    await inbox.start();
    await inbox.close();
    const began = performance.now();
    expect((await ask(served, jobs, job(1))).status).toBe(503);
    expect(performance.now() - began).toBeLessThan(1000);
  });
});

test("a delivery that the store cannot take for another cause stays in the spill, and holds up no other", async () => {
  const inner = sqlite(temporaryFile());
  let isBad = true;
  const take: Store["take"] = async (events, given) => {
    if (isBad && events.some(({ id }) => id === "job:2:error")) throw new TypeError("bad row");
    return await inner.take(events, given);
  };
  const signals: Signal[] = [];
  const inbox = createInbox({
    store: wrapped(inner, { take }),
    spill: sqlite(temporaryFile()),
    sources,
    logger: false,
    onSignal: (signal) => void signals.push(signal),
  });
  const served = await serve(inbox);
  const ids = [1, 2, 3];
  const answers = await Promise.all(ids.map((id) => ask(served, jobs, job(id))));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  await inbox.idle();
  expect((await inbox.list()).events.map(({ id }) => id).toSorted()).toEqual([
    "job:1:error",
    "job:3:error",
  ]);
  expect(signals.filter(({ kind }) => kind === "spilling")).toEqual([]);
  isBad = false;
  await vi.waitUntil(async () => (await inbox.list()).events.length === 3, { timeout: 20_000 });
}, 30_000);

test("while one call hangs, and others do not, the rest goes through the spill, and nobody looks in vain all the time", async () => {
  const inner = sqlite(temporaryFile());
  const beside = fragile<unknown>(sqlite(temporaryFile()));
  let isFirst = true;
  let end: () => void = () => undefined;
  const take: Store["take"] = async (events, given) => {
    if (isFirst) {
      isFirst = false;
      await new Promise<void>((resolve) => (end = resolve));
    }
    return await inner.take(events, given);
  };
  const store = wrapped<unknown>(inner, { take });
  const inbox = createInbox({ store, spill: beside.store, sources, logger: false });
  const handled: string[] = [];
  inbox.on("jobs", "*", ({ id }) => void handled.push(id));
  const served = await serve(inbox);
  for (const id of [1, 2, 3]) expect((await ask(served, jobs, job(id))).status).toBe(200);
  await vi.waitUntil(() => handled.length === 3, 10_000);
  const looks = beside.calls.length;
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(beside.calls.length - looks).toBeLessThan(20);
  end();
  await inbox.idle();
  expect(handled).toHaveLength(3);
});

test("what has left the spill is not in its file any more", async () => {
  const { inbox, served, main, spillFile } = await spillDesk();
  await inbox.start();
  main.become("away");
  await ask(served, jobs, job(1, ',"message":"canary-of-a-person"'));
  await vi.waitUntil(() => contentOf(spillFile).includes("canary-of-a-person"));
  main.become("there");
  await inbox.idle();
  expect(contentOf(spillFile)).not.toContain("canary-of-a-person");
});

test("what had left the spill when its process ended is destroyed by the next one", async () => {
  const spillFile = temporaryFile("spill.sqlite");
  const storeFile = temporaryFile();
  const prune: Store["prune"] = () => Promise.reject(new Error("the process ends here"));
  const first = createInbox({
    store: sqlite(storeFile),
    spill: wrapped(sqlite(spillFile), { prune }),
    sources,
    logger: false,
  });
  const { main, served, ...one } = await spillDesk({ spillFile, storeFile, begins: "away" });
  await ask(served, jobs, job(1, ',"message":"canary-of-a-person"'));
  await one.inbox.close();
  main.become("there");
  await first.start();
  await vi.waitUntil(async () => (await first.list()).events.length === 1, 10_000);
  await first.close();
  expect(contentOf(spillFile)).toContain("canary-of-a-person");
  const next = await spillDesk({ spillFile, storeFile });
  await next.inbox.start();
  await vi.waitUntil(() => !contentOf(spillFile).includes("canary-of-a-person"), 10_000);
});

test("a store that is always slow is waited for, once that is known", async () => {
  const inner = sqlite(temporaryFile());
  let slowMs = 300;
  const take: Store["take"] = async (...given) => {
    await new Promise((resolve) => setTimeout(resolve, slowMs));
    return await inner.take(...given);
  };
  const signals: string[] = [];
  const inbox = createInbox({
    store: wrapped(inner, { take }),
    spill: sqlite(temporaryFile("spill.sqlite")),
    sources,
    logger: false,
    onSignal: ({ kind }) => void signals.push(kind),
  });
  const served = await serve(inbox);
  const spilled = (): number => signals.filter((kind) => kind === "spilling").length;
  await ask(served, jobs, job(0));
  expect(spilled()).toBe(1);
  await vi.waitUntil(() => signals.includes("spill_drained"), 10_000);
  for (let id = 1; id <= 4; id++) {
    expect((await ask(served, jobs, job(id))).status).toBe(200);
  }
  expect(spilled()).toBe(1);
  slowMs = 0;
});

test("a long spill drains in large steps while nobody comes in, however far away the store is", async () => {
  const inner = sqlite(temporaryFile());
  let isAway = true;
  const sizes: number[] = [];
  const take: Store["take"] = async (events, terms) => {
    if (isAway) throw new WebhookInboxError("STORE_UNAVAILABLE", "away.");
    sizes.push(events.length);
    await new Promise((resolve) => setTimeout(resolve, 15));
    return await inner.take(events, terms);
  };
  const inbox = createInbox({
    store: wrapped(inner, { take }),
    spill: sqlite(temporaryFile("spill.sqlite")),
    sources,
    logger: false,
  });
  const served = await serve(inbox);
  const count = 1500;
  for (let from = 0; from < count; from += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, n) => ask(served, jobs, job(from + n))));
  }
  isAway = false;
  await inbox.idle();
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(count);
  // One at a time until the store is known to be back, a few while it is not known that nobody comes.
  expect(sizes.length).toBeLessThan(40);
});

describe("what is erased", () => {
  const canary = "canary-of-a-person";
  const withCanary = job(1, `,"message":"${canary}"`);

  test("leaves nothing in the files of the store and of the spill", async () => {
    const { inbox, served, main, spillFile, storeFile, handled, beside } = await spillDesk();
    await ask(served, jobs, withCanary);
    await ask(served, jobs, job(1, ',"message":"another canary-of-a-person"'));
    await inbox.idle();
    main.become("away");
    for (const id of ["a", "b"]) {
      await ask(served, jobs, { ...withCanary, headers: { "x-canary": `${canary} ${id}` } });
    }
    await ask(served, jobs, job(2));
    expect(contentOf(spillFile)).toContain(canary);
    // The store is there again, and what waits in the spill does not move.
    beside.become("away");
    main.become("there");
    const key = handled[0]?.key ?? "";
    await vi.waitUntil(async () => (await inbox.get(key)) !== undefined);
    beside.become("there");
    const would = await inbox.erase(key, { dryRun: true });
    expect(would).toMatchObject({ count: 2 });
    expect(would.spilled).toBeLessThanOrEqual(2);
    const did = await inbox.erase(key, { by: "ops", reason: "asked for" });
    expect(did.count).toBe(2);
    await inbox.idle();
    for (const file of [storeFile, spillFile]) expect(contentOf(file)).not.toContain("canary");
    expect((await ask(served, jobs, withCanary)).status).toBe(200);
    await inbox.idle();
    expect(handled.map(({ id }) => id)).toEqual(["job:1:error", "job:2:error"]);
    expect(contentOf(storeFile)).not.toContain("canary");
  });

  test("does not come back with a delivery that is on its way from the spill into the store", async () => {
    const inner = sqlite(temporaryFile());
    let isAway = true;
    const passing: (() => void)[] = [];
    const take: Store["take"] = async (events, given) => {
      if (isAway) throw new WebhookInboxError("STORE_UNAVAILABLE", "away.");
      await new Promise<void>((resolve) => passing.push(resolve));
      return await inner.take(events, given);
    };
    const received: string[] = [];
    const inbox = createInbox({
      store: wrapped(inner, { take }),
      spill: sqlite(temporaryFile()),
      sources,
      logger: false,
      onSignal(signal) {
        if (signal.kind === "received" && "key" in signal.receipt)
          received.push(signal.receipt.key);
      },
    });
    inbox.on("jobs", "*", () => undefined);
    const served = await serve(inbox);
    await ask(served, jobs, withCanary);
    isAway = false;
    await vi.waitUntil(() => passing.length > 0, 10_000);
    const erasing = inbox.erase(received[0] ?? "");
    await new Promise((resolve) => setImmediate(resolve));
    passing[0]?.();
    expect((await erasing).count).toBe(1);
    await inbox.idle();
    expect(await inbox.get(received[0] ?? "")).toMatchObject({ delivery: undefined });
  });

  test("is erased in the spill too while it is not in the store yet", async () => {
    const { inbox, served, main, spillFile, storeFile, handled, kinds } = await spillDesk();
    await inbox.start();
    main.become("away");
    await ask(served, jobs, withCanary);
    const [received] = kinds("received");
    const key =
      received?.kind === "received" && "key" in received.receipt ? received.receipt.key : "";
    // Another process on the same files: its store is there, and it drains nothing, because it is not started.
    const other = createInbox({
      store: sqlite(storeFile),
      spill: sqlite(spillFile),
      sources,
      logger: false,
    });
    onTestFinished(() => other.close());
    expect((await other.erase(key)).spilled).toBe(1);
    main.become("there");
    await inbox.idle();
    expect(handled).toEqual([]);
    for (const file of [storeFile, spillFile]) expect(contentOf(file)).not.toContain("canary");
  });
});

describe("a spill is refused", () => {
  const store = sqlite("x.sqlite");
  test.each([
    ["that is no store", { store, spill: {} }, "spill must be a store"],
    ["that is the store", { store, spill: store }, "spill must be a store beside the other one"],
    ["that loses what it holds", { store, spill: memory() }, "this spill loses what it holds"],
  ])("%s", (_, options, says) => {
    const given = { ...options, sources } as unknown as InboxOptions<typeof sources>;
    expect(() => createInbox(given)).toThrow(says);
  });
});

test("a spill that cannot be opened keeps `start` from resolving, and takes nothing from the store", async () => {
  const spill = sqlite("/nowhere/at/all/spill.sqlite");
  const inbox = createInbox({ store: sqlite(temporaryFile()), spill, sources, logger: false });
  const served = await serve(inbox);
  onTestFinished(() => inbox.close());
  await expect(inbox.start()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  expect((await ask(served, jobs, job(1))).status).toBe(200);
});
