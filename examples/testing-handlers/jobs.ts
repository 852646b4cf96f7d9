/** What is to be tested: an inbox with its handlers, and what they write to. */

import { createInbox, type Store } from "@webhook-inbox/core";
import { socialData } from "@webhook-inbox/core/providers/socialdata";

export function jobsInbox(store: Store, crm: { add(job: string, url: string): Promise<void> }) {
  const inbox = createInbox({
    store,
    sources: { socialdata: socialData({ token: "for-tests" }) },
    retry: { delaysMs: [10, 10] },
    logger: false,
  });
  inbox.on("socialdata", "job_finished", async ({ data: job }) => {
    if (job.status === "success") await crm.add(String(job.job_id), job.result.datafile_url);
  });
  return inbox;
}
