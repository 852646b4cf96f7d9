/** A process that fills a PostgreSQL store, and then does nothing but work it off. */

import { createInbox, systemClock } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { postgres } from "@webhook-inbox/postgres";
import { Pool } from "pg";
import { takeMany } from "./events.ts";

/** Filled; or done, with the processor time of the work. */
export interface WorkerTold {
  readonly microseconds: number;
}

const [url = "", schema = "", backlog = "0"] = process.argv.slice(2);
const pool = new Pool({ connectionString: url, max: 20 });
const store = postgres(pool, { schema });
await store.open({ clock: systemClock });
await takeMany(store, Number(backlog));
const inbox = createInbox({
  store,
  sources: { audata: audata({ token: "token" }) },
  logger: false,
});
inbox.on("audata", "*", () => undefined);
const tell = (told: WorkerTold): void => void process.send?.(told);

process.once("message", () => {
  void (async () => {
    const before = process.cpuUsage();
    await inbox.start();
    await inbox.idle();
    const { user, system } = process.cpuUsage(before);
    tell({ microseconds: user + system });
  })();
});
tell({ microseconds: 0 });
