/**
 * One of a fleet of BullMQ workers: reads each event from the inbox's store, takes a moment, and records what it did.
 *
 * node queue-worker.ts --store URL --queue URL --effects FILE
 */

import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createInbox } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { processor } from "@webhook-inbox/bullmq";
import { Worker } from "bullmq";
import { recordEffects } from "./effects.ts";
import { queueName, workerConcurrency } from "./queue-fleet.ts";
import { storeAt } from "./stores.ts";

const text = { type: "string", default: "" } as const;
const { values } = parseArgs({ options: { store: text, queue: text, effects: text } });
const record = recordEffects(values.effects);
const inbox = createInbox({
  store: storeAt(values.store).store,
  sources: { audata: audata({ token: "t" }) },
  work: false,
  logger: false,
});
const worker = new Worker(
  queueName,
  processor(inbox, {
    audata: {
      "Listener.updated": async ({ id }, { attempt }) => {
        await pause(5);
        record({ id, attempt, pid: process.pid, at: Date.now() });
      },
    },
  }),
  {
    connection: { url: values.queue },
    concurrency: workerConcurrency,
    // As the documentation says: a job may be in hand at many deaths.
    maxStalledCount: 100,
    // What a killed one had in hand is found soon.
    lockDuration: 1000,
    stalledInterval: 500,
  },
);
worker.on("error", () => undefined);
await worker.waitUntilReady();
console.log("ready");
