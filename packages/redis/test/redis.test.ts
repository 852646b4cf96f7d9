import { systemClock, type Store } from "@webhook-inbox/core";
import { redis } from "@webhook-inbox/redis";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { durable, startRedis } from "../../../tests/services/redis.ts";
import type { Server } from "../../../tests/services/server.ts";
import { newEvent } from "../../../tests/support/new-event.ts";

const context = { clock: systemClock };
const ask = { fence: "f", leaseMs: 1000, slots: {} };
let server: Server;
let admin: Redis;

beforeAll(async () => {
  server = await startRedis();
  admin = new Redis(server.url);
  admin.on("error", () => undefined);
});
afterAll(async () => {
  admin.disconnect();
  await server.remove();
});

let places = 0;
function storeOn(url: string, options: Parameters<typeof redis>[1] = {}): Store {
  const client = new Redis(url, { retryStrategy: () => 50 });
  client.on("error", () => undefined);
  onTestFinished(() => client.disconnect());
  return redis(client, {
    prefix: `test:${process.pid}:own:${places++}`,
    timeoutMs: 1000,
    ...options,
  });
}

test("options that cannot be are refused at once", () => {
  const client = new Redis({ lazyConnect: true });
  const invalid = expect.objectContaining({ code: "OPTION_INVALID" }) as unknown;
  expect(() => redis(client, { prefix: "a{b}" })).toThrow(invalid);
  expect(() => redis(client, { timeoutMs: -1 })).toThrow(invalid);
  expect(() => redis(client, { prefxi: "a" } as never)).toThrow(/no option "prefxi"/);
  expect(() => redis({} as never)).toThrow(/must be a client/);
  client.disconnect();
});

describe("a server that would lose what it has acknowledged", () => {
  const lossy = {
    appendonly: ["no", "yes"],
    appendfsync: ["everysec", "always"],
    "no-appendfsync-on-rewrite": ["yes", "no"],
    "maxmemory-policy": ["allkeys-lru", "noeviction"],
  } as const;
  for (const [name, [wrong, right]] of Object.entries(lossy)) {
    test(`is refused: ${name} ${wrong}`, async () => {
      await admin.config("SET", name, wrong);
      onTestFinished(async () => {
        await admin.config("SET", name, right);
        await expect.poll(() => admin.info("persistence")).toContain("aof_rewrite_in_progress:0");
      });
      await expect(storeOn(server.url).open(context)).rejects.toMatchObject({
        code: "STORE_LOSSY",
        message: expect.stringContaining(`CONFIG SET ${name} ${right}`) as string,
      });
      const careless = storeOn(server.url, { acceptLoss: true });
      expect(careless.supports.durability).toBe("none");
      await careless.open(context);
    });
  }

  test("is refused too when it comes back as one", async () => {
    const store = storeOn(server.url);
    await store.open(context);
    await server.stop("SIGTERM");
    await expect(store.take([newEvent("a", "1", "x")], ask)).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
    });
    await server.start("--appendonly", "no");
    await admin.ping();
    const taken = (): Promise<unknown> =>
      store.take([newEvent("a", "1", "x")], ask).catch((error: unknown) => String(error));
    await expect.poll(taken, { timeout: 10_000 }).toContain("appendonly is no");
    await server.stop("SIGTERM");
    await server.start(...durable);
    await admin.ping();
    await expect
      .poll(() =>
        store.list({}).then(
          ({ events }) => events.length,
          () => -1,
        ),
      )
      .toBe(0);
  });
});

describe("a user who may not do everything", () => {
  const userUrl = (name: string): string => server.url.replace("redis://", `redis://${name}:pw@`);

  test("needs no channel: others then look for work by themselves", async () => {
    await admin.call("ACL", "SETUSER", "quiet", "on", ">pw", "~*", "+@all", "resetchannels");
    const store = storeOn(userUrl("quiet"));
    await store.open(context);
    expect(await store.take([newEvent("a", "1", "x")], ask)).toEqual([{ kind: "taken" }]);
    expect((await store.audit()).counted).toEqual({ pending: 1 });
    expect(await store.tally({})).toHaveLength(1);
  });

  test("is refused at the start for what is needed later", async () => {
    await admin.call("ACL", "SETUSER", "weak", "on", ">pw", "~*", "&*", "+@all", "-zadd");
    await expect(storeOn(userUrl("weak")).open(context)).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      message: expect.stringContaining("rights") as string,
    });
  });
});

test("what a later version has changed is refused, unless that works with this one too", async () => {
  const client = new Redis(inject("redisUrl"));
  onTestFinished(() => client.disconnect());
  const prefix = `test:${process.pid}:version`;
  const store = redis(client, { prefix });
  await store.open(context);
  await client.hset(`{${prefix}}:meta`, "schema", "2");
  await store.open(context);
  await client.hset(`{${prefix}}:meta`, "works_from", "2");
  await expect(store.open(context)).rejects.toMatchObject({ code: "STORE_INCOMPATIBLE" });
  await client.del(`{${prefix}}:meta`);
  await expect(store.list({})).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
});

test("one delivery of many events holds nobody up for long", async () => {
  const client = new Redis(inject("redisUrl"));
  onTestFinished(() => client.disconnect());
  const store = redis(client, { prefix: `test:${process.pid}:many` });
  await store.open(context);
  const { delivery } = newEvent("a", "many", "x");
  const events = Array.from({ length: 5000 }, (_, n) => ({
    ...newEvent("a", `many ${n}`, "x"),
    delivery,
  }));
  await store.take(events, ask);
  const erase = { act: "erase", by: "", reason: "", dryRun: false, limit: 1 } as const;
  const { keys } = await store.intervene({ keys: [events[0]?.key ?? ""] }, erase);
  expect(keys).toHaveLength(5000);
});
