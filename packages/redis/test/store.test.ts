import { encrypted } from "@webhook-inbox/core/encrypted";
import { redis } from "@webhook-inbox/redis";
import { storeSuite } from "@webhook-inbox/testing/store";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { placeOn, supports } from "./places.ts";

const client = new Redis(inject("redisUrl"));
afterAll(() => client.disconnect());

/** More of them by `MODEL_SEQUENCES`. */
const sequences = Number(process.env["MODEL_SEQUENCES"] ?? 12);

describe("ioredis", () => {
  // A store that is opened while the server writes its file as a whole for the first time is refused, until that is done.
  beforeAll(async () => {
    await client.bgrewriteaof();
    await vi.waitFor(async () =>
      expect(await client.info("persistence")).toMatch(
        /aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0/,
      ),
    );
  });

  test("says what it supports", () => expect(redis(client).supports).toEqual(supports));
  storeSuite({
    test,
    supports,
    place: placeOn(
      () => client,
      () => client,
    ),
    sequences,
  });
});

describe("node-redis", () => {
  const other = createClient({ url: inject("redisUrl") });
  beforeAll(() => other.connect());
  afterAll(() => other.destroy());
  test("says what it supports", () => expect(redis(other).supports).toEqual(supports));
  storeSuite({
    test,
    supports,
    place: placeOn(
      () => other,
      () => client,
    ),
  });
});

describe("encrypted", () => {
  const keys = [{ id: "k", key: "a".repeat(64) }];
  const make = placeOn(
    () => client,
    () => client,
  );
  storeSuite({
    test,
    supports,
    // What a text is encrypted to is not looked for.
    place: async () => {
      const { create, remove } = await make();
      return { create: () => encrypted(create(), { keys }), remove };
    },
  });
});
