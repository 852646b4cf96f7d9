/** Errors that only a busy or a troubled server has, raised by a trigger in a real one: each as often as is said, then no more. */

import { createInbox } from "@webhook-inbox/core";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { postgres } from "@webhook-inbox/postgres";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryFile } from "../../../tests/support/temporary.ts";
import { newSchema, testPool } from "./places.ts";

const pool = testPool();

const undone = { "40001": "a serialization failure", "40P01": "a deadlock" };
const away = {
  "53100": "a full disk",
  "53200": "no memory left",
  "53300": "no connection left",
  "55P03": "a lock that is not to be had",
  "57014": "a statement that was cancelled",
  "57P01": "a shutdown",
  "57P03": "a start",
  "58030": "a disk that fails",
  P0001: "a function of somebody's own",
  XX000: "an error of its own",
};

/** The statements that move an event: its insertion, and its updates as a claim and as a settlement. */
const moments = {
  "when it is taken": { on: "INSERT", state: "pending" },
  "when it is claimed": { on: "UPDATE", state: "running" },
  "when it is settled": { on: "UPDATE", state: "done" },
};

/** One that receives and one that works; their server raises an error the first times that an event comes into a state. */
async function troubled(code: string, times: number, moment: { on: string; state: string }) {
  const schema = newSchema();
  const sources = { jobs: socialData({ token: "t" }) };
  const store = () => postgres(pool, { schema });
  const spill = sqlite(temporaryFile("spill.sqlite"));
  const inbox = createInbox({ store: store(), spill, sources, work: false, logger: false });
  const worker = createInbox({ store: store(), sources, work: { leaseMs: 1000 }, logger: false });
  onTestFinished(async () => {
    await Promise.all([inbox.close(), worker.close()]);
    await pool.query(`DROP SCHEMA ${schema} CASCADE`);
  });
  let attempts = 0;
  worker.on("jobs", "*", { timeoutMs: 1000 }, () => void (attempts += 1));
  await inbox.start();
  await worker.start();
  await pool.query(`CREATE SEQUENCE ${schema}.troubles`);
  await pool.query(
    `CREATE FUNCTION ${schema}.trouble() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN
       IF nextval('${schema}.troubles') <= ${times} THEN RAISE EXCEPTION 'trouble' USING ERRCODE = '${code}'; END IF;
       RETURN NEW;
     END $$`,
  );
  // Of a table with partitions: they have it too.
  await pool.query(
    `CREATE TRIGGER trouble BEFORE ${moment.on} ON ${schema}.events FOR EACH ROW
     WHEN (NEW.state = '${moment.state}') EXECUTE FUNCTION ${schema}.trouble()`,
  );
  const request = new Request("http://inbox.test/webhooks/jobs/t", {
    method: "POST",
    body: '{"event":"job_finished","data":{"job_id":1,"status":"error"}}',
  });
  const { status } = await inbox.fetch(request);
  await expect
    .poll(async () => (await inbox.list({ state: "done" })).events.length, { timeout: 15_000 })
    .toBe(1);
  const { rows } = await pool.query<{ readonly last_value: string; readonly is_called: boolean }>(
    `SELECT last_value, is_called FROM ${schema}.troubles`,
  );
  const troubles = rows.map((row) => (row.is_called ? Number(row.last_value) : 0))[0];
  const [event] = (await inbox.list()).events;
  const failures = event?.history.flatMap((attempt) => attempt.failures);
  return { status, attempts, failures, troubles };
}

for (const [when, moment] of Object.entries(moments)) {
  describe(when, () => {
    test.each(Object.entries(undone))("%s, %s: it is done again", async (code) => {
      const { troubles, ...found } = await troubled(code, 2, moment);
      expect(found).toEqual({ status: 200, attempts: 1, failures: [] });
      expect(troubles).toBeGreaterThan(2);
    });

    test.each(Object.entries(away))("%s, %s: it waits, and no attempt has failed", async (code) => {
      const { troubles, status, failures } = await troubled(code, 1, moment);
      expect({ status, failures }).toEqual({ status: 200, failures: [] });
      expect(troubles).toBeGreaterThan(1);
    });
  });
}
