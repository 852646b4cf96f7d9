/** The whole suite on the other clients: clusters, and a pool. */

import { storeSuite } from "@webhook-inbox/testing/store";
import { Cluster, Redis } from "ioredis";
import { createClientPool, createCluster } from "redis";
import { afterAll, beforeAll, describe, inject, test } from "vitest";
import { startRedis } from "../../../tests/services/redis.ts";
import type { Server } from "../../../tests/services/server.ts";
import { placeOn, supports } from "./places.ts";

/** A cluster of one: a node that has met no other has to be told its address. */
const cluster = ["--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1"] as const;

describe("in a cluster", () => {
  let server: Server;
  let admin: Redis;
  let one: Cluster;
  let other: ReturnType<typeof createCluster>;

  beforeAll(async () => {
    server = await startRedis(...cluster);
    admin = new Redis(server.url);
    await admin.call("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
    while (!(await admin.cluster("INFO")).includes("cluster_state:ok")) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    const node = { host: "127.0.0.1", port: server.port };
    one = new Cluster([node]);
    other = createCluster({ rootNodes: [{ url: server.url }] });
    await other.connect();
  });
  afterAll(async () => {
    one.disconnect();
    other.destroy();
    admin.disconnect();
    await server.remove();
  });

  describe("ioredis", () => {
    storeSuite({
      test,
      supports,
      place: placeOn(
        () => one,
        () => admin,
      ),
    });
  });
  describe("node-redis", () => {
    storeSuite({
      test,
      supports,
      place: placeOn(
        () => other,
        () => admin,
      ),
    });
  });
});

describe("a pool of node-redis, which cannot listen", () => {
  const pool = createClientPool({ url: inject("redisUrl") });
  const admin = new Redis(inject("redisUrl"));
  beforeAll(() => pool.connect());
  afterAll(() => {
    pool.destroy();
    admin.disconnect();
  });
  storeSuite({
    test,
    supports: { ...supports, wakeups: false },
    place: placeOn(
      () => pool,
      () => admin,
    ),
  });
});
