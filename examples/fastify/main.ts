import { audata } from "@webhook-inbox/core/providers/audata";
import { captainData } from "@webhook-inbox/core/providers/captain-data";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { webhooks } from "@webhook-inbox/fastify";
import Fastify from "fastify";

const receive = webhooks({
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

const app = Fastify();
app.register(receive);
app.get("/", () => "every other route is yours");

await app.listen({ port: Number(process.env.PORT ?? 3000) });
console.log("listening on", app.server.address());

// The plugin closes its inbox with the application.
process.once("SIGTERM", () => void app.close());
