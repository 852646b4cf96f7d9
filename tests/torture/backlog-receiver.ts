/**
 * The process under test of the backlog run: one source whose handlers are slow, and one that is answered meanwhile. Tells
 * its memory, after a collection, to whoever asks.
 *
 * node --expose-gc backlog-receiver.ts --database FILE --handlerMs N
 */

import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createInbox } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { webhooks } from "@webhook-inbox/express";
import express from "express";

const { values } = parseArgs({
  options: { database: { type: "string" }, handlerMs: { type: "string" } },
});

const inbox = createInbox({
  store: sqlite(values.database ?? ""),
  sources: { slow: audata({ token: "t" }), live: audata({ token: "t" }) },
  logger: false,
});
inbox.on("slow", "*", () => pause(Number(values.handlerMs)));
inbox.on("live", "*", () => undefined);

const app = express();
app.use(webhooks(inbox));
app.get("/bytes", (_req, res) => {
  globalThis.gc?.();
  res.send(String(process.memoryUsage.rss()));
});
const server = app.listen(0, "127.0.0.1", () => {
  console.log((server.address() as AddressInfo).port);
});
