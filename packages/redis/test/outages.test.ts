import { redis } from "@webhook-inbox/redis";
import { outageSuite } from "@webhook-inbox/testing/store";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { afterAll, beforeAll, describe, test } from "vitest";
import { Proxy } from "../../../tests/services/proxy.ts";
import { startRedis } from "../../../tests/services/redis.ts";
import type { Server } from "../../../tests/services/server.ts";

// A server of this file's own: it is killed, frozen and filled.
let server: Server;
let proxy: Proxy;
let port = 0;
let admin: Redis;
let places = 0;

beforeAll(async () => {
  server = await startRedis();
  proxy = new Proxy(server);
  port = await proxy.listen();
  admin = new Redis(server.url);
  admin.on("error", () => undefined);
});
afterAll(async () => {
  admin.disconnect();
  await proxy.close();
  await server.remove();
});

const hogs: Redis[] = [];

/** Fills all connections but the one of `admin`, after those of others were closed. */
async function hogAll(): Promise<void> {
  await admin.config("SET", "maxclients", "8");
  for (let n = 0; n < 12; n++) {
    const hog = new Redis(server.url, { retryStrategy: () => null, maxRetriesPerRequest: 0 });
    hog.on("error", () => undefined);
    hogs.push(hog);
  }
  await admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  for (let n = 0; n < 12; n++) {
    const hog = new Redis(server.url, { retryStrategy: () => null, maxRetriesPerRequest: 0 });
    hog.on("error", () => undefined);
    hogs.push(hog);
    await hog.ping().catch(() => undefined);
  }
}

const outages = {
  killed: { begin: () => server.kill(), end: () => restart() },
  stopped: { begin: () => server.stop("SIGTERM"), end: () => restart() },
  frozen: { begin: async () => server.freeze(), end: async () => server.thaw() },
  "cut off": { begin: async () => proxy.cut(), end: async () => proxy.mend() },
  "behind a dead network": { begin: async () => proxy.swallow(), end: async () => proxy.mend() },
  slow: { begin: async () => proxy.slow(60), end: async () => proxy.slow(0), opens: true },
  "a replica": {
    begin: async () => void (await admin.replicaof("127.0.0.1", "1")),
    end: async () => void (await admin.replicaof("NO", "ONE")),
  },
  "out of memory": {
    begin: async () => void (await admin.config("SET", "maxmemory", "1")),
    end: async () => void (await admin.config("SET", "maxmemory", "0")),
  },
  "out of connections": {
    begin: hogAll,
    end: async () => {
      for (const hog of hogs.splice(0)) hog.disconnect();
      await admin.config("SET", "maxclients", "10000");
    },
  },
};

async function restart(): Promise<void> {
  await server.start("--appendonly", "yes", "--appendfsync", "always");
  await admin.ping();
}

describe("ioredis", () => {
  outageSuite({
    test,
    place: async () => {
      const client = new Redis(port, { retryStrategy: () => 50 });
      client.on("error", () => undefined);
      return {
        create: () => redis(client, { prefix: `test:${places++}`, timeoutMs: 1000 }),
        remove: async () => client.disconnect(),
      };
    },
    outages,
  });
});

describe("node-redis", () => {
  outageSuite({
    test,
    place: async () => {
      const client = createClient({ socket: { port, reconnectStrategy: () => 50 } });
      client.on("error", () => undefined);
      void client.connect();
      return {
        create: () => redis(client, { prefix: `test:${places++}`, timeoutMs: 1000 }),
        remove: async () => client.destroy(),
      };
    },
    outages,
  });
});
