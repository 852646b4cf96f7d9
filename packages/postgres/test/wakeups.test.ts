import { systemClock } from "@webhook-inbox/core";
import { postgres } from "@webhook-inbox/postgres";
import { Pool } from "pg";
import { expect, inject, onTestFinished, test } from "vitest";
import { Proxy } from "../../../tests/services/proxy.ts";
import { newEvent } from "../../../tests/support/new-event.ts";
import { newSchema, testPool } from "./places.ts";

const pool = testPool();
const ask = { fence: "f", leaseMs: 1000, slots: {} };

/** A pool behind a network that can be cut. */
async function proxied(max: number): Promise<{ readonly far: Pool; readonly proxy: Proxy }> {
  const target = new URL(inject("postgresUrl"));
  const proxy = new Proxy({ port: Number(target.port) });
  target.port = String(await proxy.listen());
  const far = new Pool({ connectionString: target.href, max });
  far.on("error", () => undefined);
  onTestFinished(async () => {
    await proxy.close();
    await far.end();
  });
  return { far, proxy };
}

for (const how of ["cut", "abandon"] as const) {
  test(`wake-ups go on after the network was gone (${how})`, { timeout: 60_000 }, async () => {
    const schema = newSchema();
    const { far, proxy } = await proxied(5);
    const receiver = postgres(pool, { schema });
    const worker = postgres(far, { schema, timeoutMs: 1000 });
    onTestFinished(async () => {
      await worker.close();
      await receiver.close();
      await pool.query(`DROP SCHEMA ${schema} CASCADE`);
    });
    await receiver.open({ clock: systemClock });
    await worker.open({ clock: systemClock });
    let heard = 0;
    let ring: () => void = () => undefined;
    const next = (): Promise<void> => new Promise((resolve) => (ring = resolve));
    const beginning = next();
    worker.subscribe?.(() => {
      heard += 1;
      ring();
    });
    await beginning;
    const first = next();
    await receiver.take([newEvent("a", "1", "x")], ask);
    await first;
    proxy[how]();
    const before = heard;
    await receiver.take([newEvent("a", "2", "x")], ask);
    expect(heard).toBe(before);
    const again = next();
    proxy.mend();
    // It tells that it listens anew, for what was left meanwhile.
    await again;
    const last = next();
    await receiver.take([newEvent("a", "3", "x")], ask);
    await last;
  });
}

test("a connection that dies before it listens is followed by another one soon", async () => {
  const schema = newSchema();
  const { far, proxy } = await proxied(5);
  const receiver = postgres(pool, { schema });
  const worker = postgres(far, { schema, timeoutMs: 1000 });
  onTestFinished(async () => {
    await worker.close();
    await receiver.close();
    await pool.query(`DROP SCHEMA ${schema} CASCADE`);
  });
  await receiver.open({ clock: systemClock });
  await worker.open({ clock: systemClock });
  let ring: () => void = () => undefined;
  const next = (): Promise<void> => new Promise((resolve) => (ring = resolve));
  proxy.loseAnswerTo("LISTEN");
  const listens = next();
  worker.subscribe?.(() => ring());
  await listens;
  const heard = next();
  await receiver.take([newEvent("a", "1", "x")], ask);
  await heard;
});

test("a pool with few connections keeps all of them for work", async () => {
  const schema = newSchema();
  const small = new Pool({ connectionString: inject("postgresUrl"), max: 2 });
  const store = postgres(small, { schema });
  onTestFinished(async () => {
    await store.close();
    await small.query(`DROP SCHEMA ${schema} CASCADE`);
    await small.end();
  });
  await store.open({ clock: systemClock });
  store.subscribe?.(() => undefined);
  await store.take([newEvent("a", "1", "x")], ask);
  expect(small.idleCount).toBe(small.totalCount);
});

test("a store that is closed asks nothing more of its pool, however early that is", async () => {
  const schema = newSchema();
  const own = new Pool({ connectionString: inject("postgresUrl"), max: 4 });
  onTestFinished(async () => {
    await own.query(`DROP SCHEMA ${schema} CASCADE`);
    await own.end();
  });
  for (let turns = 0; turns < 12; turns++) {
    const store = postgres(own, { schema });
    await store.open({ clock: systemClock });
    store.subscribe?.(() => undefined);
    await store.take([newEvent("a", String(turns), "x")], ask);
    for (let turn = 0; turn < turns; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    await store.close();
    expect([own.waitingCount, own.totalCount - own.idleCount]).toEqual([0, 0]);
  }
});
