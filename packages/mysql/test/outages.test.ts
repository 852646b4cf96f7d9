import { mysql } from "@webhook-inbox/mysql";
import { outageSuite } from "@webhook-inbox/testing/store";
import { createConnection, createPool, type Connection } from "mysql2/promise";
import { afterAll, beforeAll, test } from "vitest";
import { startMysql } from "../../../tests/services/mysql.ts";
import { Proxy } from "../../../tests/services/proxy.ts";
import type { Server } from "../../../tests/services/server.ts";
import { dropTables } from "../../../tests/support/mysql-tables.ts";
import { newPrefix } from "./places.ts";

// A server of this file's own: it is killed, frozen and filled with connections.
let server: Server;
let proxy: Proxy;
let port = 0;

beforeAll(async () => {
  server = await startMysql("--max-connections=12");
  proxy = new Proxy(server);
  port = await proxy.listen();
});
afterAll(async () => {
  await proxy.close();
  await server.remove();
});

const to = (at: number) => ({ host: "127.0.0.1", port: at, user: "app", database: "inbox" });

/** Changes the server as its master, past the proxy. */
async function ask(text: string): Promise<void> {
  const client = await createConnection({ ...to(server.port), user: "root" });
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

const hogs: Connection[] = [];

outageSuite({
  test,
  place: async () => {
    const pool = createPool({ ...to(port), connectionLimit: 4 });
    const prefix = newPrefix();
    return {
      create: () => mysql(pool, { prefix, timeoutMs: 1000 }),
      remove: async () => {
        await dropTables(pool, prefix);
        await pool.end();
      },
    };
  },
  outages: {
    killed: { begin: () => server.kill(), end: () => server.start() },
    stopped: { begin: () => server.stop("SIGTERM"), end: () => server.start() },
    frozen: { begin: async () => server.freeze(), end: async () => server.thaw() },
    "cut off": { begin: async () => proxy.cut(), end: async () => proxy.mend() },
    "behind a dead network": { begin: async () => proxy.swallow(), end: async () => proxy.mend() },
    slow: {
      begin: async () => proxy.slow(20),
      end: async () => proxy.slow(0),
      opens: true,
    },
    "read-only": {
      begin: () => ask("SET GLOBAL read_only = 1"),
      end: () => ask("SET GLOBAL read_only = 0"),
    },
    "out of connections": {
      begin: async () => {
        for (;;) {
          const hog = await createConnection(to(server.port)).catch(() => undefined);
          if (hog === undefined) return;
          hog.on("error", () => undefined);
          hogs.push(hog);
        }
      },
      end: async () => {
        await Promise.all(hogs.splice(0).map((hog) => hog.end()));
      },
    },
  },
});
