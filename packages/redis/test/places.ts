/** Empty places in a test server: a prefix for each test, whose keys are removed when it ends. */

import { redis, type RedisClient } from "@webhook-inbox/redis";
import type { StorePlace } from "@webhook-inbox/testing/store";
import type { Redis } from "ioredis";

/** What a store of Redis says of itself, pinned: one that promises less would be tested for less. */
export const supports = {
  durability: "commit",
  shared: true,
  transactions: false,
  wakeups: true,
} as const;

let places = 0;

/** Makes places for stores on a client; `admin` is one that can list keys. */
export const placeOn =
  (client: () => RedisClient, admin: () => Redis) => async (): Promise<StorePlace> => {
    const prefix = `test:${process.pid}:${process.env["VITEST_POOL_ID"] ?? 0}:${places++}`;
    return {
      create: () => redis(client(), { prefix }),
      holds: async (text: string) => {
        const keys = await admin().keys(`{${prefix}}:*`);
        const dumps = await Promise.all(
          keys.map(async (key) => {
            const type = await admin().type(key);
            if (type === "hash") return Object.values(await admin().hgetall(key)).join();
            if (type === "zset") return (await admin().zrange(key, "0", "-1")).join();
            if (type === "set") return (await admin().smembers(key)).join();
            if (type === "list") return (await admin().lrange(key, 0, -1)).join();
            return (await admin().get(key)) ?? "";
          }),
        );
        return [...keys, ...dumps].some((dump) => dump.includes(text));
      },
      remove: async () => {
        const keys = await admin().keys(`{${prefix}}:*`);
        if (keys.length > 0) await admin().del(keys);
      },
    };
  };
