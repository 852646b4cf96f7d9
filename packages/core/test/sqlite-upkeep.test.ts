/** A SQLite file over the years: keys that grow old, space that is given back, copies that are made meanwhile. */

import { existsSync, statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { systemClock, type Store } from "@webhook-inbox/core";
import { backup, sqlite } from "@webhook-inbox/core/sqlite";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { newEvent } from "../../../tests/support/new-event.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";

async function opened(file: string): Promise<Store> {
  const store = sqlite(file);
  await store.open({ clock: systemClock });
  onTestFinished(() => store.close());
  return store;
}

let fences = 0;
const ask = () => ({ fence: `f${fences++}`, leaseMs: 60_000, slots: {} });

async function taken(store: Store, count: number, body = "", run = "run"): Promise<void> {
  for (let from = 0; from < count; from += 500) {
    const few = Math.min(500, count - from);
    const events = Array.from({ length: few }, (_, n) =>
      newEvent("a", `${run} ${from + n}`, "x", body),
    );
    await store.take(events, ask());
  }
}

function counted(file: string, table: string): number {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    return Number(
      database.prepare(`SELECT count(*) AS count FROM webhook_inbox_${table}`).get()?.["count"],
    );
  } finally {
    database.close();
  }
}

describe("keys", () => {
  test(
    "go from memory into the tree, and are known in both by every process",
    { timeout: 120_000 },
    async () => {
      const file = temporaryFile();
      const first = await opened(file);
      const second = await opened(file);
      await taken(first, 25_000);
      expect(counted(file, "keys")).toBe(0);
      await taken(first, 20_000, "", "more");
      // Two connections, each with its own idea of how far the move has come.
      await taken(first, 9_000, "", "first");
      await taken(second, 9_000, "", "second");
      await taken(first, 9_000, "", "third");
      expect(counted(file, "keys")).toBeGreaterThan(40_000);
      const again = [0, 12_222, 24_999].map((n) => newEvent("a", `run ${n}`, "x"));
      const recent = ["first 8999", "second 5", "third 1"].map((id) => newEvent("a", id, "x"));
      const third = await opened(file);
      for (const store of [first, second, third]) {
        const answers = await store.take([...again, ...recent], ask());
        expect(answers.map(({ kind }) => kind)).toEqual(Array(6).fill("duplicate"));
      }
    },
  );

  test("go on into the tree after a restart, however little is taken in each life", async () => {
    const file = temporaryFile();
    for (let life = 0; life < 20; life++) {
      const store = sqlite(file);
      await store.open({ clock: systemClock });
      await taken(store, 2000, "", `life ${life}`);
      await store.close();
    }
    expect(counted(file, "keys")).toBeGreaterThanOrEqual(30_000);
    const store = await opened(file);
    const again = [0, 9, 19].map((life) => newEvent("a", `life ${life} 7`, "x"));
    const answers = await store.take(again, ask());
    expect(answers.map(({ kind }) => kind)).toEqual(["duplicate", "duplicate", "duplicate"]);
  });

  test("that another process has forgotten are free again, also for those who remember them", async () => {
    const file = temporaryFile();
    const [first, second] = [await opened(file), await opened(file)];
    const event = newEvent("a", "once", "x");
    await first.take([event], ask());
    expect(await second.take([event], ask())).toEqual([{ kind: "duplicate" }]);
    const cancel = { by: "", reason: "", act: "cancel", dryRun: false, limit: 1 } as const;
    await first.intervene({ keys: [event.key] }, cancel);
    const forget = { payloadMs: -1000, keyMs: -1000, refusedMax: 0, limit: 10 };
    for (let { cursor } = await first.prune(forget); cursor !== undefined;) {
      ({ cursor } = await first.prune({ ...forget, cursor }));
    }
    expect(await second.get(event.key)).toBeUndefined();
    expect(await second.take([event], ask())).toEqual([{ kind: "taken" }]);
    expect(await first.take([event], ask())).toEqual([{ kind: "duplicate" }]);
    expect((await first.get(event.key))?.event.duplicates).toBe(1);
  });

  test("of what was undone are not remembered", async () => {
    const file = temporaryFile();
    const store = await opened(file);
    const event = newEvent("a", "undone", "x");
    const broken = { ...newEvent("a", "broken", "x"), type: undefined as unknown as string };
    const failing = store.take([event, broken], ask());
    // Its row is given to the next one, in the same moment.
    const next = store.take([newEvent("a", "next", "x"), event], ask());
    await expect(failing).rejects.toThrow();
    expect(await next).toEqual([{ kind: "taken" }, { kind: "taken" }]);
    expect((await store.get(event.key))?.event.state).toBe("pending");
  });
});

describe("space", () => {
  test("of what was forgotten is given back while the store is open", async () => {
    const file = temporaryFile();
    const store = await opened(file);
    const forever = 1e14;
    await taken(store, 2000, "x".repeat(10_000));
    for (;;) {
      const cancel = { by: "", reason: "", act: "cancel", dryRun: false, limit: 500 } as const;
      if ((await store.intervene({ state: "pending" }, cancel)).keys.length === 0) break;
    }
    const sizeOf = (): number => {
      const database = new DatabaseSync(file);
      database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      database.close();
      return statSync(file).size;
    };
    const before = sizeOf();
    let cursor: string | undefined;
    do {
      const more = cursor === undefined ? {} : { cursor };
      ({ cursor } = await store.prune({
        payloadMs: -1000,
        keyMs: forever,
        refusedMax: 0,
        limit: 200,
        ...more,
      }));
    } while (cursor !== undefined);
    expect(before).toBeGreaterThan(20_000_000);
    expect(sizeOf()).toBeLessThan(8_000_000);
    expect((await store.list({})).events.length).toBe(100);
  });
});

describe("backup", () => {
  test("copies what was taken, while more comes, and opens as a store", async () => {
    const file = temporaryFile();
    const store = await opened(file);
    await taken(store, 2000, "x".repeat(2000));
    const copy = `${file}.copy`;
    const state = { isOver: false };
    const copying = backup(file, copy).finally(() => (state.isOver = true));
    let meanwhile = 0;
    while (!state.isOver) {
      await store.take([newEvent("a", `meanwhile ${meanwhile}`, "x")], ask());
      meanwhile += 1;
      await new Promise(setImmediate);
    }
    await copying;
    expect(meanwhile).toBeGreaterThan(1);
    expect(statSync(copy).mode & 0o077).toBe(0);
    const database = new DatabaseSync(copy, { readOnly: true });
    expect(database.prepare("PRAGMA integrity_check").get()).toMatchObject({
      integrity_check: "ok",
    });
    database.close();
    expect(counted(copy, "events")).toBeGreaterThanOrEqual(2000);
    const restored = await opened(copy);
    expect((await restored.take([newEvent("a", "run 1999", "x")], ask()))[0]?.kind).toBe(
      "duplicate",
    );
  });

  test("never writes over a file, and leaves none behind when it fails", async () => {
    const file = temporaryFile();
    await opened(file);
    await expect(backup(file, file)).rejects.toMatchObject({ code: "OPTION_INVALID" });
    const nowhere = `${file}.missing/copy`;
    await expect(backup(file, nowhere)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    const missing = temporaryFile("missing.sqlite");
    await expect(backup(missing, `${missing}.copy`)).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
    });
    expect(existsSync(`${missing}.copy`)).toBe(false);
    expect(existsSync(`${missing}.copy.partial`)).toBe(false);
  });
});

describe("a disk that is full", () => {
  test("loses nothing that was acknowledged, says that the store is away, and is used again once there is room", async () => {
    const file = temporaryFile();
    const exec = DatabaseSync.prototype.exec;
    const connections = new Set<DatabaseSync>();
    const spy = vi.spyOn(DatabaseSync.prototype, "exec").mockImplementation(function noted(
      this: DatabaseSync,
      sql: string,
    ) {
      connections.add(this);
      exec.call(this, sql);
    });
    onTestFinished(() => spy.mockRestore());
    const store = await opened(file);
    /** SQLite itself then says that the disk is full. */
    const limit = (pages: number): void => {
      for (const connection of connections)
        exec.call(connection, `PRAGMA max_page_count = ${pages}`);
    };
    limit(100);
    let acknowledged = 0;
    for (; acknowledged < 1000; acknowledged++) {
      const event = newEvent("a", `event ${acknowledged}`, "x", "x".repeat(4000));
      const taking = store.take([event], ask());
      const error: unknown = await taking.then(
        () => undefined,
        (reason: unknown) => reason,
      );
      if (error === undefined) continue;
      expect(error).toMatchObject({ code: "STORE_UNAVAILABLE" });
      break;
    }
    expect(acknowledged).toBeGreaterThan(10);
    expect(acknowledged).toBeLessThan(1000);
    limit(1_000_000_000);
    await store.take([newEvent("a", "after", "x")], ask());
    const { counted: there } = await store.audit();
    expect(there).toEqual({ pending: acknowledged + 1 });
  });
});
