import { serve } from "@hono/node-server";
import { createInbox } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { captainData } from "@webhook-inbox/core/providers/captain-data";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { Hono } from "hono";

const inbox = createInbox({
  store: sqlite(process.env.DATABASE ?? "webhooks.sqlite"),
  sources: {
    socialdata: socialData({ token: process.env.SOCIALDATA_TOKEN }),
    audata: audata({ token: process.env.AUDATA_TOKEN }),
    "captain-data": captainData({ bearer: process.env.CAPTAIN_DATA_TOKEN }),
  },
  handlers: {
    socialdata: {
      job_finished: ({ data: job }) => console.log(`handled job ${job.job_id}: ${job.status}`),
    },
    audata: {
      "Listener.updated": ({ data }) => console.log(`handled listener ${data.sender_id}`),
    },
    "captain-data": {
      "job.succeeded": ({ data }) => console.log(`handled run ${data.job_uid}`),
    },
  },
});

const app = new Hono();
app.all("/webhooks/*", (c) => inbox.fetch(c.req.raw));
app.get("/", (c) => c.text("every other route is yours"));

// A Request says nothing about its server: whoever lives on says when to begin.
await inbox.start();
const server = serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 3000) }, (address) => {
  console.log("listening on", address);
});

process.once("SIGTERM", async () => {
  await inbox.close();
  server.close();
});
