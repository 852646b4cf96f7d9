import { createInbox, type LaneEvent, type Signal } from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { generic } from "@webhook-inbox/core/providers/generic";
import { github } from "@webhook-inbox/core/providers/github";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { describe, expect, test, vi } from "vitest";
import { ask, serve } from "../../../tests/support/served.ts";
import { fragile } from "../../../tests/support/spill-desk.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";

type Options = Omit<Parameters<typeof generic>[0], "token" | "id">;

const by = (event: LaneEvent): string => (event.data as { readonly of: string }).of;

/** One source whose handler says what it does; `fail` makes the attempts of an id fail. */
async function laneDesk(options: Options, retryMs: readonly number[] = [20]) {
  const store = fragile(sqlite(temporaryFile()));
  const signals: Signal[] = [];
  const inbox = createInbox({
    store: store.store,
    spill: sqlite(temporaryFile("spill.sqlite")),
    sources: { a: generic({ token: "t", id: "id", ...options }) },
    retry: { delaysMs: retryMs },
    logger: false,
    onSignal: (signal) => void signals.push(signal),
  });
  const failing = new Set<string>();
  const log: string[] = [];
  const running = new Set<string>();
  const gates = new Map<string, () => void>();
  let together = 0;
  inbox.on("a", "*", async ({ id }) => {
    log.push(id);
    running.add(id);
    together = Math.max(together, running.size);
    if (id.startsWith("slow")) await new Promise<void>((resolve) => gates.set(id, resolve));
    else await new Promise((resolve) => setImmediate(resolve));
    running.delete(id);
    if (failing.has(id)) throw new Error("failed");
  });
  const served = await serve(inbox);
  const send = async (id: string, of = "x", more: object = {}): Promise<void> => {
    const body = JSON.stringify({ id, of, ...more });
    expect(await ask(served, "/webhooks/a/t", { body })).toMatchObject({ status: 200 });
  };
  const stateOf = async (id: string): Promise<string | undefined> =>
    (await inbox.list()).events.find((event) => event.id === id)?.state;
  const keyOf = async (id: string): Promise<string> =>
    (await inbox.list()).events.find((event) => event.id === id)?.key ?? "";
  return {
    inbox,
    store,
    signals,
    failing,
    log,
    running,
    gates,
    send,
    stateOf,
    keyOf,
    most: () => together,
  };
}

describe("orderBy", () => {
  test("events of a key are handled one at a time, in the order of arrival, retries included", async () => {
    const { send, log, failing, most, inbox } = await laneDesk({ orderBy: by });
    failing.add("2");
    const ids = Array.from({ length: 20 }, (_, n) => String(n));
    for (const id of ids) await send(id);
    await vi.waitUntil(() => log.filter((id) => id === "2").length === 2);
    failing.clear();
    await vi.waitUntil(() => log.length === 21);
    await inbox.idle();
    expect(log).toEqual(["0", "1", "2", ...ids.slice(2)]);
    expect(most()).toBe(1);
  });

  test("other keys, and events without one, do not wait", async () => {
    const { send, log, gates } = await laneDesk({
      orderBy: (event) => (by(event) === "none" ? undefined : by(event)),
    });
    await send("slow");
    await vi.waitUntil(() => gates.has("slow"));
    await send("behind");
    await send("other", "y");
    await send("free", "none");
    await vi.waitUntil(() => log.length === 3);
    expect(log.toSorted()).toEqual(["free", "other", "slow"]);
    gates.get("slow")?.();
    await vi.waitUntil(() => log.includes("behind"));
  });

  test("a dead head is passed over, and replayed it comes last", async () => {
    const { send, log, failing, gates, inbox, stateOf, keyOf } = await laneDesk(
      { orderBy: by },
      [],
    );
    failing.add("1");
    for (const id of ["1", "2"]) await send(id);
    await vi.waitUntil(async () => (await stateOf("2")) === "done");
    expect(await stateOf("1")).toBe("dead");
    failing.clear();
    await send("slow");
    await inbox.replay(await keyOf("1"));
    await send("3");
    await vi.waitUntil(() => gates.has("slow"));
    gates.get("slow")?.();
    await vi.waitUntil(() => log.length === 5);
    expect(log).toEqual(["1", "2", "slow", "1", "3"]);
  });

  test("with onDeadHead: block a dead head holds its key until a person has acted", async () => {
    const desk = await laneDesk({ orderBy: by, onDeadHead: "block" }, []);
    const { send, log, failing, inbox, stateOf, keyOf } = desk;
    failing.add("1").add("2");
    for (const id of ["1", "2", "3"]) await send(id);
    await vi.waitUntil(async () => (await stateOf("1")) === "dead");
    await send("other", "y");
    await inbox.idle();
    expect(log).toEqual(["1", "other"]);
    failing.delete("1");
    await inbox.replay(await keyOf("1"));
    await vi.waitUntil(async () => (await stateOf("2")) === "dead");
    await inbox.cancel(await keyOf("2"));
    await vi.waitUntil(async () => (await stateOf("3")) === "done");
    expect(log).toEqual(["1", "other", "1", "2", "3"]);
  });

  test("a large body keeps its place", async () => {
    const { send, log } = await laneDesk({ orderBy: by });
    await send("large", "x", { padding: "p".repeat(300_000) });
    await send("small");
    await vi.waitUntil(() => log.length === 2);
    expect(log).toEqual(["large", "small"]);
  });

  test("where it throws, the event is handled in no order, and says so", async () => {
    const { send, log, inbox } = await laneDesk({
      orderBy() {
        throw new Error("no key");
      },
    });
    await send("1");
    await vi.waitUntil(() => log.length === 1);
    expect((await inbox.list()).events[0]).toMatchObject({
      notes: ["lane_missing"],
      lane: undefined,
    });
  });

  test("what comes while the store is away, and just after, keeps the order", async () => {
    const { send, log, store, signals } = await laneDesk({ orderBy: by });
    const ids = Array.from({ length: 40 }, (_, n) => String(n));
    for (const id of ids) {
      if (id === "10") store.become("away");
      if (id === "25") store.become("there");
      await send(id);
    }
    await vi.waitUntil(() => log.length === ids.length, { timeout: 15_000 });
    expect(log).toEqual(ids);
    expect(signals.some(({ kind }) => kind === "spilling")).toBe(true);
    await vi.waitUntil(() => signals.some(({ kind }) => kind === "spill_drained"));
  });
});

describe("lanes", () => {
  test("at most so many of a key are handled at a time", async () => {
    const { send, gates, running, log } = await laneDesk({ lanes: { max: 2, by } });
    for (const id of ["slow1", "slow2", "slow3", "slow4"]) await send(id);
    await send("other", "y");
    await vi.waitUntil(() => gates.size === 2 && log.includes("other"));
    expect([...running].toSorted()).toEqual(["slow1", "slow2"]);
    gates.get("slow1")?.();
    await vi.waitUntil(() => gates.has("slow3"));
    expect([...running].toSorted()).toEqual(["slow2", "slow3"]);
    for (const id of ["slow2", "slow3"]) gates.get(id)?.();
    await vi.waitUntil(() => gates.has("slow4"));
    gates.get("slow4")?.();
  });

  test("without by it is a limit of the source; what waits for its next attempt makes room", async () => {
    const { send, gates, log, failing, stateOf } = await laneDesk({ lanes: { max: 1 } }, [300]);
    failing.add("1");
    await send("1", "x");
    await send("slow", "y");
    await send("3", "z");
    await vi.waitUntil(() => gates.has("slow"));
    expect(log).toEqual(["1", "slow"]);
    failing.clear();
    // Its next attempt is due meanwhile, and takes its turn.
    await vi.waitUntil(async () => (await stateOf("1")) === "pending");
    gates.get("slow")?.();
    await vi.waitUntil(
      async () => (await stateOf("1")) === "done" && (await stateOf("3")) === "done",
    );
    expect(log.toSorted()).toEqual(["1", "1", "3", "slow"]);
  });
});

describe("options", () => {
  const make = (options: object) => () =>
    createInbox({
      store: memory({ acceptLoss: true }),
      sources: { a: generic({ token: "t", ...options }) },
    });

  test.each([
    [{ orderBy: "id" }, /orderBy must be a function/],
    [{ orderBy: by, lanes: { max: 1 } }, /has orderBy and lanes/],
    [{ onDeadHead: "skip" }, /onDeadHead is for a source with orderBy/],
    [{ orderBy: by, onDeadHead: "stop" }, /onDeadHead/],
    [{ lanes: { max: 0 } }, /lanes.max/],
    [{ lanes: { max: 2, by: "x" } }, /lanes.by must be a function/],
    [{ lanes: { most: 2 } }, /most/],
  ])("%o is refused", (options, message) => {
    expect(make(options)).toThrow(message);
  });

  test("what the functions are given is typed by the type of the event", () => {
    socialData({
      token: "t",
      orderBy: (event) =>
        event.type === "job_finished" ? event.data.job_id : event.data.meta?.monitor_id,
    });
    github({
      secret: "It's a Secret to Everybody",
      lanes: { max: 3, by: ({ type }) => (type === "push" ? "push" : undefined) },
    });
  });
});
