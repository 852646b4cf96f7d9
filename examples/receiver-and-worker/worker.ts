/** Runs handlers, and serves nobody: as many of them as there is work. */

import { createInbox } from "@webhook-inbox/core";
import { pool, sources, store } from "./webhooks.ts";

const inbox = createInbox({ store, sources });
inbox.on("socialdata", "job_finished", async ({ data: job }) => {
  console.log(`handled job ${job.job_id}: ${job.status}`);
});
await inbox.start();
console.log("working");

process.once("SIGTERM", async () => {
  // What is under way is finished, or handed back.
  await inbox.close();
  await pool.end();
});
