/**
 * The process under test of the disturbance run: an inbox with a spill, whose store can be told to be away, and
 * with dead events that can be replayed. Told by its parent, it answers each message when it is done.
 *
 * node disturbance-receiver.ts --store URL --spill FILE
 */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";
import { createInbox, WebhookInboxError, type BodySource, type Store } from "@webhook-inbox/core";
import { nodeHandler } from "@webhook-inbox/core/node";
import { audata } from "@webhook-inbox/core/providers/audata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { wrapped } from "../support/wrapped.ts";
import { bodyOf } from "./body.ts";
import { storeAt } from "./stores.ts";

export type Told =
  /** Takes so many deliveries while the store is away, and lets it come back. */
  | { readonly say: "spill"; readonly count: number }
  /** Replays dead events at this rate until told to stop. */
  | { readonly say: "replay"; readonly perSecond: number }
  | { readonly say: "stop" };

const text = { type: "string", default: "" } as const;
const { values } = parseArgs({ options: { store: text, spill: text } });

let isAway = false;
const inner = storeAt(values.store).store;
const take: Store["take"] = async (...given) => {
  if (isAway) throw new WebhookInboxError("STORE_UNAVAILABLE", "away.");
  return await inner.take(...given);
};
const inbox = createInbox({
  store: wrapped<unknown>(inner, { take }),
  spill: sqlite(values.spill),
  sources: { slow: audata({ token: "t" }), live: audata({ token: "t" }) },
  logger: false,
  onSignal(signal) {
    if (signal.kind === "spill_drained") process.send?.({ drained: signal.deliveries });
  },
});
let replayed = 0;
inbox.on("slow", "*", () => void (replayed += 1));
inbox.on("live", "*", () => undefined);

let spilled = 0;
let stop = new AbortController();

async function spill(count: number): Promise<void> {
  isAway = true;
  const head = {
    method: "POST",
    target: "/webhooks/slow/t",
    headers: [],
    remoteAddress: undefined,
  };
  while (count > 0) {
    const batch = Math.min(count, 16);
    count -= batch;
    const answers = Array.from({ length: batch }, async () => {
      const bytes = new TextEncoder().encode(bodyOf(`spilled-${spilled++}`));
      const body: BodySource = {
        read: async () => ({ kind: "read", bytes, reconstructed: false }),
      };
      return await inbox.receive(head, body);
    });
    await Promise.all(answers);
  }
  isAway = false;
}

process.on("message", (told: Told) => {
  if (told.say === "stop") stop.abort();
  if (told.say === "spill") void spill(told.count).then(() => process.send?.({ spilled }));
  if (told.say !== "replay") return;
  stop = new AbortController();
  const { perSecond } = told;
  void inbox
    .replay({ state: "dead" }, { perSecond, signal: stop.signal })
    .then(() => process.send?.({ replayed }));
});
const server = createServer(nodeHandler(inbox)).listen(0, "127.0.0.1", () => {
  process.send?.({ port: (server.address() as AddressInfo).port });
});
