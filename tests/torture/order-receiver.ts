/**
 * One of the processes under test of the order run: receives and handles events that have to come in order, and writes
 * down when each attempt begins and ends.
 *
 * node order-receiver.ts --port N --store URL --attempts FILE [--unordered]
 */

import { openSync, writeSync } from "node:fs";
import { createServer } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createInbox } from "@webhook-inbox/core";
import { nodeHandler } from "@webhook-inbox/core/node";
import { generic } from "@webhook-inbox/core/providers/generic";
import { storeAt } from "./stores.ts";

const text = { type: "string", default: "" } as const;
const { values } = parseArgs({
  options: {
    port: text,
    store: text,
    attempts: text,
    unordered: { type: "boolean", default: false },
  },
});
// Opened for appending: lines of this length are written whole, whoever else appends, in the order of the writes.
const attempts = openSync(values.attempts, "a");
const write = (what: "begins" | "ends", id: string): void =>
  void writeSync(attempts, `${JSON.stringify({ what, id, pid: process.pid })}\n`);

const inbox = createInbox({
  store: storeAt(values.store).store,
  sources: {
    ordered: generic({
      token: "t",
      id: "id",
      orderBy: ({ id }) => (values.unordered ? undefined : id.split("/")[0]),
    }),
  },
  work: { leaseMs: 2000 },
  retry: { delaysMs: [10, 20, 40, 80, 160] },
  logger: false,
});
inbox.on("ordered", "*", { timeoutMs: 1000 }, async ({ id }, { attempt }) => {
  write("begins", id);
  await pause(Math.random() * 3);
  write("ends", id);
  if (attempt === 1 && id.endsWith("7")) throw new Error("the first attempt of every tenth fails");
});
createServer(nodeHandler(inbox)).listen(Number(values.port), "127.0.0.1", () =>
  console.log("ready"),
);
