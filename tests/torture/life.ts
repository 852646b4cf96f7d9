/**
 * A whole life of an inbox, in one process: it makes its tables, takes deliveries and copies, spills and drains, handles and
 * settles, erases, prunes, counts and closes. It may be told to die by SIGKILL right before or right after its nth call of the
 * store's driver; lived again, it does what is left. Prints how many such moments it has seen.
 *
 * node life.ts --store URL --spill FILE --ledger FILE --effects FILE --erased FILE [--diesAt N]
 */

import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createInbox, WebhookInboxError, type Store } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { bodyOf } from "./body.ts";
import { diesAtCall } from "./controls.ts";
import { recordEffects } from "./effects.ts";
import { exactEffectsAt, type Transaction } from "./exact.ts";
import { openLedger } from "./ledger.ts";
import { storeAt } from "./stores.ts";
import { wrapped } from "../support/wrapped.ts";

const text = { type: "string", default: "" } as const;
const { values } = parseArgs({
  options: { store: text, spill: text, ledger: text, effects: text, erased: text, diesAt: text },
});
const calls = diesAtCall(Number(values.diesAt));
const ledger = openLedger(values.ledger);
const record = recordEffects(values.effects);
const exact = exactEffectsAt(values.store);
const { store, end } = storeAt(values.store);
let isAway = false;
const unreliable = wrapped(store as Store<Transaction>, {
  take: (events, ask) =>
    isAway
      ? Promise.reject(new WebhookInboxError("STORE_UNAVAILABLE", "It is away."))
      : (store as Store<Transaction>).take(events, ask),
});
const inbox = createInbox({
  store: unreliable,
  spill: sqlite(values.spill),
  sources: { audata: audata({ token: "t" }) },
  work: { leaseMs: 1000 },
  retry: { delaysMs: [10, 20, 40, 80, 160] },
  logger: false,
});
// Where no thread extends them, leases last as long as handlers may run.
const options = { timeoutMs: 500 };
inbox.on("audata", "Listener.updated", options, ({ id }, { attempt }) => {
  if (attempt === 1 && id.endsWith("3")) throw new Error("the first attempt fails");
  record({ id, attempt, pid: process.pid, at: Date.now() });
});
if (exact !== undefined) {
  await exact.prepare();
  inbox.on("audata", "Listener.updated", { ...options, name: "exact" }, ({ id }, ctx) =>
    ctx.transaction((connection) => exact.insert(connection, id, () => undefined)),
  );
}

async function deliver(id: string): Promise<void> {
  const request = new Request("http://inbox.test/webhooks/audata/t", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: bodyOf(id),
  });
  const sentAt = Date.now();
  const { status } = await inbox.fetch(request);
  await ledger.add({ id, sentAt, status, answeredAt: Date.now() });
}

async function quiet(): Promise<void> {
  for (;;) {
    await inbox.idle();
    const open = await Promise.all(
      (["pending", "running"] as const).map((state) => inbox.list({ state, limit: 1 })),
    );
    if (open.every(({ events }) => events.length === 0)) return;
    await pause(50);
  }
}

const erasedId = "life-2";

/** Before it begins, and when it was answered, a line is written. */
async function erase(): Promise<void> {
  const { events } = await inbox.list();
  const one = events.find(({ id }) => id === erasedId);
  appendFileSync(values.erased, "begun\n");
  if (one !== undefined) await inbox.erase([one.key], { by: "life" });
  appendFileSync(values.erased, "done\n");
}

await inbox.start();
const isErased = existsSync(values.erased) && readFileSync(values.erased, "utf8").includes("begun");
for (const id of ["life-1", ...(isErased ? [] : [erasedId]), "life-3", "life-1"]) await deliver(id);
isAway = true;
await deliver("life-4");
isAway = false;
while ((await inbox.audit()).spilled > 0) await pause(20);
await quiet();
await erase();
await store.prune({ payloadMs: 0, keyMs: Infinity, refusedMax: 1, limit: 100 });
const { isBalanced } = await inbox.audit();
await inbox.close();
await end();
console.log(JSON.stringify({ calls: calls(), isBalanced }));
