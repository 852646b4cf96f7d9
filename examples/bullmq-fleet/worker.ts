/** One of the fleet. */

import { processor } from "@webhook-inbox/bullmq";
import { createInbox } from "@webhook-inbox/core";
import { Worker } from "bullmq";
import { connection, queue, sources, store } from "./webhooks.ts";

const inbox = createInbox({ store, sources, work: false });
const run = processor(inbox, {
  socialdata: {
    job_finished({ data }, { attempt }) {
      console.log(`handled job ${data.job_id}: ${data.status} (attempt ${attempt})`);
    },
  },
});
// A job is not given up because the processes that had it in hand were killed.
const worker = new Worker(queue, run, { connection, concurrency: 10, maxStalledCount: 100 });
await worker.waitUntilReady();
console.log("a worker is ready");
process.once("SIGTERM", () => void worker.close().then(() => process.exit()));
