/**
 * The kill loop: a receiver under load, or its store, or both, are killed with SIGKILL at random moments and started again,
 * many times; then the checker says what became of every delivery.
 */

import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { check, quiet, type Report } from "./checker.ts";
import { run, started, stopped } from "./children.ts";
import { readLedger } from "./ledger.ts";
import type { Place } from "./places.ts";
import { Proxy, throughProxy } from "../services/proxy.ts";
import { freePort } from "../services/server.ts";
import { seeded } from "../support/random.ts";

/**
 * - `receiver`: at a random moment.
 * - `receiver after commit`: by itself, between the commit of some deliveries and their answers; the sender sends again what
 *   was not answered.
 * - `store`: its server; the receiver has a spill.
 * - `both`: one right after the other.
 * - `connections`: those between the two are reset; the receiver has a spill.
 */
export type Victim = "receiver" | "receiver after commit" | "store" | "both" | "connections";

export interface KillLoopOptions {
  readonly victim?: Victim;
  readonly kills: number;
  /** Goes on, up to four times as many kills, until so many deliveries are acknowledged: machines differ. */
  readonly ackedMin?: number;
  readonly seed: number;
  /** The victim lives between 50 ms, or `aliveMsMin`, and this long. */
  readonly aliveMsMax: number;
  readonly aliveMsMin?: number;
  /** Between an answer and the next delivery of its connection. */
  readonly pauseMs?: number;
  readonly leaseMs?: number;
  readonly handlerMs?: number;
  /** Runs the control instead: it acknowledges before the commit. */
  readonly acknowledgeFirst?: boolean;
  /** Called after each kill. */
  readonly onKill?: (kills: number) => void;
}

export interface KillLoopReport extends Report {
  readonly kills: number;
  readonly seed: number;
  /** Longest time from the start of a receiver's process until it listened. */
  readonly restart_ms_max: number;
}

const idleMsMax = 60_000;

export async function killLoop(place: Place, options: KillLoopOptions): Promise<KillLoopReport> {
  const {
    victim = "receiver",
    kills,
    ackedMin = 0,
    seed,
    aliveMsMax,
    aliveMsMin = 50,
    onKill,
  } = options;
  const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-torture-"));
  const paths = {
    ledger: join(directory, "ledger.jsonl"),
    effects: join(directory, "effects.jsonl"),
    store: place.url === "" ? join(directory, "inbox.sqlite") : place.url,
  };
  const { server } = place;
  const port = await freePort();
  const random = seeded(seed);
  let restartMsMax = 0;
  const children: ChildProcess[] = [];
  const killsStore = victim === "store" || victim === "both";
  const proxy = victim === "connections" && server !== undefined ? new Proxy(server) : undefined;
  const spill = killsStore || proxy !== undefined ? join(directory, "spill.sqlite") : undefined;
  const near = await throughProxy(paths.store, server, proxy);
  const diesItself = victim === "receiver after commit";

  async function startReceiver(isLast = false): Promise<ChildProcess> {
    const began = performance.now();
    const receiver = await started("receiver.ts", {
      port,
      store: near,
      effects: paths.effects,
      spill,
      leaseMs: options.leaseMs,
      handlerMs: options.handlerMs,
      diesAfter: diesItself && !isLast ? 1 + Math.floor(random() * 30) : undefined,
      acknowledgeFirst: options.acknowledgeFirst,
    });
    children.push(receiver);
    restartMsMax = Math.max(restartMsMax, performance.now() - began);
    return receiver;
  }

  try {
    let receiver = await startReceiver();
    // What comes while the store is away must be drained afterwards.
    const pauseMs = options.pauseMs ?? (spill === undefined ? undefined : 40);
    const given = { port, ledger: paths.ledger, seed, insists: diesItself, pauseMs };
    const sender = run("sender.ts", given);
    children.push(sender);
    let kill = 0;
    while (kill < kills || (kill < kills * 4 && answered200(paths.ledger) < ackedMin)) {
      kill += 1;
      if (!diesItself) await pause(aliveMsMin + random() * (aliveMsMax - aliveMsMin));
      if (proxy !== undefined) {
        proxy.cut();
        proxy.mend();
      } else if (victim !== "store") {
        await stopped(receiver, diesItself ? undefined : "SIGKILL");
        if (killsStore) await server?.kill();
        receiver = await startReceiver();
      } else {
        await server?.kill();
      }
      if (killsStore) {
        await pause(50 + random() * aliveMsMax);
        await server?.start();
      }
      onKill?.(kill);
    }
    if (diesItself) {
      await stopped(receiver, "SIGKILL");
      receiver = await startReceiver(true);
    }
    await pause(200);
    await stopped(sender, "SIGTERM");
    await quiet(paths.store, spill === undefined ? [] : [spill], idleMsMax);
    await stopped(receiver, "SIGKILL");
    const report = await check(paths);
    return { ...report, kills: kill, seed, restart_ms_max: Math.round(restartMsMax) };
  } finally {
    for (const child of children) child.kill("SIGKILL");
    await proxy?.close();
    rmSync(directory, { recursive: true });
  }
}

function answered200(ledger: string): number {
  return readLedger(ledger).filter(({ status }) => status === 200).length;
}
