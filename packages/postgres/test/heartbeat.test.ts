import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInbox } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { postgres } from "@webhook-inbox/postgres";
import { Pool } from "pg";
import { expect, inject, onTestFinished, test, vi } from "vitest";
import { Proxy } from "../../../tests/services/proxy.ts";
import { blocksAndKeeps } from "../../../tests/support/blocking-handler.ts";
import { ask, serve } from "../../../tests/support/served.ts";
import { wrapped } from "../../../tests/support/wrapped.ts";
import { newSchema, testPool } from "./places.ts";

const pool = testPool();

test("a handler that blocks the event loop keeps its event", { timeout: 30_000 }, async () => {
  const schema = newSchema();
  onTestFinished(async () => void (await pool.query(`DROP SCHEMA ${schema} CASCADE`)));
  await blocksAndKeeps(postgres(pool, { schema }));
});

/** Ends all connections of an application again and again, as long as its handlers block, and says how long leases had left at least. */
const cutting = `
  const { Client } = require("pg");
  const [url, application, schema] = process.argv.slice(1);
  const client = new Client(url);
  const left = \`SELECT min(lease_ends_at - extract(epoch FROM clock_timestamp()) * 1000)::int AS left
    FROM \${schema}.events WHERE state = 'running'\`;
  const end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1";
  let cuts = 0;
  let least = Infinity;
  (async () => {
    await client.connect();
    console.log("ready");
    for (let n = 0; ; n++) {
      const { rows } = await client.query(left);
      if (rows[0].left === null && cuts > 0) break;
      if (rows[0].left !== null) {
        least = Math.min(least, rows[0].left);
        if (n % 20 === 0) cuts += (await client.query(end, [application])).rowCount;
      }
      await new Promise((done) => setTimeout(done, 25));
    }
    console.log(JSON.stringify({ cuts, least }));
    await client.end();
  })();`;

test(
  "a heartbeat whose connection is cut is there again before its leases end",
  { timeout: 30_000 },
  async () => {
    const schema = newSchema();
    const connectionString = inject("postgresUrl");
    const own = new Pool({ connectionString, application_name: schema });
    own.on("error", () => undefined);
    const inbox = createInbox({
      store: postgres(own, { schema }),
      sources: { audata: audata({ auth: "none" }) },
      work: { leaseMs: 1200 },
      logger: false,
    });
    onTestFinished(async () => {
      await own.end();
      await pool.query(`DROP SCHEMA ${schema} CASCADE`);
    });
    inbox.on("audata", "*", () => {
      const end = Date.now() + 4000;
      while (Date.now() < end);
    });
    await inbox.start();
    const served = await serve(inbox);
    const given = ["-e", cutting, connectionString, schema, schema];
    const other = spawn(process.execPath, given, { cwd: import.meta.dirname });
    let said = "";
    other.stdout.on("data", (text: Buffer) => (said += text.toString()));
    const ended = once(other, "close");
    await once(other.stdout, "data");
    await ask(served, "/webhooks/audata?event=Prize.created&webhookCallId=1&sender[id]=1", {
      method: "GET",
    });
    await inbox.idle();
    await ended;
    const { cuts, least } = JSON.parse(said.slice("ready".length)) as Record<string, number>;
    expect(cuts).toBeGreaterThan(3);
    expect(least).toBeGreaterThan(0);
    const { events } = await inbox.list();
    expect(events.map(({ state, attempts }) => [state, attempts])).toEqual([["done", 1]]);
  },
);

test("options that cannot be handed to a thread give none", () => {
  const connectionString = inject("postgresUrl");
  expect(postgres(pool).threadAccess).toBeDefined();
  const secret = new Pool({ connectionString, password: async () => "fetched" });
  expect(postgres(secret).threadAccess).toBeUndefined();
  const hidden = new Pool({ host: "127.0.0.1", user: "u", password: "hidden" });
  const { options } = postgres(hidden).threadAccess ?? {};
  expect(options).toMatchObject({ config: { password: "hidden", max: 1 } });
});

test("the key of a certificate is handed to the thread, which the pool hides from whoever looks", () => {
  expect(() => postgres(new Pool({ host: "127.0.0.1", ssl: null as never }))).not.toThrow();
  const certified = new Pool({ host: "127.0.0.1", user: "u", ssl: { cert: "c", key: "k" } });
  const { options } = postgres(certified).threadAccess ?? {};
  expect(options).toMatchObject({ config: { ssl: { cert: "c", key: "k" } } });
});

test("a thread that cannot connect is told of, and leases last as long as handlers may run until it can", async () => {
  const schema = newSchema();
  onTestFinished(async () => void (await pool.query(`DROP SCHEMA ${schema} CASCADE`)));
  const server = new URL(inject("postgresUrl"));
  const proxy = new Proxy({ port: Number(server.port) });
  const port = await proxy.listen();
  onTestFinished(() => proxy.close());
  server.port = String(port);
  const { threadAccess } = postgres(new Pool({ connectionString: server.href }), { schema });
  if (threadAccess === undefined) throw new Error("it has no thread");
  const inner = postgres(pool, { schema });
  const asked: number[] = [];
  const store = wrapped(inner, {
    threadAccess,
    take: (events, terms) => {
      asked.push(terms.leaseMs);
      return inner.take(events, terms);
    },
  });
  const signals: string[] = [];
  const inbox = createInbox({
    store,
    sources: { audata: audata({ auth: "none" }) },
    work: { leaseMs: 600 },
    logger: false,
    onSignal: (signal) => void signals.push(JSON.stringify(signal)),
  });
  onTestFinished(() => inbox.close());
  inbox.on("audata", "Prize.created", { timeoutMs: 20_000 }, () => undefined);
  const served = await serve(inbox);
  const failed = (): boolean => signals.some((signal) => signal.includes("heartbeat_failed"));
  let call = 0;
  const lease = async (): Promise<number | undefined> => {
    const query = `event=Prize.created&webhookCallId=${(call += 1)}`;
    await ask(served, `/webhooks/audata?${query}`, { method: "GET" });
    return asked.at(-1);
  };
  proxy.cut();
  expect(await lease()).toBe(600);
  await vi.waitUntil(failed, 10_000);
  expect(await lease()).toBe(20_600);
  expect(signals.filter((signal) => signal.includes("heartbeat_failed"))).toEqual([
    expect.stringContaining("STORE_UNAVAILABLE"),
  ]);
  proxy.mend();
  await vi.waitUntil(async () => (await lease()) === 600, 10_000);
});
