/** The examples, as their READMEs say: started, and sent what three providers document. */

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  audataExample,
  audataGet,
  audataPost,
  audataQueries,
  captainDataDelivery,
  captainDataExamples,
  send,
} from "@webhook-inbox/testing/senders";
import { Client } from "pg";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { root } from "../architecture/sources.ts";
import { blocksOf } from "../consumers/blocks.ts";
import { run, start } from "../consumers/shell.ts";

const folder = join(root, "examples");
const frameworks = ["express", "fastify", "hono", "koa", "nestjs", "nextjs", "node-http"];

/** The port of the READMEs may be somebody's. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Those of which a test below, or one of `consumers/own-parts.test.ts`, is about. */
const others = [
  "bullmq-fleet",
  "dashboard-login",
  "expect-and-poll",
  "observability",
  "receiver-and-worker",
  "testing-handlers",
  "transaction",
];

test("every example is tried", () => {
  const names = readdirSync(folder).filter((name) => existsSync(join(folder, name, "README.md")));
  expect(names.toSorted()).toEqual([...frameworks, ...others].toSorted());
});

/** Gone when the test ends. */
function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-example-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** A README's request, to where the example listens now. */
const asking = (curl: string, port: number): string =>
  curl.replaceAll("3000", String(port)).replace("curl", "curl -sS");

/** The blocks of an example's README, by language. */
const blocksOfExample =
  (name: string) =>
  (language: string): readonly string[] =>
    blocksOf(`examples/${name}/README.md`, language);

describe.each(frameworks)("%s", (name) => {
  const blocks = blocksOfExample(name);
  const [launch = "", curl = ""] = blocks("sh");
  const [output = ""] = blocks("text");

  test("runs as its README says, and handles what three providers document", async () => {
    const directory = newDirectory();
    const port = await freePort();
    const environment = { PORT: String(port), DATABASE: join(directory, "webhooks.sqlite") };
    const running = await start(join(folder, name), launch, /listening on|Ready in/, environment);
    onTestFinished(() => running.stop());

    expect(run(directory, asking(curl, port))).toBe("ok");
    await running.says(new RegExp(output.trim().replaceAll("?", "\\?")));

    const url = `http://127.0.0.1:${port}/webhooks`;
    const answers = [
      await send(audataPost(`${url}/audata/s3cret-2`, audataExample)),
      await send(audataGet(`${url}/audata/s3cret-2`, audataQueries["PHP http_build_query"])),
      await send(
        captainDataDelivery(`${url}/captain-data/succeeded`, captainDataExamples.succeeded, {
          Authorization: "Bearer s3cret-3",
        }),
      ),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    await running.says(/handled listener 1788495/);
    await running.says(/handled run b9a260de8f1c4a5bb7d2/);
    const refused = await send(audataGet(`${url}/audata/wrong`, "event=Prize.created"));
    expect(refused.status).toBe(401);
    const home = await fetch(`http://127.0.0.1:${port}/`);
    expect(await home.text()).toContain("every other route is yours");
  });
});

describe("observability", () => {
  const own = join(folder, "observability");
  const [launch = "", curl = ""] = blocksOfExample("observability")("sh");
  const [output = "", metric = ""] = blocksOfExample("observability")("text");

  test("has the metrics that its alerts and its dashboard ask for, and says what somebody should know", async () => {
    const directory = newDirectory();
    const [port, metricsPort] = [await freePort(), await freePort()];
    const running = await start(own, launch, /listening on/, {
      PORT: String(port),
      METRICS_PORT: String(metricsPort),
      DATABASE: join(directory, "webhooks.sqlite"),
    });
    onTestFinished(() => running.stop());
    expect(run(directory, asking(curl, port))).toBe("ok");
    await running.says(new RegExp(output.trim()));
    const url = `http://127.0.0.1:${port}`;
    const post = (path: string, body: string): Promise<Response> =>
      fetch(`${url}/webhooks/${path}`, { method: "POST", body });
    expect((await post("socialdata/s3cret-1", "{broken")).status).toBe(200);
    expect((await post("socialdata/wrong", "{}")).status).toBe(401);
    await running.says(/ALERT quarantined \(unparsable\)/);
    await running.says(/ALERT refused \(mismatch\): socialdata/);
    expect((await fetch(`${url}/ready`)).status).toBe(200);
    expect(await (await fetch(`${url}/health`)).json()).toMatchObject({ isStoreThere: true });

    const collected = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    const [name = "", labels = ""] = metric.trim().split(/[{}]/);
    expect(collected).toMatch(new RegExp(`^${name}\\{${labels},.*\\} 1$`, "m"));
    const asked = ["alerts.yml", "grafana.json"]
      .map((file) => readFileSync(join(own, file), "utf8"))
      .flatMap((text) => text.match(/(?:webhook_inbox|messaging)_[a-z_]+/g) ?? []);
    // Labels are asked for as well.
    const missing = [...new Set(asked)].filter(
      (one) => !new RegExp(`\\b${one}\\b`).test(collected),
    );
    expect(missing).toEqual([]);
    expect(asked.length).toBeGreaterThan(30);
  });
});

describe("bullmq-fleet", () => {
  const [launch = "", curl = ""] = blocksOfExample("bullmq-fleet")("sh");
  const [output = ""] = blocksOfExample("bullmq-fleet")("text");

  test("hands what it receives to one of its workers", async () => {
    const directory = newDirectory();
    const port = await freePort();
    const running = await start(join(folder, "bullmq-fleet"), launch, /listening on/, {
      PORT: String(port),
      DATABASE: join(directory, "webhooks.sqlite"),
      REDIS_URL: inject("redisUrl"),
      QUEUE: `example-${process.pid}`,
    });
    onTestFinished(() => running.stop());
    await running.says(/a worker is ready[^]*a worker is ready/);
    expect(run(directory, asking(curl, port))).toBe("ok");
    await running.says(new RegExp(output.trim().replaceAll(/[()]/g, String.raw`\$&`)));
  });
});

/** An empty schema of the test run's PostgreSQL, for an example. */
async function ownSchema(): Promise<{ readonly DATABASE_URL: string; readonly SCHEMA: string }> {
  const schema = `example_${process.pid}_${Date.now()}`;
  const url = new URL(inject("postgresUrl"));
  const client = new Client({ connectionString: url.href });
  await client.connect();
  await client.query(`CREATE SCHEMA ${schema}`);
  onTestFinished(async () => {
    await client.query(`DROP SCHEMA ${schema} CASCADE`);
    await client.end();
  });
  // Tables of the example's own are there, too.
  url.searchParams.set("options", `-c search_path=${schema}`);
  return { DATABASE_URL: url.href, SCHEMA: schema };
}

describe("receiver-and-worker", () => {
  const [receiver = "", worker = "", curl = ""] = blocksOfExample("receiver-and-worker")("sh");
  const [output = ""] = blocksOfExample("receiver-and-worker")("text");

  test("what the receiver has taken, the worker handles, and what came while there was none", async () => {
    const directory = newDirectory();
    const own = join(folder, "receiver-and-worker");
    const port = await freePort();
    const environment = { ...(await ownSchema()), PORT: String(port) };
    const receiving = await start(own, receiver, /listening on/, environment);
    onTestFinished(() => receiving.stop());
    const working = await start(own, worker, /working/, environment);
    expect(run(directory, asking(curl, port))).toBe("ok");
    await working.says(new RegExp(output.trim()));
    await working.stop();
    expect(run(directory, asking(curl, port).replace(":42,", ":43,"))).toBe("ok");
    const again = await start(own, worker, /working/, environment);
    onTestFinished(() => again.stop());
    await again.says(/handled job 43: success/);
  });
});

describe("transaction", () => {
  const [launch = "", curl = ""] = blocksOfExample("transaction")("sh");
  const [output = ""] = blocksOfExample("transaction")("text");

  test("counts once, though its first attempt fails behind its statement", async () => {
    const directory = newDirectory();
    const port = await freePort();
    const environment = { ...(await ownSchema()), PORT: String(port) };
    const own = join(folder, "transaction");
    const running = await start(own, launch, /listening on/, environment);
    onTestFinished(() => running.stop());
    expect(run(directory, asking(curl, port))).toBe("ok");
    await running.says(new RegExp(output.trim()));
  });
});

describe("dashboard-login", () => {
  const [launch = "", curl = ""] = blocksOfExample("dashboard-login")("sh");

  test("shows nothing to strangers, and what has failed to who has logged in", async () => {
    const directory = newDirectory();
    const port = await freePort();
    const running = await start(join(folder, "dashboard-login"), launch, /listening on/, {
      PORT: String(port),
      DATABASE: join(directory, "webhooks.sqlite"),
    });
    onTestFinished(() => running.stop());
    expect(run(directory, asking(curl, port))).toBe("ok");
    const url = `http://127.0.0.1:${port}`;
    const manual = { redirect: "manual" } as const;
    // A header of its own makes nobody an operator.
    const headers = { "x-operator": "operator" };
    const stranger = await fetch(`${url}/ops`, { ...manual, headers });
    expect([stranger.status, stranger.headers.get("location")]).toEqual([302, "/login"]);
    const logIn = (password: string): Promise<Response> =>
      fetch(`${url}/login`, {
        ...manual,
        method: "POST",
        body: new URLSearchParams({ password }),
      });
    expect((await logIn("wrong")).status).toBe(403);
    const cookie = (await logIn("correct-horse")).headers.get("set-cookie")?.split(";")[0] ?? "";
    const page = await fetch(`${url}/ops/events`, { headers: { cookie } });
    expect(page.status).toBe(200);
    expect(await page.text()).toContain("job_finished");
  });
});

test("expect-and-poll asks for the webhook that does not come", async () => {
  const directory = newDirectory();
  const [launch = ""] = blocksOfExample("expect-and-poll")("sh");
  const [output = ""] = blocksOfExample("expect-and-poll")("text");
  const running = await start(join(folder, "expect-and-poll"), launch, /waiting for/, {
    DATABASE: join(directory, "webhooks.sqlite"),
  });
  onTestFinished(() => running.stop());
  await running.says(new RegExp(output.trim().replaceAll(/[()]/g, String.raw`\$&`)));
});
