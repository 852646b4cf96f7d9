import { createInbox, systemClock, type Claim, type Store } from "@webhook-inbox/core";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { postgres, type PostgresTransaction } from "@webhook-inbox/postgres";
import { setTimeout } from "node:timers/promises";
import { Pool, type PoolClient } from "pg";
import { beforeEach, describe, expect, inject, onTestFinished, test } from "vitest";
import { Proxy } from "../../../tests/services/proxy.ts";
import { newEvent } from "../../../tests/support/new-event.ts";
import { ask, serve } from "../../../tests/support/served.ts";
import { newSchema, testPool } from "./places.ts";

type PostgresStore = Store<PostgresTransaction<PoolClient>>;

const pool = testPool();
const handler = "h";
let schema = "";

beforeEach(async () => {
  schema = newSchema();
  await pool.query(
    `CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.effects (effect text NOT NULL)`,
  );
  return async () => void (await pool.query(`DROP SCHEMA ${schema} CASCADE`));
});

/** A store with one claimed event. */
async function claimed(store: PostgresStore): Promise<Claim> {
  await store.open({ clock: systemClock });
  const terms = { fence: "f", leaseMs: 60_000, slots: { socialdata: 1 } };
  const [taken] = await store.take([newEvent("socialdata", "1", "job_finished")], terms);
  if (taken?.kind !== "taken" || taken.claim === undefined) throw new Error("it is not claimed");
  return taken.claim;
}

const effects = async (): Promise<number> =>
  (await pool.query(`SELECT FROM ${schema}.effects`)).rowCount ?? 0;

const insert = (client: PoolClient): Promise<unknown> =>
  client.query(`INSERT INTO ${schema}.effects VALUES ('one')`);

describe("what a function must not do", () => {
  const bad: Readonly<Record<string, (client: PoolClient) => Promise<unknown>>> = {
    "commit: it is told that what it did was kept": (client) => client.query("COMMIT"),
    "roll back": (client) => client.query("ROLLBACK"),
    "begin anew": (client) => client.query("ROLLBACK; BEGIN"),
    "pass over the error of a statement": (client) =>
      client.query("SELECT 1 / 0").catch(() => undefined),
  };
  for (const [what, act] of Object.entries(bad)) {
    test(what, async () => {
      const store = postgres(pool, { schema });
      const { event, fence } = await claimed(store);
      const run = store.transaction?.({ key: event.key, fence }, handler);
      const running = run?.(async (client) => {
        await insert(client);
        await act(client);
      });
      await expect(running).rejects.toMatchObject({ code: "TRANSACTION_INVALID" });
      expect((await store.get(event.key))?.event.finished).toEqual([]);
      expect(await effects()).toBe(what.startsWith("commit") ? 1 : 0);
    });
  }
});

test("an answer to COMMIT that is lost on its way is asked for again", async () => {
  const target = new URL(inject("postgresUrl"));
  const proxy = new Proxy({ port: Number(target.port) });
  target.port = String(await proxy.listen());
  const cut = new Pool({ connectionString: target.href, max: 4 });
  cut.on("error", () => undefined);
  onTestFinished(async () => {
    await proxy.close();
    await cut.end();
  });
  const store = postgres(cut, { schema, timeoutMs: 2000 });
  const { event, fence } = await claimed(store);
  const run = store.transaction?.({ key: event.key, fence }, handler);
  const running = run?.(async (client) => {
    await insert(client);
    proxy.loseAnswerTo("COMMIT");
    return "result";
  });
  expect(await running).toBe("result");
  expect(await effects()).toBe(1);
  expect((await store.get(event.key))?.event.finished).toEqual([handler]);
});

test("more handlers at once than the pool has connections wait for one another, and all end", async () => {
  const small = new Pool({ connectionString: inject("postgresUrl"), max: 3 });
  onTestFinished(() => small.end());
  const store = postgres(small, { schema });
  const inbox = createInbox({
    store,
    sources: { socialdata: socialData({ token: "t" }) },
    logger: false,
  });
  inbox.on("socialdata", "job_finished", async (_, ctx) => {
    await ctx.transaction((client) => insert(client));
  });
  const served = await serve(inbox);
  const deliveries = Array.from({ length: 20 }, (_, n) => {
    const data = { job_id: n, status: "error" };
    return ask(served, "/webhooks/socialdata/t", {
      body: JSON.stringify({ event: "job_finished", data }),
    });
  });
  for (const { status } of await Promise.all(deliveries)) expect(status).toBe(200);
  await inbox.idle();
  expect(await effects()).toBe(20);
  expect((await inbox.list({ state: "done" })).events.length).toBe(20);
  await inbox.close();
});

test("a statement that a function left under way when it failed is not kept", async () => {
  const store = postgres(pool, { schema });
  const { event, fence } = await claimed(store);
  let late: Promise<unknown> | undefined;
  const run = store.transaction?.({ key: event.key, fence }, handler);
  const running = run?.(async (client) => {
    await insert(client);
    late = setTimeout(20).then(() => insert(client));
    late.catch(() => undefined);
    throw new Error("the CRM is away");
  });
  await expect(running).rejects.toThrow("the CRM is away");
  await expect(late).rejects.toThrow();
  expect(await effects()).toBe(0);
});

test("a claim that was lost while the function ran undoes it", async () => {
  const store = postgres(pool, { schema });
  const { event, fence } = await claimed(store);
  const run = store.transaction?.({ key: event.key, fence }, handler);
  const running = run?.(async (client) => {
    await insert(client);
    const by = { by: "", reason: "", dryRun: false, limit: 1 };
    await store.intervene({ keys: [event.key] }, { ...by, act: "cancel" });
  });
  await expect(running).rejects.toMatchObject({ code: "CLAIM_LOST" });
  expect(await effects()).toBe(0);
});

test("duplicates that arrive while the function runs do not wait for it", async () => {
  const store = postgres(pool, { schema });
  const { event, fence } = await claimed(store);
  const run = store.transaction?.({ key: event.key, fence }, handler);
  await run?.(async (client) => {
    await insert(client);
    const again = await store.take([newEvent("socialdata", "1", "job_finished")], {
      fence: "g",
      leaseMs: 1,
      slots: {},
    });
    expect(again).toEqual([{ kind: "duplicate" }]);
  });
  expect((await store.get(event.key))?.event).toMatchObject({ duplicates: 1, finished: [handler] });
});
