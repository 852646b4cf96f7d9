import { createInbox } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { captainData } from "@webhook-inbox/core/providers/captain-data";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";

const newInbox = () =>
  createInbox({
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

// Next bundles instrumentation and routes apart, and loads routes to build them: one inbox for all, made when it is needed.
const shared = globalThis as { inbox?: ReturnType<typeof newInbox> };

export const inbox = () => (shared.inbox ??= newInbox());
