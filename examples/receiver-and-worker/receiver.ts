/** Takes webhooks, and nothing else: as many of them as a balancer wants. */

import { createServer } from "node:http";
import { createInbox } from "@webhook-inbox/core";
import { nodeHandler } from "@webhook-inbox/core/node";
import { pool, sources, store } from "./webhooks.ts";

const inbox = createInbox({ store, sources, work: false });
const port = Number(process.env.PORT ?? 3000);
const server = createServer(nodeHandler(inbox));
server.listen(port, () => console.log(`listening on ${port}`));

process.once("SIGTERM", async () => {
  // The balancer is told to look elsewhere before anything is refused.
  await inbox.close({ receiveMs: 2000 });
  server.close();
  await pool.end();
});
