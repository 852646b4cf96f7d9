/** The spill: what is acknowledged while the store is away, and how it gets into the store. */

import { readFileSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import {
  createInbox,
  WebhookInboxError,
  type InboxOptions,
  type Signal,
  type Store,
  type WebhookEvent,
} from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { audata } from "@webhook-inbox/core/providers/audata";
import { generic } from "@webhook-inbox/core/providers/generic";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { ask, serve } from "../../../tests/support/served.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";
import { wrapped } from "../../../tests/support/wrapped.ts";

const away = (): Error => new WebhookInboxError("STORE_UNAVAILABLE", "away.");

/** A store that can be taken away: its calls fail, or never end. */
function fragile<T>(inner: Store<T>) {
  let mode: "there" | "away" | "hangs" = "there";
  const hanging: (() => void)[] = [];
  const calls: string[] = [];
  const guarded =
    (verb: "open" | "take" | "claim" | "settle" | "get" | "list") =>
    async (...given: readonly unknown[]): Promise<unknown> => {
      calls.push(verb);
      if (mode === "away") throw away();
      if (mode === "hangs") await new Promise<void>((resolve) => hanging.push(resolve));
      const act = inner[verb].bind(inner) as (...given: readonly unknown[]) => Promise<unknown>;
      return await act(...given);
    };
  const verbs = ["open", "take", "claim", "settle", "get", "list"] as const;
  const guards = Object.fromEntries(verbs.map((verb) => [verb, guarded(verb)]));
  return {
    store: wrapped(inner, guards as Partial<Store<T>>),
    calls,
    become(next: "there" | "away" | "hangs") {
      mode = next;
      if (next !== "hangs") for (const go of hanging.splice(0)) go();
    },
  };
}

const sources = {
  jobs: socialData({ token: "t" }),
  calls: audata({ token: "t" }),
  batches: generic({ token: "t", id: "id" }),
};

interface DeskOptions extends Partial<InboxOptions<typeof sources>> {
  readonly storeFile?: string;
  readonly spillFile?: string;
  /** Before anything is asked of it. */
  readonly begins?: "there" | "away" | "hangs";
}

async function desk({
  storeFile = temporaryFile(),
  spillFile = temporaryFile("spill.sqlite"),
  begins = "there",
  ...options
}: DeskOptions = {}) {
  const main = fragile<unknown>(sqlite(storeFile));
  const beside = fragile<unknown>(sqlite(spillFile));
  main.become(begins);
  const signals: Signal[] = [];
  const handled: WebhookEvent[] = [];
  const inbox = createInbox<typeof sources, unknown>({
    store: main.store,
    spill: beside.store,
    sources,
    logger: false,
    onSignal: (signal) => void signals.push(signal),
    ...options,
  });
  for (const name of ["jobs", "calls", "batches"] as const) {
    inbox.on(name, "*", (event) => void handled.push(event));
  }
  const served = await serve(inbox);
  const kinds = (kind: Signal["kind"]): readonly Signal[] =>
    signals.filter((signal) => signal.kind === kind);
  return { inbox, served, main, beside, signals, handled, kinds, spillFile, storeFile };
}

const job = (id: number, more = ""): { body: string } => ({
  body: `{"event":"job_finished","data":{"job_id":${id},"status":"error"${more}}}`,
});
const jobs = "/webhooks/jobs/t";

/** All that the files of a database hold. */
const contentOf = (file: string): string =>
  readdirSync(dirname(file))
    .filter((name) => name.startsWith(basename(file)))
    .map((name) => readFileSync(join(dirname(file), name), "latin1"))
    .join("");

describe("while the store is away", () => {
  test("deliveries are answered 200, and are handled once it is back, with the time of their receipt", async () => {
    const { inbox, served, main, handled, kinds, signals } = await desk();
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
    main.become("there");
    await inbox.idle();
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
    const { inbox, served, main, handled } = await desk();
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
    const plain = await desk();
    const spilled = await desk();
    spilled.main.become("away");
    const large = job(9, `,"message":"${"x".repeat(400_000)}"`).body;
    const send = async ({ served }: Awaited<ReturnType<typeof desk>>): Promise<void> => {
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
    const kept = async ({ inbox }: Awaited<ReturnType<typeof desk>>) => {
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
    const { inbox, served, main, handled } = await desk();
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

  test("with other bytes are kept as variants, and one of them is handled", async () => {
    const { inbox, served, main, handled } = await desk();
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
    const { inbox, served, main, beside, kinds } = await desk();
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
      const each = await desk();
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

describe("the spill outlives the process", () => {
  test("what one has left there is drained by the next, without a further delivery", async () => {
    const first = await desk();
    first.main.become("away");
    for (const id of [1, 2, 3]) await ask(first.served, jobs, job(id));
    await first.inbox.close();
    const { inbox, handled } = await desk({
      storeFile: first.storeFile,
      spillFile: first.spillFile,
    });
    await inbox.start();
    await vi.waitUntil(() => handled.length === 3, 10_000);
    expect(first.handled).toEqual([]);
  });

  test("and takes deliveries when the store is away from the start", async () => {
    const { inbox, served, main, handled } = await desk({ begins: "away" });
    expect((await ask(served, jobs, job(1))).status).toBe(200);
    expect(inbox.isReady).toBe(true);
    main.become("there");
    await vi.waitUntil(() => handled.length === 1, 10_000);
  });

  test("and hangs from the start", async () => {
    const { inbox, served, main, handled } = await desk({ begins: "hangs" });
    expect((await ask(served, jobs, job(1))).status).toBe(200);
    main.become("there");
    await vi.waitUntil(() => handled.length === 1, 10_000);
    expect(inbox.isReady).toBe(true);
  });

  test("a closed inbox keeps nothing any more, and says so at once", async () => {
    const { inbox, served } = await desk();
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

test("what has left the spill is not in its file any more", async () => {
  const { inbox, served, main, spillFile } = await desk();
  await inbox.start();
  main.become("away");
  await ask(served, jobs, job(1, ',"message":"canary-of-a-person"'));
  await vi.waitUntil(() => contentOf(spillFile).includes("canary-of-a-person"));
  main.become("there");
  await inbox.idle();
  expect(contentOf(spillFile)).not.toContain("canary-of-a-person");
});

describe("what is erased", () => {
  const canary = "canary-of-a-person";
  const withCanary = job(1, `,"message":"${canary}"`);

  test("leaves nothing in the files of the store and of the spill", async () => {
    const { inbox, served, main, spillFile, storeFile, handled, beside } = await desk();
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

  test("is erased in the spill too while it is not in the store yet", async () => {
    const { inbox, served, main, spillFile, storeFile, handled, kinds } = await desk();
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
