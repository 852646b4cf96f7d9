/**
 * The process under test: an Express application with an inbox on SQLite, whose handlers take a moment, fail now and
 * then, and record what they did: one in a file, as handlers do to the world outside, one inside `ctx.transaction`.
 *
 * node receiver.ts --port N --database FILE --effects FILE [--acknowledgeFirst]
 */

import { DatabaseSync } from "node:sqlite";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createInbox } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { webhooks } from "@webhook-inbox/express";
import express from "express";
import { acknowledgeFirst } from "./acknowledge-first.ts";
import { recordEffects } from "./effects.ts";

const { values } = parseArgs({
  options: {
    port: { type: "string" },
    database: { type: "string" },
    effects: { type: "string" },
    acknowledgeFirst: { type: "boolean", default: false },
  },
});

const record = recordEffects(values.effects ?? "");
createTable(values.database ?? "");
const store = sqlite(values.database ?? "");
const inbox = createInbox({
  store: values.acknowledgeFirst ? acknowledgeFirst(store) : store,
  sources: { audata: audata({ token: "t" }) },
  retry: { delaysMs: [50, 100, 200, 400, 800, 1600] },
  logger: false,
});

inbox.on("audata", "Listener.updated", async (event, { attempt }) => {
  await pause(2);
  if (attempt === 1 && event.id.endsWith("7"))
    throw new Error("the first attempt of every tenth fails");
  record({ id: event.id, attempt, pid: process.pid });
});

inbox.on("audata", "Listener.updated", { name: "exact" }, async ({ id }, ctx) => {
  if (ctx.attempt === 1 && id.endsWith("5")) throw new Error("before the transaction");
  await pause(1);
  await ctx.transaction((database) => {
    database.prepare("INSERT INTO effects (id) VALUES (?)").run(id);
    if (ctx.attempt === 1 && id.endsWith("2")) throw new Error("inside the transaction");
  });
  if (id.endsWith("3")) throw new Error("after the transaction");
});

const app = express();
app.use(webhooks(inbox));
app.listen(Number(values.port), "127.0.0.1", () => console.log("ready"));

/** The application's own table, in the inbox's file. */
function createTable(path: string): void {
  const database = new DatabaseSync(path, { timeout: 5000 });
  database.exec("CREATE TABLE IF NOT EXISTS effects (id TEXT NOT NULL)");
  database.close();
}
