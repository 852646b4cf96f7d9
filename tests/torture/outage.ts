/**
 * An outage: a receiver with a spill is under load while its store is taken away and given back; then every delivery is
 * accounted for.
 */

import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { createInbox, type EventRecord } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { freePort } from "../services/server.ts";
import { run, started, stopped } from "./children.ts";
import { readEffects } from "./effects.ts";
import { readLedger, type LedgerLine } from "./ledger.ts";
import { quantile } from "./rate.ts";
import { leftIn, storeAt } from "./stores.ts";

/** A store, and a way to take it away. */
export interface Outage {
  /** What the receiver connects to. */
  readonly storeUrl: string;
  /** What the checker connects to; the same, where there is no network between. */
  readonly directUrl: string;
  readonly begin: () => unknown;
  readonly end: () => unknown;
  /** Whether the receiver has to be started anew before the store can be mended. */
  readonly endsReceiver?: boolean;
  readonly remove: () => unknown;
}

export interface OutageOptions {
  readonly beforeMs: number;
  readonly outageMs: number;
  readonly afterMs: number;
  readonly connections: number;
  readonly pauseMs: number;
  /** Directory of the spill; without it, one of the run's own. */
  readonly spillIn?: string;
  /** Called when the outage has lasted its time. */
  readonly onEnd?: () => unknown;
}

export interface OutageReport {
  readonly acked: number;
  readonly acked_during: number;
  /** Deliveries that the spill has taken over, as the receiver counts them. */
  readonly drained: number;
  readonly lost: number;
  readonly lost_ids: readonly string[];
  readonly dup_events: number;
  readonly stuck: number;
  readonly stuck_events: readonly string[];
  readonly unhandled_acked: number;
  readonly refused_authentic: number;
  /** Of these, with 503. */
  readonly refused_503: number;
  readonly unanswered: number;
  readonly possibly_lost: number;
  /** Rows that are left in the spill. */
  readonly left_in_spill: number;
  /** From the end of the outage until the spill was empty. */
  readonly drain_ms: number;
  readonly p99_ack_ms: number;
  readonly p99_ack_during_ms: number;
  readonly max_ack_during_ms: number;
}

/** What must be zero, whatever the outage. */
const zeros = [
  "lost",
  "dup_events",
  "stuck",
  "unhandled_acked",
  "refused_authentic",
  "unanswered",
  "possibly_lost",
  "left_in_spill",
] as const satisfies readonly (keyof OutageReport)[];

/** The promises that a report shows to be broken. */
export function broken(report: OutageReport): Readonly<Record<string, number>> {
  const names = zeros.filter((name) => report[name] > 0);
  return Object.fromEntries(names.map((name) => [name, report[name]]));
}

const drainMsMax = 90_000;

export async function outageRun(outage: Outage, options: OutageOptions): Promise<OutageReport> {
  const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-outage-"));
  const paths = {
    ledger: join(directory, "ledger.jsonl"),
    spill: join(options.spillIn ?? directory, "spill.sqlite"),
    effects: join(directory, "effects.jsonl"),
  };
  const port = String(await freePort());
  const said: string[] = [];
  const start = (): Promise<ChildProcess> =>
    startReceiver(said, {
      port,
      store: outage.storeUrl,
      spill: paths.spill,
      effects: paths.effects,
    });
  let receiver = await start();
  const sender = run("sender.ts", {
    port,
    ledger: paths.ledger,
    seed: "7",
    connections: String(options.connections),
    pauseMs: String(options.pauseMs),
  });
  try {
    await pause(options.beforeMs);
    const beganAt = Date.now();
    await outage.begin();
    await pause(options.outageMs);
    await options.onEnd?.();
    const endedAt = Date.now();
    if (outage.endsReceiver === true) {
      // Between the two nobody answers, which is no matter of the spill.
      await stopped(sender, "SIGTERM");
      await stopped(receiver, "SIGKILL");
      await outage.end();
      receiver = await start();
    } else {
      await outage.end();
      await pause(options.afterMs);
      await stopped(sender, "SIGTERM");
    }
    await until(() => leftIn(paths.spill) === 0, drainMsMax);
    const drainMs = Date.now() - endedAt;
    const events = await quietEvents(outage.directUrl, drainMsMax);
    // Its last step is over before it has looked whether there is another.
    await until(() => said.some((text) => text.includes("spill_drained")), 5000);
    await stopped(receiver, "SIGKILL");
    return { ...reportOf(paths, events, said, { beganAt, endedAt }), drain_ms: drainMs };
  } finally {
    sender.kill("SIGKILL");
    receiver.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  }
}

async function startReceiver(
  said: string[],
  given: Readonly<Record<string, string>>,
): Promise<ChildProcess> {
  return await started("outage-receiver.ts", given, [], (text) => said.push(text));
}

async function until(isSo: () => boolean | Promise<boolean>, ms: number): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await isSo()) && Date.now() < deadline) await pause(50);
}

/** All events, once none of them is to be worked on any more. */
async function quietEvents(url: string, ms: number): Promise<readonly EventRecord[]> {
  const { store, end } = storeAt(url);
  const sources = { audata: audata({ token: "t" }) };
  const inbox = createInbox({ store, sources, work: false, logger: false });
  try {
    const isQuiet = async (): Promise<boolean> => {
      const pages = await Promise.all(
        (["pending", "running"] as const).map((state) => inbox.list({ state, limit: 1 })),
      );
      return pages.every(({ events, cursor }) => events.length === 0 && cursor === undefined);
    };
    await until(() => isQuiet().catch(() => false), ms);
    const found: EventRecord[] = [];
    let cursor: string | undefined;
    do {
      const page = await inbox.list({ cursor });
      found.push(...page.events);
      ({ cursor } = page);
    } while (cursor !== undefined);
    return found;
  } finally {
    await inbox.close();
    await end();
  }
}

function reportOf(
  paths: { readonly ledger: string; readonly spill: string; readonly effects: string },
  events: readonly EventRecord[],
  said: readonly string[],
  { beganAt, endedAt }: { readonly beganAt: number; readonly endedAt: number },
): Omit<OutageReport, "drain_ms"> {
  const ledger = readLedger(paths.ledger);
  const acked = ledger.filter(({ status }) => status === 200);
  const during = acked.filter(({ sentAt }) => sentAt >= beganAt && sentAt < endedAt);
  const stored = new Set(events.map(({ id }) => id));
  const handled = new Set(readEffects(paths.effects).map(({ id }) => id));
  const ids = [...new Set(acked.map(({ id }) => id))];
  const missing = ids.filter((id) => !stored.has(id));
  const signals = said
    .join("")
    .split("\n")
    .filter((line) => line.startsWith("{"));
  const told = signals.map((line) => JSON.parse(line) as { kind: string; deliveries?: number });
  return {
    acked: acked.length,
    acked_during: during.length,
    drained: told.reduce((sum, { deliveries = 0 }) => sum + deliveries, 0),
    lost: missing.length,
    lost_ids: missing.slice(0, 10),
    dup_events: events.length - stored.size,
    stuck: events.filter(({ state }) => state !== "done").length,
    stuck_events: events
      .filter(({ state }) => state !== "done")
      .slice(0, 10)
      .map(({ id, state, attempts, crashes }) => `${id} ${state} ${attempts} ${crashes}`),
    unhandled_acked: ids.filter((id) => !handled.has(id)).length,
    refused_authentic: ledger.filter(({ status }) => status !== undefined && status !== 200).length,
    refused_503: ledger.filter(({ status }) => status === 503).length,
    unanswered: ledger.filter(({ status }) => status === undefined).length,
    possibly_lost: told.filter(({ kind }) => kind === "possibly_lost").length,
    left_in_spill: leftIn(paths.spill),
    p99_ack_ms: quantile(timesOf(acked), 0.99),
    p99_ack_during_ms: quantile(timesOf(during), 0.99),
    max_ack_during_ms: quantile(timesOf(during), 1),
  };
}

function timesOf(lines: readonly LedgerLine[]): readonly number[] {
  return lines.map(({ sentAt, answeredAt }) => answeredAt - sentAt);
}
