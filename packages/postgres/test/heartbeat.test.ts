import { createInbox, type Signal } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { postgres } from "@webhook-inbox/postgres";
import { Pool } from "pg";
import { expect, inject, onTestFinished, test } from "vitest";
import { ask, serve } from "../../../tests/support/served.ts";
import { newSchema, testPool } from "./places.ts";

const pool = testPool();

test("a handler that blocks the event loop keeps its event", { timeout: 30_000 }, async () => {
  const schema = newSchema();
  const signals: Signal[] = [];
  const inbox = createInbox({
    store: postgres(pool, { schema }),
    sources: { audata: audata({ auth: "none" }) },
    work: { leaseMs: 600 },
    logger: false,
    onSignal: (signal) => void signals.push(signal),
  });
  onTestFinished(async () => void (await pool.query(`DROP SCHEMA ${schema} CASCADE`)));
  let runs = 0;
  inbox.on("audata", "*", () => {
    runs += 1;
    const end = Date.now() + 3000;
    while (Date.now() < end);
  });
  await inbox.start();
  const served = await serve(inbox);
  await ask(served, "/webhooks/audata?event=Prize.created&webhookCallId=1&sender[id]=1", {
    method: "GET",
  });
  await inbox.idle();
  const { events } = await inbox.list();
  expect(events.map(({ state, attempts, crashes }) => [state, attempts, crashes])).toEqual([
    ["done", 1, 0],
  ]);
  expect(runs).toBe(1);
  expect(signals.map(({ kind }) => kind)).not.toContain("heartbeat_failed");
});

test("options that cannot be handed to a thread give none", () => {
  const connectionString = inject("postgresUrl");
  expect(postgres(pool).threadAccess).toBeDefined();
  const secret = new Pool({ connectionString, password: async () => "fetched" });
  expect(postgres(secret).threadAccess).toBeUndefined();
  const hidden = new Pool({ host: "127.0.0.1", user: "u", password: "hidden" });
  const { options } = postgres(hidden).threadAccess ?? {};
  expect(options).toMatchObject({ config: { password: "hidden", max: 1 } });
});
