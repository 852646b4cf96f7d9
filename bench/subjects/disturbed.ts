/** An inbox under something that goes on beside its deliveries: what these take then is held against a run without it. */

import { createInbox, systemClock, WebhookInboxError, type BodySource } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { webhooks } from "@webhook-inbox/express";
import express from "express";
import { wrapped } from "../../tests/support/wrapped.ts";
import { eventNumber } from "../events.ts";
import { dayMs, filled, isOver, isWaiting } from "../filled.ts";
import { directory, type MakeSubject } from "./subject.ts";

/** In `pruning` more is old than can be forgotten meanwhile, in `draining` more is spilled than can be moved. */
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
/** As the upkeep prunes. */
const prune = { payloadMs: dayMs, keyMs: dayMs, refusedMax: 500, limit: 200 };
const prunePauseMs = 20;

const make =
  (name: keyof typeof filled, disturbance: Disturbance): MakeSubject =>
  async (places) => {
    const { store, fill, end } = filled[name](places);
    await store.open({ clock: systemClock });
    const isFilled = disturbance === "waiting" || disturbance === "pruning";
    if (isFilled) await fill(keptCount, disturbance === "waiting" ? isWaiting : isOver);
    if (disturbance === "hanging") {
      const events = Array.from({ length: hangingCount }, (_, n) => ({
        ...eventNumber(n),
        source: "other",
      }));
      await store.take(events, { fence: "fill", leaseMs: 1, slots: {} });
    }
    const before = await total();
    const spill = directory();
    let isAway = disturbance === "draining";
    const take: typeof store.take = async (...given) => {
      if (isAway) throw new WebhookInboxError("STORE_UNAVAILABLE", "away.");
      return await store.take(...given);
    };
    const opened = wrapped(store, { take, open: async () => undefined });
    let handled = 0;
    const inbox = createInbox({
      store: opened,
      ...(disturbance === "draining" ? { spill: sqlite(spill.file) } : {}),
      sources: { audata: audata({ token: "token" }), other: audata({ token: "token" }) },
      logger: false,
    });
    inbox.on("audata", "*", () => void (handled += 1));
    inbox.on("other", "*", async (_, { signal }) => {
      if (disturbance !== "hanging") return;
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    });
    const app = express().use(webhooks(inbox));
    if (disturbance === "draining") await spillMany();
    isAway = false;
    let isOverNow = false;
    const pruning = disturbance === "pruning" ? pruneOn() : Promise.resolve();

    async function total(): Promise<number> {
      const { counted } = await store.audit();
      return Object.values(counted).reduce((sum, count) => sum + count, 0);
    }

    async function spillMany(): Promise<void> {
      const target = "/webhooks/other/token";
      const head = { method: "POST", target, headers: [], remoteAddress: undefined };
      for (let from = 0; from < spilledCount; from += 64) {
        const answers = Array.from({ length: 64 }, async (_, n) => {
          const bytes = eventNumber(from + n).delivery.body;
          const id = Buffer.from(bytes)
            .toString()
            .replace('"x"', `"spilled-${from + n}"`);
          const read: BodySource["read"] = async () => ({
            kind: "read",
            bytes: Buffer.from(id),
            reconstructed: false,
          });
          return await inbox.receive(head, { read });
        });
        await Promise.all(answers);
      }
    }

    async function pruneOn(): Promise<void> {
      let cursor: string | undefined;
      while (!isOverNow) {
        ({ cursor } = await store.prune({ ...prune, ...(cursor === undefined ? {} : { cursor }) }));
        await new Promise((resolve) => setTimeout(resolve, prunePauseMs));
      }
    }

    return {
      listener: app,
      shape: "audata",
      async counts() {
        isOverNow = true;
        await pruning;
        if (disturbance !== "hanging") await inbox.idle();
        const { tallies } = await store.audit();
        const pruned = tallies.reduce(
          (sum, { to, count }) => sum + (to === "pruned" ? count : 0),
          0,
        );
        const beside = before - pruned + (disturbance === "draining" ? spilledCount : 0);
        return { kept: (await total()) - beside, handled };
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
