import { systemClock, type Store } from "@webhook-inbox/core";
import { mysql, schemaSql, type MysqlTransaction } from "@webhook-inbox/mysql";
import { createPool as createCallbackPool } from "mysql2";
import { createPool, type PoolConnection, type RowDataPacket } from "mysql2/promise";
import {
  afterAll,
  beforeAll,
  describe,
  expect,
  expectTypeOf,
  inject,
  onTestFinished,
  test,
} from "vitest";
import { startMysql } from "../../../tests/services/mysql.ts";
import type { Server } from "../../../tests/services/server.ts";
import { newEvent } from "../../../tests/support/new-event.ts";
import { blocksAndKeeps } from "../../../tests/support/blocking-handler.ts";
import { dropTables } from "../../../tests/support/mysql-tables.ts";
import { newPrefix, testPool } from "./places.ts";

const pool = testPool();
const context = { clock: systemClock };

/** Tables that are gone when the test ends. */
function prefixOfTest(): string {
  const prefix = newPrefix();
  onTestFinished(() => dropTables(pool, prefix, "effects"));
  return prefix;
}

describe("options", () => {
  test("what cannot be is refused at once, and says what to write", () => {
    const invalid = expect.objectContaining({ code: "OPTION_INVALID" }) as unknown;
    for (const prefix of ["", "Upper", "a-b", "a`; DROP", "x".repeat(41)]) {
      expect(() => mysql(pool, { prefix })).toThrow(invalid);
    }
    expect(() => mysql(pool, { prefx: "x" } as never)).toThrow(/no option "prefx"/);
    expect(() => mysql(pool, { timeoutMs: 0 })).toThrow(invalid);
    expect(() => mysql(pool, { migrate: "maybe" as never })).toThrow(invalid);
    expect(() => mysql("mysql://x" as never)).toThrow(/must be a pool/);
    const callbacks = createCallbackPool({ host: "127.0.0.1" });
    onTestFinished(() => callbacks.end());
    expect(() => mysql(callbacks as never)).toThrow(/give pool\.promise\(\)/);
  });

  test("the client of a transaction is the one of the pool", () => {
    expectTypeOf(mysql(pool)).toEqualTypeOf<Store<MysqlTransaction<PoolConnection>>>();
  });
});

test("whatever the settings of the user's pool and session are, what comes out is what went in", async () => {
  const prefix = prefixOfTest();
  const odd = createPool({
    uri: inject("mysqlUrl"),
    charset: "latin1_swedish_ci",
    rowsAsArray: true,
    namedPlaceholders: true,
    bigNumberStrings: true,
    supportBigNumbers: true,
    dateStrings: true,
    timezone: "+09:00",
    typeCast: () => "nothing of the kind",
  });
  onTestFinished(() => odd.end());
  odd.on("connection", (connection) => {
    void connection.query("SET sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES', time_zone = '-07:00'");
  });
  const store = mysql(odd, { prefix });
  await store.open(context);
  const words = `Zoë's "café" \\ 日本 \u{1F389} % _ 'x' `;
  const event = { ...newEvent("a", words, words, words), lane: undefined };
  await store.take([event], { fence: "f", leaseMs: 1000, slots: {} });
  const kept = await store.get(event.key);
  expect(kept?.event).toMatchObject({ id: words, type: words, state: "pending" });
  expect(Buffer.from(kept?.delivery?.body ?? []).toString()).toBe(words);
  expect((await store.list({ type: words })).events).toHaveLength(1);
  expect((await store.list({ type: words.trim() })).events).toHaveLength(0);
});

test("a delivery that is too large for the server is one that cannot be taken, and hinders no other", async () => {
  const prefix = prefixOfTest();
  const store = mysql(pool, { prefix });
  await store.open(context);
  const [rows] = await pool.query<RowDataPacket[]>("SELECT @@max_allowed_packet AS bytes");
  const large = newEvent("a", "large", "x", "x".repeat(Number(rows[0]?.["bytes"])));
  const terms = { fence: "f", leaseMs: 1000, slots: {} };
  const taking = store.take([large], terms);
  await expect(taking).rejects.toThrow(/larger than the server's max_allowed_packet/);
  await expect(taking).rejects.not.toMatchObject({ code: "STORE_UNAVAILABLE" });
  expect(await store.take([newEvent("a", "small", "x")], terms)).toEqual([{ kind: "taken" }]);
});

describe("migrations", () => {
  test("instances that start at once make the tables once", async () => {
    const prefix = prefixOfTest();
    const stores = Array.from({ length: 6 }, () => mysql(pool, { prefix }));
    await Promise.all(stores.map((store) => store.open(context)));
    expect((await stores[0]?.list({}))?.events).toEqual([]);
  });

  test("`check` refuses to make them, and is content with what schemaSql prints, also twice", async () => {
    const prefix = prefixOfTest();
    const store = mysql(pool, { prefix, migrate: "check" });
    await expect(store.open(context)).rejects.toMatchObject({
      code: "STORE_INCOMPATIBLE",
      message: expect.stringContaining(`schemaSql({ prefix: "${prefix}", from: 0 })`) as string,
    });
    const printed = schemaSql({ prefix });
    for (const sql of [...printed.split(";\n"), ...printed.split(";\n")]) {
      if (sql.trim() !== "") await pool.query(sql);
    }
    await store.open(context);
    expect((await store.list({})).events).toEqual([]);
  });

  test("one that was interrupted is done again", async () => {
    const prefix = prefixOfTest();
    await mysql(pool, { prefix }).open(context);
    await pool.query(`DROP TABLE ${prefix}_tallies`);
    await pool.query(`DELETE FROM ${prefix}_meta`);
    const store = mysql(pool, { prefix });
    await store.open(context);
    expect(await store.tally({})).toEqual([]);
  });

  test("a later version that works with this one is no hindrance; one that does not is refused", async () => {
    const prefix = prefixOfTest();
    await mysql(pool, { prefix }).open(context);
    await pool.query(`UPDATE ${prefix}_meta SET value = 2 WHERE name = 'schema'`);
    await mysql(pool, { prefix }).open(context);
    await pool.query(`UPDATE ${prefix}_meta SET value = 2 WHERE name = 'works_from'`);
    await expect(mysql(pool, { prefix }).open(context)).rejects.toMatchObject({
      code: "STORE_INCOMPATIBLE",
    });
  });
});

describe("a server that would lose events, or cannot be written", () => {
  let server: Server;
  beforeAll(async () => {
    server = await startMysql();
  });
  afterAll(() => server.remove());

  test.each([
    ["--innodb-flush-log-at-trx-commit=2", "STORE_LOSSY", "innodb_flush_log_at_trx_commit = 1"],
    ["--innodb-flush-log-at-trx-commit=0", "STORE_LOSSY", "innodb_flush_log_at_trx_commit = 1"],
    ["--innodb-doublewrite=0", "STORE_LOSSY", "innodb_doublewrite = ON"],
    ["--log-bin=bin", "STORE_LOSSY", "sync_binlog = 1"],
    ["--innodb-flush-method=nosync", "STORE_LOSSY", "innodb_flush_method = fsync"],
    ["--read-only=1", "STORE_UNAVAILABLE", "Connect to the primary"],
    ["--autocommit=0", "STORE_INCOMPATIBLE", "autocommit"],
  ])("is refused: %s", async (setting, code, advice) => {
    await server.stop("SIGTERM");
    await server.start(setting);
    const lossy = createPool({ uri: server.url });
    onTestFinished(() => lossy.end());
    await expect(mysql(lossy).open(context)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(advice) as string,
    });
  });

  test("without a database it says so", async () => {
    const nowhere = createPool({ uri: inject("mysqlUrl").replace(/\/[^/]*$/, "/") });
    onTestFinished(() => nowhere.end());
    await expect(mysql(nowhere).open(context)).rejects.toThrow(/names no database/);
  });
});

test("a handler that blocks the event loop keeps its event", { timeout: 30_000 }, () =>
  blocksAndKeeps(mysql(pool, { prefix: prefixOfTest() })),
);

describe("what a function of ctx.transaction must not do", () => {
  const bad: Readonly<Record<string, (client: PoolConnection) => Promise<unknown>>> = {
    "commit: what it did is kept": (client) => client.query("COMMIT"),
    "change tables: MySQL commits before it": (client) =>
      client.query("CREATE TABLE IF NOT EXISTS never_mind (n INT)"),
    "roll back": (client) => client.query("ROLLBACK"),
  };
  for (const [what, act] of Object.entries(bad)) {
    test(what, async () => {
      const prefix = prefixOfTest();
      await pool.query(`CREATE TABLE ${prefix}_effects (effect VARCHAR(255) NOT NULL)`);
      const store = mysql(pool, { prefix });
      await store.open(context);
      const terms = { fence: "f", leaseMs: 60_000, slots: { a: 1 } };
      const event = newEvent("a", "1", "x");
      await store.take([event], terms);
      const run = store.transaction?.({ key: event.key, fence: "f" }, "h");
      const running = run?.(async (client) => {
        await client.query(`INSERT INTO ${prefix}_effects VALUES ('one')`);
        await act(client);
      });
      await expect(running).rejects.toMatchObject({ code: "TRANSACTION_INVALID" });
      expect((await store.get(event.key))?.event.finished).toEqual([]);
      const [rows] = await pool.query<RowDataPacket[]>(`SELECT * FROM ${prefix}_effects`);
      expect(rows.length).toBe(what.startsWith("roll") ? 0 : 1);
    });
  }
});
