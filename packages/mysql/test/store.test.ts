import type { Store } from "@webhook-inbox/core";
import { encrypted } from "@webhook-inbox/core/encrypted";
import { mysql, type MysqlTransaction } from "@webhook-inbox/mysql";
import { storeSuite, type Effects } from "@webhook-inbox/testing/store";
import type { PoolConnection, RowDataPacket } from "mysql2/promise";
import { describe, expect, test } from "vitest";
import { dropTables, tableNames } from "../../../tests/support/mysql-tables.ts";
import { newPrefix, testPool } from "./places.ts";

const pool = testPool();
const prefixes = new WeakMap<object, string>();

/** Effects in a table of the user's own, beside those of the store. */
const effects: Effects = {
  async write(store, { event, fence }, handler, effect, then) {
    const run = (store as Store<MysqlTransaction<PoolConnection>>).transaction?.(
      { key: event.key, fence },
      handler,
    );
    await run?.(async (client) => {
      await client.execute(`INSERT INTO ${prefixes.get(store)}_effects VALUES (?)`, [effect]);
      then?.();
    });
  },
  async read(store) {
    const [rows] = await pool.query<(RowDataPacket & { effect: string })[]>(
      `SELECT effect FROM ${prefixes.get(store)}_effects`,
    );
    return rows.map(({ effect }) => effect);
  },
};

// What the store says of itself is pinned: one that promises less would be tested for less.
const supports = {
  durability: "commit",
  shared: true,
  transactions: true,
  wakeups: false,
} as const;

test("says what it supports", () => expect(mysql(pool).supports).toEqual(supports));

const placeOf = (wrapped: (store: Store) => Store) => async () => {
  const prefix = newPrefix();
  await pool.query(`CREATE TABLE ${prefix}_effects (effect VARCHAR(255) NOT NULL)`);
  return {
    create: () => {
      const store = wrapped(mysql(pool, { prefix }));
      prefixes.set(store, prefix);
      return store;
    },
    // Rows as they are; what the server has not swept up yet is its own affair.
    holds: async (text: string) => {
      for (const name of tableNames) {
        const [rows] = await pool.query<RowDataPacket[]>(`SELECT * FROM ${prefix}_${name}`);
        const values = rows.flatMap((row) => Object.values(row) as unknown[]);
        const isHeld = values.some((value) =>
          (Buffer.isBuffer(value) ? value.toString("latin1") : String(value)).includes(text),
        );
        if (isHeld) return true;
      }
      return false;
    },
    remove: () => dropTables(pool, prefix, "effects"),
  };
};
/** More of them by `MODEL_SEQUENCES`. */
const sequences = Number(process.env["MODEL_SEQUENCES"] ?? 12);
const place = placeOf((store) => store);
storeSuite({ test, supports, place, effects, probes: true, sequences });

describe("encrypted", () => {
  const keys = [{ id: "k", key: "a".repeat(64) }];
  const make = placeOf((store) => encrypted(store, { keys }));
  storeSuite({
    test,
    supports,
    // What a text is encrypted to is not looked for.
    place: async () => {
      const { create, remove } = await make();
      return { create, remove };
    },
    effects,
  });
});
