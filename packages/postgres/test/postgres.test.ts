import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { systemClock, type Store } from "@webhook-inbox/core";
import { postgres, schemaSql, type PostgresTransaction } from "@webhook-inbox/postgres";
import { Pool, type PoolClient } from "pg";
import { afterAll, beforeAll, describe, expect, expectTypeOf, onTestFinished, test } from "vitest";
import { startPostgres } from "../../../tests/services/postgres.ts";
import type { Server } from "../../../tests/services/server.ts";
import { newSchema, testPool } from "./places.ts";

const pool = testPool();
const context = { clock: systemClock };

/** A schema that is gone when the test ends. */
function schemaOfTest(): string {
  const schema = newSchema();
  onTestFinished(async () => void (await pool.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`)));
  return schema;
}

describe("options", () => {
  test("what cannot be is refused at once, and says what to write", () => {
    const invalid = expect.objectContaining({ code: "OPTION_INVALID" }) as unknown;
    for (const schema of ["", "Upper", "a-b", 'a"; DROP', "x".repeat(64)]) {
      expect(() => postgres(pool, { schema })).toThrow(invalid);
    }
    expect(() => postgres(pool, { shema: "x" } as never)).toThrow(/no option "shema"/);
    expect(() => postgres(pool, { timeoutMs: 0 })).toThrow(invalid);
    expect(() => postgres(pool, { migrate: "maybe" as never })).toThrow(invalid);
    expect(() => postgres("postgres://x" as never)).toThrow(/must be a pool/);
  });

  test("the client of a transaction is the one of the pool", () => {
    expectTypeOf(postgres(pool)).toEqualTypeOf<Store<PostgresTransaction<PoolClient>>>();
  });
});

test("a pool that sees many stores come and go gathers no listeners", async () => {
  const lasting = new Pool({ ...pool.options, max: 1 });
  const schema = schemaOfTest();
  const counts: number[] = [];
  for (let n = 0; n < 4; n++) {
    const store = postgres(lasting, { schema });
    await store.open(context);
    await store.list({});
    await store.close();
    const client = await lasting.connect();
    counts.push(lasting.listenerCount("error") + client.listenerCount("error"));
    client.release();
  }
  expect(new Set(counts).size).toBe(1);
  await lasting.end();
});

test("a connection that dies in the packet that says it is there ends nothing else", async () => {
  const message = (type: string, content: Buffer): Buffer => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(content.length + 4);
    return Buffer.concat([Buffer.from(type), length, content]);
  };
  const packet = Buffer.concat([
    message("R", Buffer.alloc(4)),
    message("Z", Buffer.from("I")),
    message("E", Buffer.from("SFATAL\0C57P01\0Mterminating connection\0\0")),
  ]);
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => socket.end(packet));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const dying = new Pool({ host: "127.0.0.1", port, user: "postgres", database: "postgres" });
  await expect(postgres(dying).open(context)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  await dying.end();
  server.close();
});

describe("migrations", () => {
  test("instances that start at once make the tables once", async () => {
    const schema = schemaOfTest();
    const stores = Array.from({ length: 6 }, () => postgres(pool, { schema }));
    await Promise.all(stores.map((store) => store.open(context)));
    expect((await stores[0]?.list({}))?.events).toEqual([]);
  });

  test("`check` refuses to make them, and is content with what schemaSql prints", async () => {
    const schema = schemaOfTest();
    const store = postgres(pool, { schema, migrate: "check" });
    await expect(store.open(context)).rejects.toMatchObject({
      code: "STORE_INCOMPATIBLE",
      message: expect.stringContaining(`schemaSql({ schema: "${schema}", from: 0 })`) as string,
    });
    await pool.query(schemaSql({ schema }));
    await store.open(context);
    expect((await store.list({})).events).toEqual([]);
  });

  test("what schemaSql prints may be run again", async () => {
    const schema = schemaOfTest();
    await postgres(pool, { schema }).open(context);
    await pool.query(schemaSql({ schema, from: 1 }));
    await postgres(pool, { schema, migrate: "check" }).open(context);
  });

  test("a later version that works with this one is no hindrance; one that does not is refused", async () => {
    const schema = schemaOfTest();
    await postgres(pool, { schema }).open(context);
    await pool.query(`UPDATE ${schema}.meta SET value = 2 WHERE name = 'schema'`);
    await postgres(pool, { schema }).open(context);
    await pool.query(`UPDATE ${schema}.meta SET value = 2 WHERE name = 'works_from'`);
    await expect(postgres(pool, { schema }).open(context)).rejects.toMatchObject({
      code: "STORE_INCOMPATIBLE",
    });
  });
});

describe("a server that would lose events", () => {
  let server: Server;
  const settings = ["fsync", "full_page_writes", "synchronous_commit"] as const;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.remove());

  for (const name of settings) {
    test(`is refused: ${name} = off`, async () => {
      await server.stop();
      await server.start("-c", `${name}=off`);
      const lossy = new Pool({ connectionString: server.url });
      lossy.on("error", () => undefined);
      onTestFinished(() => lossy.end());
      await expect(postgres(lossy).open(context)).rejects.toMatchObject({
        code: "STORE_LOSSY",
        message: expect.stringContaining(`Set ${name} = on`) as string,
      });
    });
  }
});
