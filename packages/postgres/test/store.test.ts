import { postgres, type PostgresTransaction } from "@webhook-inbox/postgres";
import { storeSuite, type Effects } from "@webhook-inbox/testing/store";
import type { Store } from "@webhook-inbox/core";
import { encrypted } from "@webhook-inbox/core/encrypted";
import type pg from "pg";
import { describe, expect, test } from "vitest";
import { newSchema, testPool } from "./places.ts";

const pool = testPool();
const schemas = new WeakMap<object, string>();

/** Effects in a table of the user's own, beside those of the store. */
const effects: Effects = {
  async write(store, { event, fence }, handler, effect, then) {
    const run = (store as Store<PostgresTransaction<pg.PoolClient>>).transaction?.(
      { key: event.key, fence },
      handler,
    );
    await run?.(async (client) => {
      await client.query(`INSERT INTO ${schemas.get(store)}.effects VALUES ($1)`, [effect]);
      then?.();
    });
  },
  async read(store) {
    const { rows } = await pool.query<{ effect: string }>(
      `SELECT effect FROM ${schemas.get(store)}.effects`,
    );
    return rows.map(({ effect }) => effect);
  },
};

// What the store says of itself is pinned: one that promises less would be tested for less.
const supports = { durability: "commit", shared: true, transactions: true, wakeups: true } as const;

test("says what it supports", () => expect(postgres(pool).supports).toEqual(supports));

const placeOf = (wrapped: (store: Store) => Store) => async () => {
  const schema = newSchema();
  await pool.query(
    `CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.effects (effect text NOT NULL)`,
  );
  return {
    create: () => {
      const store = wrapped(postgres(pool, { schema }));
      schemas.set(store, schema);
      return store;
    },
    // Rows as they are; what the server has not swept up yet is its own affair.
    holds: async (text: string) => {
      const tables = ["events", "deliveries", "tallies"].map(
        (name) => `SELECT t::text AS row FROM ${schema}.${name} AS t`,
      );
      const bodies = `SELECT encode(body, 'escape') AS row FROM ${schema}.deliveries`;
      const { rows } = await pool.query<{ row: string }>([...tables, bodies].join(" UNION ALL "));
      return rows.some(({ row }) => row.includes(text));
    },
    remove: async () => {
      await pool.query(`DROP SCHEMA ${schema} CASCADE`);
    },
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
