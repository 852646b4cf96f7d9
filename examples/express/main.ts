import { createInbox } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { captainData } from "@webhook-inbox/core/providers/captain-data";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { webhooks } from "@webhook-inbox/express";
import express from "express";

const inbox = createInbox({
  store: sqlite(process.env.DATABASE ?? "webhooks.sqlite"),
  sources: {
    socialdata: socialData({ token: process.env.SOCIALDATA_TOKEN }),
    audata: audata({ token: process.env.AUDATA_TOKEN }),
    "captain-data": captainData({ bearer: process.env.CAPTAIN_DATA_TOKEN }),
  },
});

inbox.on("socialdata", "job_finished", async ({ data: job }) => {
  if (job.status === "success") console.log(`handled job ${job.job_id}: its data is ready`);
  if (job.status === "error") console.log(`handled job ${job.job_id}: ${job.message}`);
});

inbox.on("audata", "Listener.updated", async ({ data }) => {
  console.log(`handled listener ${data.sender_id} of ${data.station}`);
});

inbox.on("captain-data", "job.succeeded", async ({ data, notes }) => {
  const partly = notes.includes("partial_success") ? ", but some inputs failed" : "";
  console.log(`handled run ${data.job_uid}: ${data.workflow_name} finished${partly}`);
});

inbox.on("captain-data", "job.failed", async ({ data }) => {
  console.log(`handled run ${data.job_uid}: ${data.workflow_name} failed`);
});

const app = express();
app.use(webhooks(inbox));
app.get("/", (_req, res) => void res.send("every other route is yours"));

const server = app.listen(Number(process.env.PORT ?? 3000), (error) => {
  if (error) throw error; // the port is taken, say
  console.log("listening on", server.address());
});

// What runs has time to end. Killed instead, it runs again at the next start.
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, async () => {
    await inbox.close();
    process.exit();
  });
}
