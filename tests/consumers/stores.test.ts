/** The page on stores, in an empty folder, with the packed packages and real servers. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Pool } from "pg";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { blocksOf } from "./blocks.ts";
import { packed, project, type Project } from "./project.ts";

const blocks = blocksOf("docs/stores.md", ["ts", "sh"]);
const [install = "", program = "", , , , onMysql = "", onRedis = ""] = blocks;

describe("the page on stores", () => {
  let shop: string;
  let own: Project;
  let pool: Pool;

  beforeAll(async () => {
    shop = mkdtempSync(join(tmpdir(), "webhook-inbox-packed-"));
    own = project(packed(["core", "mysql", "postgres", "redis"], shop));
    own.shell(install);
    own.shell("npm install @webhook-inbox/redis ioredis redis @webhook-inbox/mysql mysql2");
    own.shell("npm install -D typescript @types/node @types/pg");
    pool = new Pool({ connectionString: inject("postgresUrl"), max: 1 });
    await pool.query(`CREATE DATABASE consumers_${process.pid}`);
  });
  afterAll(async () => {
    await pool.query(`DROP DATABASE consumers_${process.pid} WITH (FORCE)`);
    await pool.end();
    own.remove();
    rmSync(shop, { recursive: true });
  });

  test("its program on PostgreSQL compiles strictly, and commits effect and completion together", async () => {
    const url = new URL(inject("postgresUrl"));
    url.pathname = `/consumers_${process.pid}`;
    const tables = new Pool({ connectionString: url.href, max: 1 });
    onTestFinished(() => tables.end());
    await tables.query("CREATE TABLE prizes (call text, station text)");
    own.write("main.ts", program);
    const strictly =
      "--noEmit --strict --exactOptionalPropertyTypes --module nodenext --target es2024";
    own.shell(`npx tsc ${strictly} --skipLibCheck --types node main.ts`);
    const port = String(20_000 + ((process.pid + 7) % 20_000));
    const running = await own.start("node main.ts", /listening on/, {
      PORT: port,
      DATABASE_URL: url.href,
      AUDATA_TOKEN: "t0ken",
    });
    onTestFinished(() => running.stop());
    const query = "event=Prize.created&webhookCallId=1&station=north&sender[id]=1";
    const sent = await fetch(`http://127.0.0.1:${port}/webhooks/audata/t0ken?${query}`);
    expect(sent.status).toBe(200);
    const read = async (): Promise<readonly unknown[]> =>
      (await tables.query("SELECT call, station FROM prizes")).rows as unknown[];
    await expect.poll(read, { timeout: 10_000 }).toEqual([{ call: "1", station: "north" }]);
    const { rows } = await tables.query("SELECT state, finished FROM webhook_inbox.events");
    await expect
      .poll(
        async () =>
          (await tables.query("SELECT state FROM webhook_inbox.events")).rows as unknown[],
      )
      .toEqual([{ state: "done" }]);
    expect(rows).toHaveLength(1);
  });

  test.each([
    ["Redis", onRedis, `REDIS_URL=${inject("redisUrl")}`],
    ["MySQL", onMysql, `MYSQL_URL=${inject("mysqlUrl")}`],
  ])("its line on %s opens a store", (_, line, environment) => {
    own.write(
      "line.ts",
      `${line}
       import { systemClock } from "@webhook-inbox/core";
       await store.open({ clock: systemClock });
       console.log((await store.list({})).events.length);
       process.exit();`,
    );
    expect(own.shell(`${environment} node line.ts`)).toBe("0\n");
  });
});
