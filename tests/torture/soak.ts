/**
 * A soak: a receiver under the same load for a long time, asked now and then what it holds. What grows with what has passed
 * through it would bring it down one day.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { Agent } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { check, quiet, type Report } from "./checker.ts";
import { run, started, stopped, within } from "./children.ts";
import type { Place } from "./places.ts";
import { ask, quantile, rounded } from "./rate.ts";
import { freePort } from "../services/server.ts";

/** What a receiver holds, after a collection. */
export interface Holdings {
  readonly rssKib: number;
  readonly usedKib: number;
  readonly descriptors: number;
  readonly timers: number;
}

export interface SoakReport extends Report {
  readonly minutes: number;
  /** From the second quarter to the last: the middle one of each, for each thousand deliveries between them. */
  readonly rss_kib_per_1k: number;
  readonly used_kib_per_1k: number;
  readonly descriptors: readonly [second: number, last: number];
  readonly timers: readonly [second: number, last: number];
}

const idleMsMax = 60_000;
const heapMib = 64;

export async function soakRun(
  place: Place,
  given: {
    readonly ms: number;
    readonly lookMs: number;
    readonly seed: number;
    readonly onLook?: (share: number) => void;
  },
): Promise<SoakReport> {
  const { ms, lookMs, seed, onLook } = given;
  const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-soak-"));
  const paths = {
    store: place.url === "" ? join(directory, "inbox.sqlite") : place.url,
    effects: join(directory, "effects.jsonl"),
    ledger: join(directory, "ledger.jsonl"),
  };
  const port = await freePort();
  const { store, effects } = paths;
  const receiver = await started("receiver.ts", { port, store, effects }, within.heap(heapMib));
  // About a thousand a second: Node reaches what it reserves once after a hundred thousand or so.
  const load = { connections: 16, pauseMs: 8 };
  const sender = run("sender.ts", { port, ledger: paths.ledger, seed, ...load });
  const agent = new Agent();
  const seen: Holdings[] = [];
  try {
    for (let passed = 0; passed < ms; passed += lookMs) {
      await pause(lookMs);
      const { text } = await ask(port, agent, "/holdings");
      seen.push(JSON.parse(text) as Holdings);
      onLook?.(passed / ms);
    }
    await stopped(sender, "SIGTERM");
    await quiet(store, [], idleMsMax);
    await stopped(receiver, "SIGKILL");
    const report = await check(paths);
    const quarter = Math.floor(seen.length / 4);
    const middle = (from: number, of: keyof Holdings): number =>
      quantile(
        seen.slice(from, from + quarter).map((one) => one[of]),
        0.5,
      );
    const grown = (of: keyof Holdings) => [middle(quarter, of), middle(3 * quarter, of)] as const;
    const per1k = ([second, last]: readonly [number, number]): number =>
      rounded((last - second) / (report.acked / 2 / 1000));
    return {
      ...report,
      minutes: rounded(ms / 60_000),
      rss_kib_per_1k: per1k(grown("rssKib")),
      used_kib_per_1k: per1k(grown("usedKib")),
      descriptors: grown("descriptors"),
      timers: grown("timers"),
    };
  } finally {
    agent.destroy();
    sender.kill("SIGKILL");
    receiver.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  }
}
