import { postgres } from "@webhook-inbox/postgres";
import { outageSuite } from "@webhook-inbox/testing/store";
import { Client, Pool } from "pg";
import { afterAll, beforeAll, test } from "vitest";
import { startPostgres } from "../../../tests/services/postgres.ts";
import { Proxy } from "../../../tests/services/proxy.ts";
import type { Server } from "../../../tests/services/server.ts";
import { newSchema } from "./places.ts";

// A server of this file's own: it is killed, frozen and filled with connections.
let server: Server;
let proxy: Proxy;
let port = 0;

beforeAll(async () => {
  server = await startPostgres("-c", "max_connections=12");
  proxy = new Proxy(server);
  port = await proxy.listen();
});
afterAll(async () => {
  await proxy.close();
  await server.remove();
});

const url = (at: number): string => `postgres://postgres@127.0.0.1:${at}/postgres`;

/** Runs statements on a connection past the proxy. */
async function ask(...texts: readonly string[]): Promise<void> {
  const client = new Client(url(server.port));
  await client.connect();
  try {
    for (const text of texts) await client.query(text);
  } finally {
    await client.end();
  }
}

const reload = "SELECT pg_reload_conf()";
const others = "pid <> pg_backend_pid() AND backend_type = 'client backend'";
const hogs: Client[] = [];

outageSuite({
  test,
  place: async () => {
    const pool = new Pool({ connectionString: url(port), max: 4 });
    pool.on("error", () => undefined);
    const schema = newSchema();
    return {
      create: () => postgres(pool, { schema, timeoutMs: 1000 }),
      remove: async () => {
        await pool.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
        await pool.end();
      },
    };
  },
  outages: {
    killed: { begin: () => server.kill(), end: () => server.start("-c", "max_connections=12") },
    stopped: { begin: () => server.stop(), end: () => server.start("-c", "max_connections=12") },
    frozen: { begin: async () => server.freeze(), end: async () => server.thaw() },
    "cut off": { begin: async () => proxy.cut(), end: async () => proxy.mend() },
    "behind a dead network": { begin: async () => proxy.swallow(), end: async () => proxy.mend() },
    slow: {
      begin: async () => proxy.slow(60),
      end: async () => proxy.slow(0),
      opens: true,
    },
    "read-only": {
      begin: () => ask("ALTER SYSTEM SET default_transaction_read_only = on", reload),
      end: () => ask("ALTER SYSTEM RESET default_transaction_read_only", reload),
    },
    "out of connections": {
      begin: async () => {
        await ask(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${others}`);
        for (;;) {
          const hog = new Client(url(server.port));
          hog.on("error", () => undefined);
          if (
            !(await hog.connect().then(
              () => true,
              () => false,
            ))
          )
            return;
          hogs.push(hog);
        }
      },
      end: async () => {
        await Promise.all(hogs.splice(0).map((hog) => hog.end()));
      },
    },
  },
});
