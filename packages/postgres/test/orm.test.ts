/** Transactions of other data layers: the handler's effects go through them, and are completed with them. */

import { systemClock, type Claim, type Store } from "@webhook-inbox/core";
import { postgres, type PostgresBegin, type PostgresTransaction } from "@webhook-inbox/postgres";
import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { CompiledQuery, Kysely, PostgresDialect, type Transaction } from "kysely";
import { beforeEach, describe, expect, test } from "vitest";
import { newEvent } from "../../../tests/support/new-event.ts";
import { newSchema, testPool } from "./places.ts";

const pool = testPool();
let schema = "";

beforeEach(async () => {
  schema = newSchema();
  await pool.query(
    `CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.effects (effect text NOT NULL)`,
  );
  return async () => void (await pool.query(`DROP SCHEMA ${schema} CASCADE`));
});

async function claimed<Client>(store: Store<PostgresTransaction<Client>>): Promise<Claim> {
  await store.open({ clock: systemClock });
  const terms = { fence: "f", leaseMs: 60_000, slots: { a: 1 } };
  const [taken] = await store.take([newEvent("a", "1", "x")], terms);
  if (taken?.kind !== "taken" || taken.claim === undefined) throw new Error("it is not claimed");
  return taken.claim;
}

/** An effect that fails leaves nothing; one that succeeds is there with its completion. */
async function proves<Client>(
  store: Store<PostgresTransaction<Client>>,
  insert: (client: Client) => Promise<unknown>,
): Promise<void> {
  const { event, fence } = await claimed(store);
  const hold = { key: event.key, fence };
  const count = async (): Promise<number | null> =>
    (await pool.query(`SELECT FROM ${schema}.effects`)).rowCount;
  const failing = store.transaction?.(
    hold,
    "h",
  )(async (client) => {
    await insert(client);
    throw new Error("mine");
  });
  await expect(failing).rejects.toThrow("mine");
  expect(await count()).toBe(0);
  expect(
    await store.transaction?.(hold, "h")((client) => insert(client).then(() => "result")),
  ).toBe("result");
  expect(await count()).toBe(1);
  expect((await store.get(event.key))?.event.finished).toEqual(["h"]);
  const zombie = store.transaction?.({ key: event.key, fence: "lost" }, "h")(insert);
  await expect(zombie).rejects.toMatchObject({ code: "CLAIM_LOST" });
  expect(await count()).toBe(1);
}

describe("Drizzle", () => {
  test("on the connection that handlers get", async () => {
    await proves(postgres(pool, { schema }), (client) =>
      drizzle({ client }).execute(sql`INSERT INTO ${sql.raw(schema)}.effects VALUES ('one')`),
    );
  });

  test("by its own transactions", async () => {
    const db = drizzle({ client: pool });
    type Tx = Parameters<Parameters<typeof db.transaction>[0]>[0];
    const begin: PostgresBegin<Tx> = (work) =>
      db.transaction((tx) =>
        work(tx, async (text, values) => {
          const parts = text
            .split(/\$(\d+)/)
            .map((part, at) =>
              at % 2 === 1 ? sql.param(values[Number(part) - 1]) : sql.raw(part),
            );
          return (await tx.execute(sql.join(parts, sql.raw("")))).rows;
        }),
      );
    await proves(postgres(pool, { schema, begin }), (tx) =>
      tx.execute(sql`INSERT INTO ${sql.raw(schema)}.effects VALUES ('one')`),
    );
  });
});

describe("Kysely", () => {
  interface Tables {
    effects: { effect: string };
  }
  const db = new Kysely<Tables>({
    dialect: new PostgresDialect({ pool }),
  });

  test("by its own transactions", async () => {
    const begin: PostgresBegin<Transaction<Tables>> = (work) =>
      db.transaction().execute((trx) =>
        work(trx, async (text, values) => {
          const { rows } = await trx.executeQuery(CompiledQuery.raw(text, [...values]));
          return rows as object[];
        }),
      );
    await proves(postgres(pool, { schema, begin }), (trx) =>
      trx.withSchema(schema).insertInto("effects").values({ effect: "one" }).execute(),
    );
  });
});
