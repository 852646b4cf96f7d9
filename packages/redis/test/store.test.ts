import { redis } from "@webhook-inbox/redis";
import { storeSuite } from "@webhook-inbox/testing/store";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { placeOn, supports } from "./places.ts";

const client = new Redis(inject("redisUrl"));
afterAll(() => client.disconnect());

/** More of them by `MODEL_SEQUENCES`. */
const sequences = Number(process.env["MODEL_SEQUENCES"] ?? 12);

describe("ioredis", () => {
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
