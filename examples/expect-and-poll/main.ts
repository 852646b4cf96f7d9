/** SocialData sends a webhook once. This one never arrives, and its job is handled all the same. */

import { createInbox } from "@webhook-inbox/core";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { simulate } from "@webhook-inbox/testing/simulate";

// Plays SocialData's API; nobody has told it where to send webhooks.
const provider = await simulate.socialData({ apiKey: "key" });

const inbox = createInbox({
  store: sqlite(process.env.DATABASE ?? "webhooks.sqlite"),
  sources: {
    socialdata: socialData({
      token: "token",
      // Of the real one, its key is enough.
      api: { apiKey: "key", baseUrl: provider.url },
    }),
  },
  logger: false,
});
inbox.on("socialdata", "job_finished", async ({ data: job, notes }) => {
  const how = notes.includes("fetched") ? "asked for, as its webhook had not come" : "by webhook";
  console.log(`handled job ${job.job_id}: ${job.status} (${how})`);
  setImmediate(() => void end());
});

// Whoever starts a job says that its webhook is to come, and within which time: as durable as an event.
const job = provider.startJob();
await inbox.expect("socialdata", job, { withinMs: 1000 });
await provider.finishJob(job, { status: "success" });
await inbox.start();
console.log("waiting for the webhook");

async function end(): Promise<void> {
  await inbox.close();
  await provider.close();
}
