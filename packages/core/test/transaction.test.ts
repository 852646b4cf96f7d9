/** `ctx.transaction` on SQLite: the effect of a handler and its completion, both or neither, exactly once. */

import { dead, type HandlerContext } from "@webhook-inbox/core";
import {
  sqlite,
  type SqliteClient,
  type SqliteStatement,
  type SqliteTransaction,
} from "@webhook-inbox/core/sqlite";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test, vi } from "vitest";
import { closeStuck, deliver, desk, deskOn, minute } from "../../../tests/support/desk.ts";
import { wrapped } from "../../../tests/support/wrapped.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";

type Ctx = HandlerContext<SqliteTransaction>;

/** An inbox on a file with a table of the user's own. */
function shop() {
  const file = temporaryFile();
  const database = new DatabaseSync(file);
  database.exec("PRAGMA journal_mode = WAL; CREATE TABLE orders (job TEXT NOT NULL)");
  database.close();
  return {
    file,
    ...deskOn(sqlite(file)),
    orders(): readonly string[] {
      const reading = new DatabaseSync(file, { readOnly: true });
      const rows = reading.prepare("SELECT job FROM orders").all();
      reading.close();
      return rows.map((row) => String(row["job"]));
    },
  };
}

const order = (database: SqliteClient, job: unknown): void => {
  database.prepare("INSERT INTO orders VALUES (?)").run(String(job));
};

test("a handler that crashes after its transaction has succeeded: it does not run again", async () => {
  const { clock, inbox, serve, record, orders } = shop();
  let runs = 0;
  inbox.on("socialdata", "job_finished", async ({ data }, { transaction }) => {
    runs += 1;
    const answer = await transaction((database) => {
      order(database, data.job_id);
      return 42;
    });
    expect(answer).toBe(42);
    throw new Error("after it");
  });
  await deliver(await serve());
  await inbox.idle();
  clock.advance(minute);
  await inbox.idle();
  expect([runs, orders()]).toEqual([1, ["1"]]);
  const event = await record();
  expect(event).toMatchObject({
    state: "done",
    attempts: 1,
    finished: ["socialdata/job_finished"],
  });
  expect(event?.history[0]?.failures[0]?.message).toBe("after it");
  await inbox.close();
});

test("one that fails inside leaves nothing, and its next attempt begins anew", async () => {
  const { clock, inbox, serve, record, orders } = shop();
  inbox.on("socialdata", "job_finished", async ({ data }, { attempt, transaction }) => {
    await transaction((database) => {
      order(database, data.job_id);
      if (attempt === 1) throw new Error("inside");
    });
  });
  await deliver(await serve());
  await inbox.idle();
  expect(orders()).toEqual([]);
  clock.advance(minute);
  await inbox.idle();
  expect(orders()).toEqual(["1"]);
  const event = await record();
  expect(event).toMatchObject({ state: "done", attempts: 2 });
  expect(event?.history[0]?.failures[0]?.message).toBe("inside");
  await inbox.close();
});

describe("what cannot be exact is refused, and keeps nothing", () => {
  const misuses: Readonly<Record<string, (ctx: Ctx) => Promise<unknown>>> = {
    "a function that returns a promise": (ctx) =>
      (ctx.transaction as (work: (database: SqliteClient) => unknown) => Promise<unknown>)(
        async (database) => {
          order(database, "async");
          await Promise.resolve();
        },
      ),
    "a function that ends it by itself": (ctx) =>
      ctx.transaction((database) => database.exec("ROLLBACK")),
    "a function that commits by itself": (ctx) =>
      ctx.transaction((database) => {
        order(database, "committed");
        database.prepare("COMMIT").run();
      }),
    "a function that commits by itself, and begins anew": (ctx) =>
      ctx.transaction((database) => database.exec("COMMIT; BEGIN")),
    "one that hides it among others": (ctx) =>
      ctx.transaction((database) => database.exec("SELECT 1; COMMIT; BEGIN")),
    "a statement that rolls back, whose error is passed over": (ctx) =>
      ctx.transaction((database) => {
        database.exec("CREATE TABLE once (one INTEGER UNIQUE); INSERT INTO once VALUES (1)");
        try {
          database.exec("INSERT OR ROLLBACK INTO once VALUES (1)");
        } catch {
          order(database, "by itself");
        }
      }),
    "a statement used after the function": async (ctx) => {
      let kept: SqliteStatement | undefined;
      await ctx
        .transaction((database) => {
          kept = database.prepare("INSERT INTO orders VALUES ('late')");
          throw new Error("not yet");
        })
        .catch(() => undefined);
      kept?.run();
    },
    "its database used after the function": async (ctx) => {
      let kept: SqliteClient | undefined;
      await ctx
        .transaction((database) => {
          kept = database;
          throw new Error("not yet");
        })
        .catch(() => undefined);
      kept?.prepare("INSERT INTO orders VALUES ('late')").run();
    },
    "a second one": async (ctx) => {
      // The first one completes the handler, so that only the second one is undone.
      await ctx.transaction(() => undefined);
      await ctx.transaction((database) => order(database, "second"));
    },
    "one inside another": async (ctx) => {
      let inner: Promise<unknown> | undefined;
      const outer = ctx.transaction((database) => {
        order(database, "outer");
        inner = ctx.transaction((again) => order(again, "inner"));
        inner.catch(() => undefined);
        throw new Error("undone");
      });
      await outer.catch(() => undefined);
      await inner;
    },
  };
  for (const [what, misuse] of Object.entries(misuses)) {
    test(what, async () => {
      const { inbox, serve, orders } = shop();
      let refused: unknown;
      inbox.on("socialdata", "job_finished", async (_, ctx) => {
        await misuse(ctx).catch((error: unknown) => (refused = error));
      });
      await deliver(await serve());
      await inbox.idle();
      expect(refused).toMatchObject({ code: "TRANSACTION_INVALID" });
      expect(orders()).toEqual([]);
      await inbox.close();
    });
  }
});

describe("a transaction that the handler does not wait for", () => {
  test("is waited for before the event is settled, also while another process has the lock", async () => {
    const { file, inbox, serve, record, orders } = shop();
    const locking = new DatabaseSync(file);
    inbox.on("socialdata", "job_finished", ({ data }, { transaction }) => {
      locking.exec("BEGIN IMMEDIATE");
      void transaction((database) => order(database, data.job_id));
      setTimeout(() => locking.exec("COMMIT"), 50);
    });
    await deliver(await serve());
    await inbox.idle();
    expect([orders(), (await record())?.state]).toEqual([["1"], "done"]);
    locking.close();
    await inbox.close();
  });

  test("and fails has failed its handler, and nobody else", async () => {
    const { inbox, serve, record } = shop();
    inbox.on("socialdata", "job_finished", (_, { transaction }) => {
      void transaction((database) => database.exec("INSERT INTO nosuch VALUES (1)"));
    });
    await deliver(await serve());
    await inbox.idle();
    const event = await record();
    expect(event).toMatchObject({ state: "pending", finished: [] });
    expect(event?.history[0]?.failures[0]?.message).toContain("nosuch");
    await inbox.close();
  });
});

test("an answer after the transaction is not followed, and is said so", async () => {
  const { inbox, serve, record, lines } = shop();
  inbox.on("socialdata", "job_finished", async (_, { transaction }) => {
    await transaction(() => undefined);
    return dead("too late");
  });
  await deliver(await serve());
  await inbox.idle();
  const event = await record();
  expect(event).toMatchObject({ state: "done", gaveUp: [] });
  expect(event?.history[0]?.failures[0]?.message).toContain("was not followed");
  // Our own messages quote nothing, so the log has them.
  expect(lines.map(({ level, message }) => `${level} ${message}`)).toContainEqual(
    expect.stringMatching(
      /^warn .*: done, but afterwards .*TRANSACTION_INVALID.*: the answer dead\(\) came after ctx\.transaction/,
    ),
  );
  await inbox.close();
});

test("after its deadline a handler can begin no transaction: the next attempt does the work", async () => {
  const { clock, inbox, serve, orders } = shop();
  let late: Promise<unknown> | undefined;
  let wake: () => void = () => undefined;
  inbox.on("socialdata", "job_finished", { timeoutMs: 1000 }, async ({ data }, ctx) => {
    if (ctx.attempt > 1) return await ctx.transaction((database) => order(database, data.job_id));
    await new Promise<void>((resolve) => (wake = resolve));
    late = ctx.transaction((database) => order(database, "late"));
    return await late;
  });
  await deliver(await serve());
  await vi.waitUntil(() => wake.name !== "wake");
  clock.advance(1000);
  await inbox.idle();
  wake();
  await vi.waitUntil(() => late !== undefined);
  await expect(late).rejects.toMatchObject({ code: "CLAIM_LOST" });
  clock.advance(minute);
  await inbox.idle();
  expect(orders()).toEqual(["1"]);
  await inbox.close();
});

test("after its deadline a handler can begin none, though its attempt is not settled yet", async () => {
  const file = temporaryFile();
  const inner = sqlite(file);
  let letGo: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (letGo = resolve));
  let isSettling = false;
  const store = wrapped(inner, {
    async settle(settlements) {
      isSettling = true;
      await gate;
      return await inner.settle(settlements);
    },
  });
  const { clock, inbox, serve } = deskOn(store);
  let late: Promise<unknown> | undefined;
  let wake: (() => void) | undefined;
  inbox.on("socialdata", "job_finished", { timeoutMs: 1000 }, async (_, { transaction }) => {
    await new Promise<void>((resolve) => (wake = resolve));
    late = transaction(() => undefined);
    await late;
  });
  await deliver(await serve());
  await vi.waitUntil(() => wake !== undefined);
  clock.advance(1000);
  await vi.waitUntil(() => isSettling);
  wake?.();
  await vi.waitUntil(() => late !== undefined);
  await expect(late).rejects.toMatchObject({ code: "CLAIM_LOST" });
  letGo();
  await inbox.idle();
  await inbox.close();
});

/** A store whose transactions wait for a connection until they are let go, and say whether they began. */
function busyStore() {
  let letGo: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (letGo = resolve));
  let hasBegun = false;
  const inner = sqlite(temporaryFile());
  const store = wrapped(inner, {
    transaction: (hold, handler) => {
      const run = inner.transaction?.(hold, handler) as (
        work: (database: SqliteClient) => unknown,
      ) => Promise<unknown>;
      return (async (work: (database: SqliteClient) => unknown) => {
        await gate;
        return await run((database) => {
          const result = work(database);
          hasBegun = true;
          return result;
        });
      }) as SqliteTransaction;
    },
  });
  return { store, letGo: () => letGo(), hasBegun: () => hasBegun };
}

test("a transaction that goes on beyond its handler's deadline keeps no slot, and begins nothing then", async () => {
  const { store, letGo, hasBegun } = busyStore();
  const { clock, inbox, serve, record } = deskOn(store);
  let late: Promise<unknown> | undefined;
  inbox.on("socialdata", "job_finished", { timeoutMs: 1000 }, async (_, { transaction }) => {
    late ??= transaction(() => undefined);
    await late;
  });
  await deliver(await serve());
  await vi.waitUntil(() => late !== undefined);
  await vi.waitUntil(async () => {
    clock.advance(1000);
    return (await record())?.state === "pending";
  });
  expect((await record())?.history[0]?.failures[0]?.message).toContain("within 1000 ms");
  letGo();
  await expect(late).rejects.toMatchObject({ code: "CLAIM_LOST" });
  expect(hasBegun()).toBe(false);
  await closeStuck({ clock, inbox });
});

test("one whose lease had ended while its machine slept goes on, and commits", async () => {
  const { clock, inbox, serve, record, orders } = shop();
  let wake: (() => void) | undefined;
  inbox.on("socialdata", "job_finished", { timeoutMs: 60 * minute }, async ({ data }, ctx) => {
    await new Promise<void>((resolve) => (wake = resolve));
    await ctx.transaction((database) => order(database, data.job_id));
  });
  await deliver(await serve());
  await vi.waitUntil(() => wake !== undefined);
  clock.skip(90 * minute);
  const idle = inbox.idle();
  await vi.waitUntil(async () => (await record())?.crashes === 1);
  wake?.();
  await idle;
  expect([orders(), (await record())?.state]).toEqual([["1"], "done"]);
  await inbox.close();
});

test("one whose event was cancelled meanwhile changes nothing", async () => {
  const { inbox, serve, record, orders } = shop();
  let thrown: unknown;
  inbox.on("socialdata", "job_finished", async ({ key }, { transaction }) => {
    await inbox.cancel(key);
    await transaction((database) => order(database, "late")).catch((error: unknown) => {
      thrown = error;
    });
  });
  await deliver(await serve());
  await inbox.idle();
  expect(thrown).toMatchObject({ code: "CLAIM_LOST" });
  expect([orders(), (await record())?.state]).toEqual([[], "cancelled"]);
  await inbox.close();
});

test("what a transaction finished stays so when the inbox closes before its handler ends", async () => {
  const { file, clock, inbox, serve, orders } = shop();
  let hasCommitted = false;
  inbox.on("socialdata", "job_finished", async ({ data }, { transaction }) => {
    await transaction((database) => order(database, data.job_id));
    hasCommitted = true;
    await new Promise(() => undefined);
  });
  await deliver(await serve());
  await vi.waitUntil(() => hasCommitted);
  await closeStuck({ clock, inbox });
  const after = deskOn(sqlite(file));
  after.inbox.on("socialdata", "job_finished", () => expect.unreachable());
  after.clock.skip(60 * minute);
  await after.inbox.idle();
  expect([orders(), (await after.record())?.state]).toEqual([["1"], "done"]);
  await after.inbox.close();
});

test("a store without transactions has none, in its types and when it runs", async () => {
  const { inbox, serve } = desk();
  let found: unknown = "something";
  inbox.on("socialdata", "job_finished", (_, { transaction }) => {
    const none: undefined = transaction;
    found = none;
  });
  await deliver(await serve());
  await inbox.idle();
  expect(found).toBeUndefined();
});
