import { createServer } from "node:http";
import { createInbox } from "@webhook-inbox/core";
import { nodeHandler } from "@webhook-inbox/core/node";
import { captainData } from "@webhook-inbox/core/providers/captain-data";
import { postgres } from "@webhook-inbox/postgres";
import { Pool } from "pg";

const pool = new Pool({ connectionString: process.env.DATABASE_URL });
const schema = process.env.SCHEMA ?? "webhook_inbox";
await pool.query(
  `CREATE TABLE IF NOT EXISTS runs (workflow text PRIMARY KEY, finished integer NOT NULL)`,
);

const inbox = createInbox({
  store: postgres(pool, { schema }),
  sources: { "captain-data": captainData({ bearer: process.env.CAPTAIN_DATA_TOKEN }) },
  retry: { delaysMs: [100, 1000, 10_000] },
});

let attempts = 0;
inbox.on("captain-data", "job.succeeded", async ({ data }, ctx) => {
  // The count goes up and the event is done in one commit: both, or neither.
  await ctx.transaction(async (client) => {
    await client.query(
      `INSERT INTO runs VALUES ($1, 1) ON CONFLICT (workflow) DO UPDATE SET finished = runs.finished + 1`,
      [data.workflow_name],
    );
    attempts += 1;
    if (attempts === 1) throw new Error("the first attempt fails behind its statement");
  });
  const { rows } = await pool.query("SELECT * FROM runs WHERE workflow = $1", [data.workflow_name]);
  console.log(
    `handled ${data.workflow_name}: ${rows[0].finished} finished, at attempt ${ctx.attempt}`,
  );
});

const port = Number(process.env.PORT ?? 3000);
createServer(nodeHandler(inbox)).listen(port, () => console.log(`listening on ${port}`));
