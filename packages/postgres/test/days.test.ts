/** Days of deliveries: forgotten as a whole, but for what is needed still. */

import { systemClock, type Store } from "@webhook-inbox/core";
import { postgres } from "@webhook-inbox/postgres";
import { beforeEach, expect, test } from "vitest";
import { newEvent } from "../../../tests/support/new-event.ts";
import { newSchema, testPool } from "./places.ts";

const pool = testPool();
const dayMs = 86_400_000;
const today = Math.floor(Date.now() / dayMs) * dayMs;
const old = today - 40 * dayMs;
const table = (from: number): string =>
  `deliveries_${new Date(from).toISOString().slice(0, 10).replaceAll("-", "_")}`;

let schema = "";
let store: Store;

beforeEach(async () => {
  schema = newSchema();
  store = postgres(pool, { schema });
  await store.open({ clock: systemClock });
  await makeDay(old);
  return async () => void (await pool.query(`DROP SCHEMA ${schema} CASCADE`));
});

const makeDay = (from: number): Promise<unknown> =>
  pool.query(
    `CREATE TABLE ${schema}.${table(from)} PARTITION OF ${schema}.deliveries FOR VALUES FROM (${from}) TO (${from + dayMs})`,
  );

async function days(): Promise<readonly string[]> {
  const { rows } = await pool.query<{ tablename: string }>(
    "SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename LIKE 'deliveries_2%' ORDER BY 1",
    [schema],
  );
  return rows.map(({ tablename }) => tablename);
}

/** Events received on a day, taken and settled as done, or left as they are. */
async function received(from: number, ids: readonly string[], isDone: boolean): Promise<void> {
  const events = ids.map((id, n) => {
    const event = newEvent("a", id, "x", `body of ${id}`);
    return { ...event, delivery: { ...event.delivery, receivedAt: from + 1000 + n } };
  });
  const slots = isDone ? { a: ids.length } : {};
  const answers = await store.take(events, { fence: ids.join(), leaseMs: 60_000, slots });
  if (!isDone) return;
  const fence = ids.join();
  const end = { outcome: { state: "done" }, finished: [], gaveUp: [], history: [] } as const;
  await store.settle(events.map(({ key }) => ({ key, fence, ...end })));
  expect(answers.length).toBe(ids.length);
}

async function pruned(): Promise<number> {
  let payloads = 0;
  let cursor: string | undefined;
  do {
    const ask = { payloadMs: 30 * dayMs, keyMs: 1e14, refusedMax: 0, limit: 50 };
    const answer = await store.prune(cursor === undefined ? ask : { ...ask, cursor });
    payloads += answer.payloads;
    ({ cursor } = answer);
  } while (cursor !== undefined);
  return payloads;
}

const bodyOf = async (id: string): Promise<string | undefined> => {
  const kept = await store.get(newEvent("a", id, "x").key);
  return kept?.delivery === undefined ? undefined : String(kept.delivery.body);
};

test("today and the days to come have tables", async () => {
  const ahead = Array.from({ length: 8 }, (_, n) => table(today + n * dayMs));
  expect(await days()).toEqual([table(old), ...ahead]);
});

test("a day that is over goes as a whole; what is not over is kept, and can be handled", async () => {
  await received(old, ["1", "2", "3"], true);
  await received(old, ["waits"], false);
  await received(today, ["young"], true);
  expect(await pruned()).toBe(3);
  expect(await days()).not.toContain(table(old));
  expect([await bodyOf("1"), await bodyOf("waits"), await bodyOf("young")]).toEqual([
    undefined,
    "body of waits",
    "body of young",
  ]);
  const ask = {
    fence: "f",
    leaseMs: 1,
    slots: { a: 9 },
    suspectsMax: 0,
    crashesMax: 0,
    bytesMax: 1e9,
  };
  expect((await store.claim(ask)).claims.map(({ event }) => event.id)).toEqual(["waits"]);
});

test("a day of which much is needed still is forgotten one by one", async () => {
  const many = Array.from({ length: 1100 }, (_, n) => `waits ${n}`);
  await received(old, many, false);
  await received(old, ["1", "2"], true);
  expect(await pruned()).toBe(2);
  expect(await days()).toContain(table(old));
  expect(await bodyOf("waits 1099")).toBe("body of waits 1099");
  expect(await bodyOf("1")).toBe(undefined);
});

test("a day that somebody reads just now keeps nobody waiting, and no other day from being forgotten", async () => {
  const older = old - dayMs;
  await makeDay(older);
  await received(older, ["1"], true);
  await received(old, ["2"], true);
  const reader = await pool.connect();
  await reader.query(`BEGIN; SELECT count(*) FROM ${schema}.${table(older)}`);
  expect(await pruned()).toBe(2);
  await reader.query("ROLLBACK");
  reader.release();
  expect([await bodyOf("1"), await bodyOf("2")]).toEqual([undefined, undefined]);
  expect(await days()).toContain(table(older));
  await pruned();
  expect(await days()).not.toContain(table(older));
});
