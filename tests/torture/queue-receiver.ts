/**
 * A receiver that hands everything to a BullMQ queue.
 *
 * node queue-receiver.ts --port N --store URL --queue URL
 */

import { parseArgs } from "node:util";
import { createInbox } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { enqueue } from "@webhook-inbox/bullmq";
import { webhooks } from "@webhook-inbox/express";
import { Queue } from "bullmq";
import express from "express";
import { queueName } from "./queue-fleet.ts";
import { storeAt } from "./stores.ts";

const text = { type: "string", default: "" } as const;
const { values } = parseArgs({ options: { port: text, store: text, queue: text } });
const queue = new Queue(queueName, { connection: { url: values.queue } });
const inbox = createInbox({
  store: storeAt(values.store).store,
  sources: { audata: audata({ token: "t" }) },
  work: { leaseMs: 3000 },
  logger: false,
});
// A lease lasts as long as this where no thread can extend it.
const timeoutMs = 5000;
inbox.on("audata", "*", { timeoutMs }, enqueue(queue, { job: { attempts: 100 } }));
const app = express();
app.use(webhooks(inbox));
app.listen(Number(values.port), "127.0.0.1", () => console.log("ready"));
