/** Nothing that senders, handlers, secrets or databases say is in a log, a signal, a trace, a metric, an error or a masked page. */

import { createHmac } from "node:crypto";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, inject, onTestFinished, test } from "vitest";
import { ask } from "../support/served.ts";
import { temporaryFile } from "../support/temporary.ts";
import { secrets } from "./secrets.ts";

const body =
  '{"event":"job_finished","type":"order.created","id":"canary-id","data":{"job_id":"canary-job","message":"canary-body"}}';
const json = {
  "content-type": "application/json",
  "x-other": "canary-header",
  "user-agent": "canary-agent",
};

const stores = { PostgreSQL: inject("postgresUrl"), Redis: inject("redisUrl") };
const timeout = 60_000;

test.each(Object.entries(stores))("canaries come out nowhere: %s", { timeout }, async (_, url) => {
  const program = join(import.meta.dirname, "service.ts");
  const given = ["--store", url, "--spill", temporaryFile("spill.sqlite")];
  const service = spawn(process.execPath, [program, ...given], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void service.kill("SIGKILL"));
  let said = "";
  service.stdout.on("data", (part: Buffer) => (said += part.toString()));
  service.stderr.on("data", (part: Buffer) => (said += part.toString()));
  const portOf = (): number => Number(/^port (\d+)$/m.exec(said)?.[1] ?? 0);
  await expect.poll(portOf, { timeout: 20_000 }).toBeGreaterThan(0);
  const served = { port: portOf(), url: "" };
  const signature = `sha256=${createHmac("sha256", secrets.signing).update(body).digest("hex")}`;
  const basic = Buffer.from(`user:${secrets.password}`).toString("base64");
  const query = "event=Listener.updated&webhookCallId=canary-call&sender[first_name]=canary-name";
  const rightOnes: readonly (readonly [string, Record<string, string>])[] = [
    [`socialdata/${secrets.path}`, {}],
    ["captain-data", { authorization: `Bearer ${secrets.bearer}` }],
    [
      "code",
      {
        "x-hub-signature-256": signature,
        "x-github-event": "push",
        "x-github-delivery": "canary-delivery",
      },
    ],
    ["basic", { authorization: `Basic ${basic}` }],
    ["keyed", { "x-api-key": secrets.header }],
  ];
  for (const text of [body, "{canary-broken", `${body} `]) {
    for (const [path, headers] of rightOnes) {
      const { status } = await ask(served, `/webhooks/${path}`, {
        body: text,
        headers: { ...json, ...headers },
      });
      // What is altered is signed no more.
      expect([path, status]).toEqual([path, path === "code" && text !== body ? 401 : 200]);
    }
    expect((await ask(served, `/webhooks/audata?token=${secrets.query}&${query}`)).status).toBe(
      200,
    );
  }
  const wrong = {
    authorization: "Bearer canary-wrong",
    "x-hub-signature-256": "canary-wrong",
    "x-api-key": "canary-wrong",
    cookie: "canary-cookie",
  };
  for (const path of [
    "socialdata/canary-wrong",
    "audata?token=canary-wrong",
    "captain-data",
    "code",
    "basic",
    "keyed",
    "canary-nowhere",
  ]) {
    const { status, body: answer } = await ask(served, `/webhooks/${path}`, {
      body,
      headers: { ...json, ...wrong },
    });
    expect(status).toBeGreaterThanOrEqual(401);
    expect(answer).not.toContain("canary");
  }
  service.kill("SIGTERM");
  await once(service, "close");
  const lines = said.split("\n");
  for (const what of [
    "log debug",
    "log warn",
    "log error",
    "signal",
    "page / 200",
    "page /events/",
    "spans",
    "metrics",
    "error",
    "health",
    "over",
  ]) {
    expect(
      lines.some((line) => line.startsWith(what)),
      what,
    ).toBe(true);
  }
  // Who may look sees ids, headers and errors; credentials and contents are masked.
  const pages = said.slice(said.indexOf("\npage "), said.indexOf("\nspans "));
  expect(pages).toContain("canary-id");
  const masked = [...Object.values(secrets), basic, "canary-body", "canary-name", "canary-broken"];
  expect(masked.filter((text) => pages.includes(text))).toEqual([]);
  const around = [...said.replace(pages, "").matchAll(/.{0,80}canary.{0,40}/gi)];
  expect(around.map(([text]) => text)).toEqual([]);
});
