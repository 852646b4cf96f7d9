import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { encrypted } from "@webhook-inbox/core/encrypted";
import { memory } from "@webhook-inbox/core/memory";
import { sqlite } from "@webhook-inbox/core/sqlite";
import type { ThreadAccess } from "@webhook-inbox/core";
import { outageSuite, storeSuite, type Effects } from "@webhook-inbox/testing/store";
import { describe, expect, test } from "vitest";

/** More of them by `MODEL_SEQUENCES`. */
const sequences = Number(process.env["MODEL_SEQUENCES"] ?? 12);

const keys = [{ id: "k", key: "a".repeat(64) }];

// What each store says of itself is pinned: one that promises less would be tested for less.
describe("memory", () => {
  const supports = {
    durability: "none",
    shared: false,
    transactions: false,
    wakeups: false,
  } as const;
  test("says what it supports", () => expect(memory().supports).toEqual(supports));
  const place = async () => ({ create: () => memory(), remove: async () => undefined });
  storeSuite({ test, supports, place });
});

/** Effects in a table of the user's own, in the file of the store. */
const effects: Effects = {
  async write(store, { event, fence }, handler, effect, then) {
    const transaction = (store as ReturnType<typeof sqlite>).transaction?.(
      { key: event.key, fence },
      handler,
    );
    await transaction?.((database) => {
      database.exec("CREATE TABLE IF NOT EXISTS effects (effect TEXT NOT NULL)");
      database.prepare("INSERT INTO effects VALUES (?)").run(effect);
      then?.();
    });
  },
  async read(store) {
    const { filename } = (store.threadAccess as ThreadAccess).options as { filename: string };
    const database = new DatabaseSync(filename, { readOnly: true });
    try {
      const isThere = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'effects'").get();
      if (isThere === undefined) return [];
      return database
        .prepare("SELECT effect FROM effects")
        .all()
        .map((row) => String(row["effect"]));
    } finally {
      database.close();
    }
  },
};

describe("sqlite", () => {
  const supports = {
    durability: "commit",
    shared: true,
    transactions: true,
    wakeups: false,
  } as const;
  test("says what it supports", () => expect(sqlite("never-opened").supports).toEqual(supports));
  const place = async () => {
    const directory = await mkdtemp(join(tmpdir(), "webhook-inbox-"));
    return {
      create: () => sqlite(join(directory, "inbox.sqlite")),
      holds: async (text: string) => {
        const files = (await readdir(directory)).filter((name) => !name.endsWith("-shm"));
        const bytes = await Promise.all(files.map((name) => readFile(join(directory, name))));
        return bytes.some((file) => file.includes(text));
      },
      remove: () => rm(directory, { recursive: true }),
    };
  };
  storeSuite({ test, supports, place, effects, probes: true, sequences });
});

describe("sqlite, encrypted", () => {
  const { supports } = sqlite("never-opened");
  const place = async () => {
    const directory = await mkdtemp(join(tmpdir(), "webhook-inbox-"));
    return {
      create: () => encrypted(sqlite(join(directory, "inbox.sqlite")), { keys }),
      remove: () => rm(directory, { recursive: true }),
    };
  };
  storeSuite({ test, supports, place, effects });
});

describe("sqlite, while another process holds its lock", () => {
  let holder: DatabaseSync | undefined;
  let file = "";
  outageSuite({
    test,
    place: async () => {
      const directory = await mkdtemp(join(tmpdir(), "webhook-inbox-"));
      file = join(directory, "inbox.sqlite");
      return { create: () => sqlite(file), remove: () => rm(directory, { recursive: true }) };
    },
    outages: {
      locked: {
        async begin() {
          holder = new DatabaseSync(file);
          holder.exec("PRAGMA journal_mode = WAL; BEGIN IMMEDIATE");
        },
        async end() {
          holder?.exec("ROLLBACK");
          holder?.close();
        },
      },
    },
  });
});
