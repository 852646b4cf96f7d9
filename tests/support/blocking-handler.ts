/** A handler that blocks the event loop for many leases, on a store that has a heartbeat thread. */

import { createInbox, type Signal, type Store } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { expect } from "vitest";
import { ask, serve } from "./served.ts";

/** Expects that it keeps its event: nobody else gets it meanwhile, and no attempt is lost. */
export async function blocksAndKeeps(store: Store): Promise<void> {
  const signals: Signal[] = [];
  const inbox = createInbox({
    store,
    sources: { audata: audata({ auth: "none" }) },
    work: { leaseMs: 600 },
    logger: false,
    onSignal: (signal) => void signals.push(signal),
  });
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
}
