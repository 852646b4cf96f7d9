/** An inbox under something that goes on beside its deliveries: what these take then is held against a run without it. */

import {
  createInbox,
  systemClock,
  WebhookInboxError,
  type Clock,
  type Inbox,
  type Store,
} from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { webhooks } from "@webhook-inbox/express";
import express from "express";
import { startUpkeep } from "../../packages/core/src/work/upkeep.ts";
import { wrapped } from "../../tests/support/wrapped.ts";
import { eventNumber } from "../events.ts";
import { dayMs, filled, isOver, isWaiting } from "../filled.ts";
import { directory, type MakeSubject } from "./subject.ts";

/** What goes on beside the deliveries. */
export const disturbances = [
  "none",
  "waiting",
  "hanging",
  // What is sent is disturbance enough.
  "duplicates",
  "draining",
  "pruning",
] as const;
type Disturbance = (typeof disturbances)[number];

const keptCount = 500_000;
const spilledCount = 40_000;
const hangingCount = 200;
const upkeepMsMax = 1000;
/** How long the handlers may need for what was taken. */
const handledMsMax = 30_000;

const totalIn = async (store: Store): Promise<number> => {
  const { counted } = await store.audit();
  return Object.values(counted).reduce((sum, count) => sum + count, 0);
};

async function until(isSo: () => boolean): Promise<void> {
  const began = Date.now();
  while (!isSo() && Date.now() - began < handledMsMax) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Events of another source that wait for handlers which never end. */
async function takeHanging(store: Store): Promise<void> {
  const source = "other";
  const events = Array.from({ length: hangingCount }, (_, n) => ({ ...eventNumber(n), source }));
  await store.take(events, { fence: "fill", leaseMs: 1, slots: {} });
}

/** Deliveries of another source, as if they had come in by HTTP. */
async function receiveMany(inbox: Pick<Inbox, "receive">): Promise<void> {
  const target = "/webhooks/other/token";
  const head = { method: "POST", target, headers: [], remoteAddress: undefined };
  const text = Buffer.from(eventNumber(0).delivery.body).toString();
  for (let from = 0; from < spilledCount; from += 64) {
    const answers = Array.from({ length: 64 }, async (_, n) => {
      const bytes = Buffer.from(text.replace('"x"', `"spilled-${from + n}"`));
      return await inbox.receive(head, {
        read: async () => ({ kind: "read", bytes, reconstructed: false }),
      });
    });
    await Promise.all(answers);
  }
}

/** The upkeep of a worker, which begins at once. The function returned ends it, and answers how many events were forgotten. */
function pruning(store: Store): () => Promise<number> {
  const after: Clock["after"] = (ms, act) => systemClock.after(Math.min(ms, upkeepMsMax), act);
  const clock = { ...systemClock, after };
  const retention = { payloadMs: dayMs, keyMs: dayMs };
  let step: Promise<unknown> = Promise.resolve();
  const prune: Store["prune"] = async (ask) => {
    const pruned = store.prune(ask);
    step = pruned;
    return await pruned;
  };
  const end = startUpkeep({ store: { prune }, retention, clock, emit: () => undefined });
  return async () => {
    end();
    await step;
    const { tallies } = await store.audit();
    return tallies.reduce((sum, { to, count }) => sum + (to === "pruned" ? count : 0), 0);
  };
}

const make =
  (name: keyof typeof filled, disturbance: Disturbance): MakeSubject =>
  async (places) => {
    const { store, fill, end } = filled[name](places);
    await store.open({ clock: systemClock });
    if (disturbance === "waiting") await fill(keptCount, isWaiting);
    if (disturbance === "pruning") await fill(keptCount, isOver);
    if (disturbance === "hanging") await takeHanging(store);
    const before = await totalIn(store);
    const isSpilled = disturbance === "draining";
    const spill = directory();
    let isAway = isSpilled;
    const take: Store["take"] = async (...given) => {
      if (isAway) throw new WebhookInboxError("STORE_UNAVAILABLE", "away.");
      return await store.take(...given);
    };
    let handled = 0;
    const inbox = createInbox({
      store: wrapped(store, { take, open: async () => undefined }),
      ...(isSpilled ? { spill: sqlite(spill.file) } : {}),
      sources: { audata: audata({ token: "token" }), other: audata({ token: "token" }) },
      logger: false,
    });
    inbox.on("audata", "*", () => void (handled += 1));
    inbox.on("other", "*", async (_, { signal }) => {
      if (disturbance !== "hanging") return;
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    });
    const listener = express().use(webhooks(inbox));
    if (isSpilled) await receiveMany(inbox);
    isAway = false;
    const pruned = disturbance === "pruning" ? pruning(store) : async () => 0;
    return {
      listener,
      shape: "audata",
      async counts() {
        const gone = await pruned();
        if (disturbance !== "hanging") await inbox.idle();
        const beside = before - gone + (isSpilled ? spilledCount : 0);
        const kept = (await totalIn(store)) - beside;
        // Those that never end are waited for by nobody.
        await until(() => handled >= kept);
        return { kept, handled };
      },
      async close() {
        await inbox.close({ drainMs: 100 });
        await end();
        await spill.remove();
      },
    };
  };

export const disturbed: Readonly<Record<string, MakeSubject>> = Object.fromEntries(
  (["sqlite", "postgres"] as const).flatMap((name) =>
    disturbances.map((disturbance) => [`${name}: ${disturbance}`, make(name, disturbance)]),
  ),
);
