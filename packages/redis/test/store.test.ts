import { redis } from "@webhook-inbox/redis";
import { storeSuite } from "@webhook-inbox/testing/store";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

// What the store says of itself is pinned: one that promises less would be tested for less.
const supports = {
  durability: "commit",
  shared: true,
  transactions: false,
  wakeups: true,
} as const;
let places = 0;

describe("ioredis", () => {
  const client = new Redis(inject("redisUrl"));
  afterAll(() => client.disconnect());
  test("says what it supports", () => expect(redis(client).supports).toEqual(supports));
  const place = async () => {
    const prefix = `test:${process.pid}:${places++}`;
    return {
      create: () => redis(client, { prefix }),
      remove: async () => {
        const keys = await client.keys(`{${prefix}}:*`);
        if (keys.length > 0) await client.del(keys);
      },
    };
  };
  storeSuite({ test, supports, place });
});

describe("node-redis", () => {
  const client = createClient({ url: inject("redisUrl") });
  beforeAll(() => client.connect());
  afterAll(() => client.destroy());
  test("says what it supports", () => expect(redis(client).supports).toEqual(supports));
  const place = async () => {
    const prefix = `test:${process.pid}:${places++}`;
    return {
      create: () => redis(client, { prefix }),
      remove: async () => {
        const keys = await client.keys(`{${prefix}}:*`);
        if (keys.length > 0) await client.del(keys);
      },
    };
  };
  storeSuite({ test, supports, place });
});
