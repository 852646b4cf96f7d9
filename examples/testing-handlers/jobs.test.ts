import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { memory } from "@webhook-inbox/core/memory";
import { nodeHandler } from "@webhook-inbox/core/node";
import { simulate } from "@webhook-inbox/testing/simulate";
import { jobsInbox } from "./jobs.ts";

void test("a job that has finished is in the CRM once, though the CRM failed at first", async (t) => {
  const added: string[] = [];
  let calls = 0;
  const inbox = jobsInbox(memory({ acceptLoss: true }), {
    add: async (job) => {
      calls += 1;
      if (calls === 1) throw new Error("503");
      added.push(job);
    },
  });
  const server = createServer(nodeHandler(inbox)).listen(0);
  await once(server, "listening");
  t.after(async () => {
    await inbox.close();
    server.closeAllConnections();
    server.close();
  });

  // SocialData, with its settings and its calls.
  const provider = await simulate.socialData();
  t.after(() => provider.close());
  const { port } = server.address() as AddressInfo;
  provider.saveSettings({ webhookUrl: `http://localhost:${port}/webhooks/socialdata/for-tests` });
  const job = provider.startJob();
  await provider.finishJob(job, { status: "success" });

  // Retries that are due later are waited for by looking.
  while (added.length === 0) await inbox.idle();
  assert.deepEqual(added, [String(job)]);
  assert.equal(calls, 2);
  const [event] = (await inbox.list()).events;
  assert.equal(event?.state, "done");
});
