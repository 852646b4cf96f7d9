/**
 * The process under test of the outage runs: an inbox with a spill, whose handler takes a moment and fails now and then.
 * Prints a line for `ready`, and one of JSON for each signal about the store and the spill.
 *
 * node outage-receiver.ts --port N --store URL --spill FILE --effects FILE
 */

import { createServer } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createInbox } from "@webhook-inbox/core";
import { nodeHandler } from "@webhook-inbox/core/node";
import { audata } from "@webhook-inbox/core/providers/audata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { recordEffects } from "./effects.ts";
import { storeAt } from "./stores.ts";

const text = { type: "string", default: "" } as const;
const { values } = parseArgs({ options: { port: text, store: text, spill: text, effects: text } });
const record = recordEffects(values.effects);

const inbox = createInbox({
  store: storeAt(values.store).store,
  spill: sqlite(values.spill),
  sources: { audata: audata({ token: "t" }) },
  work: { leaseMs: 3000 },
  retry: { delaysMs: [50, 100, 200, 400, 800, 1600] },
  logger: false,
  onSignal(signal) {
    if (["spilling", "spill_drained", "possibly_lost", "store_failed"].includes(signal.kind)) {
      console.log(JSON.stringify(signal));
    }
  },
});
// Where no thread can extend them, leases last as long as handlers may run: what was claimed by a call whose answer was
// lost is free again soon.
const options = { timeoutMs: 2000 };
inbox.on("audata", "Listener.updated", options, async ({ id }, { attempt }) => {
  await pause(2);
  if (attempt === 1 && id.endsWith("7")) throw new Error("the first attempt of every tenth fails");
  record({ id, attempt, pid: process.pid, at: Date.now() });
});
createServer(nodeHandler(inbox)).listen(Number(values.port), "127.0.0.1", () =>
  console.log("ready"),
);
