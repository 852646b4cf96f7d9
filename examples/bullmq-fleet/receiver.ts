/** Takes webhooks, and hands each event that is kept to the queue. */

import { createServer } from "node:http";
import { enqueue } from "@webhook-inbox/bullmq";
import { createInbox } from "@webhook-inbox/core";
import { nodeHandler } from "@webhook-inbox/core/node";
import { Queue } from "bullmq";
import { connection, queue, sources, store } from "./webhooks.ts";

const jobs = new Queue(queue, {
  connection,
  defaultJobOptions: {
    attempts: 8,
    backoff: { type: "exponential", delay: 1000 },
    // Kept for longer than an event may be handed over again: one job for each, whatever is killed.
    removeOnComplete: { age: 7 * 86_400 },
  },
});
const inbox = createInbox({ store, sources });
inbox.on("socialdata", "*", enqueue(jobs));

const port = Number(process.env.PORT ?? 3000);
createServer(nodeHandler(inbox)).listen(port, () => console.log(`listening on ${port}`));
process.once("SIGTERM", () => void inbox.close().then(() => process.exit()));
