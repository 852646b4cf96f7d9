/**
 * The process under test: an Express application with an inbox, whose handlers take a moment, fail now and then, and record
 * what they did: one in a file, as handlers do to the world outside, one inside `ctx.transaction` where the store has it.
 *
 * node receiver.ts --port N --store URL --effects FILE [--spill FILE] [--leaseMs N] [--handlerMs N] [--role receive|work]
 * [--delayMs N] [--diesAfter N] [--acknowledgeFirst] [--unsynced]
 */

import type { Server } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createInbox, type Store } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { webhooks } from "@webhook-inbox/express";
import express from "express";
import { acknowledgeFirst, diesAfterTakes, leaveUnsynced } from "./controls.ts";
import { recordEffects } from "./effects.ts";
import { exactEffectsAt, type Transaction } from "./exact.ts";
import { holdings } from "./holdings.ts";
import { storeAt } from "./stores.ts";

const text = { type: "string", default: "" } as const;
const no = { type: "boolean", default: false } as const;
const { values } = parseArgs({
  options: {
    port: text,
    store: text,
    effects: text,
    spill: text,
    leaseMs: { type: "string", default: "30000" },
    handlerMs: { type: "string", default: "2" },
    /** Whether it only receives, or only works; without it, both. */
    role: text,
    /** Until what failed is tried again. */
    delayMs: text,
    diesAfter: text,
    acknowledgeFirst: no,
    unsynced: no,
  },
});

if (values.unsynced) leaveUnsynced();
const record = recordEffects(values.effects);
const exact = exactEffectsAt(values.store);
const inbox = createInbox({
  store: controlled(storeAt(values.store).store as Store<Transaction>),
  ...(values.spill === "" ? {} : { spill: sqlite(values.spill) }),
  sources: { audata: audata({ token: "t" }) },
  work: values.role !== "receive" && { leaseMs: Number(values.leaseMs) },
  retry: {
    delaysMs: values.delayMs === "" ? [50, 100, 200, 400, 800, 1600] : [Number(values.delayMs)],
  },
  logger: false,
  // For whoever wants to know that it has happened.
  onSignal({ kind }) {
    if (kind === "fenced" || kind === "spilling") console.log(kind);
  },
});

// Where no thread can extend them, leases last as long as handlers may run.
const timeoutMs = 5000;
inbox.on("audata", "Listener.updated", { timeoutMs }, async ({ id }, { attempt }) => {
  await pause(Number(values.handlerMs));
  if (attempt === 1 && id.endsWith("7")) throw new Error("the first attempt of every tenth fails");
  record({ id, attempt, pid: process.pid, at: Date.now() });
});

if (exact !== undefined) {
  // Where the store is away, whoever started it before has made the table.
  await exact.prepare().catch(() => undefined);
  const options = { name: "exact", timeoutMs };
  inbox.on("audata", "Listener.updated", options, async ({ id }, ctx) => {
    if (ctx.attempt === 1 && id.endsWith("5")) throw new Error("before the transaction");
    await pause(1);
    await ctx.transaction((connection) =>
      exact.insert(connection, id, () => {
        if (ctx.attempt === 1 && id.endsWith("2")) throw new Error("inside the transaction");
      }),
    );
    if (id.endsWith("3")) throw new Error("after the transaction");
  });
}

const server = values.role === "work" ? undefined : serving();
if (server === undefined) {
  await inbox.start();
  console.log("ready");
}

process.once("SIGTERM", () => void end());

function serving(): Server {
  const app = express();
  app.use(webhooks(inbox));
  app.get("/ready", (_req, res) => void res.sendStatus(inbox.isReady ? 200 : 503));
  app.get("/holdings", (_req, res) => void res.json(holdings()));
  return app.listen(Number(values.port), "127.0.0.1", () => console.log("ready"));
}

/** As a service ends: balancers notice first. */
async function end(): Promise<void> {
  await inbox.close({ receiveMs: server === undefined ? 0 : 1000 });
  server?.closeAllConnections();
  process.exit(0);
}

function controlled(store: Store<Transaction>): Store<Transaction> {
  if (values.acknowledgeFirst) return acknowledgeFirst(store);
  return values.diesAfter === "" ? store : diesAfterTakes(store, Number(values.diesAfter));
}
