import { audata } from "@webhook-inbox/core/providers/audata";
import { captainData } from "@webhook-inbox/core/providers/captain-data";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { webhooks } from "@webhook-inbox/koa";
import Koa from "koa";

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

const app = new Koa();
app.use(receive);
app.use((ctx) => {
  ctx.body = "every other route is yours";
});

const server = app.listen(Number(process.env.PORT ?? 3000), () => {
  console.log("listening on", server.address());
});

process.once("SIGTERM", async () => {
  await receive.inbox.close();
  server.close();
});
