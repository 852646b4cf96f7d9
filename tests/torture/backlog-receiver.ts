/**
 * The process under test of the backlog run: one source whose handlers are slow, and one that is answered and handled
 * meanwhile. Tells its memory, after a collection, how long live events have waited for their handler, and whether slow ones still
 * wait, to whoever asks.
 *
 * node --expose-gc backlog-receiver.ts --database FILE --handlerMs N [--feeds]
 */

import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createInbox } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { webhooks } from "@webhook-inbox/express";
import express from "express";
import { bodyOf } from "./body.ts";

const { values } = parseArgs({
  options: {
    database: { type: "string" },
    handlerMs: { type: "string" },
    /** Each handler of the slow source sends two further deliveries to it. */
    feeds: { type: "boolean", default: false },
  },
});

const inbox = createInbox({
  store: sqlite(values.database ?? ""),
  sources: { slow: audata({ token: "t" }), live: audata({ token: "t" }) },
  logger: false,
});
inbox.on("slow", "*", async ({ id }) => {
  await pause(Number(values.handlerMs));
  if (values.feeds) await Promise.all([feed(`${id}/1`), feed(`${id}/2`)]);
});
let waited: number[] = [];
inbox.on("live", "*", ({ receivedAt }) => void waited.push(Date.now() - receivedAt));

async function feed(id: string): Promise<void> {
  const request = new Request("http://inbox.test/webhooks/slow/t", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: bodyOf(id),
  });
  // Where it is not taken, the handler fails, and is tried again.
  if ((await inbox.fetch(request)).status !== 200) throw new Error("it was not taken");
}

const app = express();
app.use(webhooks(inbox));
app.get("/bytes", (_req, res) => {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  res.send(String(heapUsed + external));
});
app.get("/waiting", (_req, res, next) => {
  inbox
    .list({ source: "slow", state: "pending", limit: 1 })
    .then(({ events }) => res.send(String(events.length)), next);
});
app.get("/waited", (_req, res) => {
  res.send(JSON.stringify(waited));
  waited = [];
});
const server = app.listen(0, "127.0.0.1", () => {
  console.log((server.address() as AddressInfo).port);
});
