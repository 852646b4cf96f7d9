/**
 * A fleet: two processes that receive and two that work, on one store, behind a balancer and under load, while one after the
 * other is restarted, killed, paused, or cut off from the store; or while two of them have clocks that are off.
 */

import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Balancer } from "./balancer.ts";
import { check, quiet, type Report } from "./checker.ts";
import { run, started, stopped, within } from "./children.ts";
import { readEffects } from "./effects.ts";
import { readLedger } from "./ledger.ts";
import type { Place } from "./places.ts";
import { Proxy, throughProxy } from "../services/proxy.ts";
import { freePort } from "../services/server.ts";

/**
 * - `restarted`: with SIGTERM, as in a rolling deployment.
 * - `killed`: with SIGKILL.
 * - `paused`: with SIGSTOP, for longer than its leases, and then goes on.
 * - `partitioned`: nothing between it and the store arrives, for longer than its leases.
 * - `off by hours`: nothing happens to it, but that one of those who work is two hours ahead, and the other one behind.
 */
export type Fate = "restarted" | "killed" | "paused" | "partitioned" | "off by hours";

export interface FleetOptions {
  readonly fate: Fate;
  /** How many fates there are, over all members in turn. */
  readonly fates: number;
  readonly seed: number;
  readonly onFate?: (fates: number) => void;
}

export interface FleetReport extends Report {
  readonly fates: number;
  /** Members that were not there any more at the end. */
  readonly ended_by_themselves: number;
  /** Writes of workers that came too late, and were refused. */
  readonly fenced: number;
  /** How far the clocks of those who handled were from the sender's, in hours. */
  readonly hours_off: readonly number[];
  readonly seed: number;
}

interface Member {
  readonly role: "receive" | "work";
  /** What its program runs inside of. */
  readonly inside: readonly string[];
  readonly port: number;
  readonly spill: string;
  readonly proxy: Proxy | undefined;
  readonly store: string;
  child: ChildProcess;
}

const leaseMs = 3000;
const clocks: readonly string[] = ["", "+2h", "", "-2h"];
/** Longer than a lease, with what Redis adds for its handlers. */
const awayMs = 9000;
const betweenMs = 500;
/** So that there is always something in hand: where nobody is woken, workers look once a second. */
const longHandlerMs = 1200;
const hourMs = 3_600_000;
const idleMsMax = 60_000;

export async function fleetRun(place: Place, options: FleetOptions): Promise<FleetReport> {
  const { fate, fates, seed, onFate } = options;
  const isLong = fate === "paused" || fate === "partitioned";
  const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-fleet-"));
  const store = place.url === "" ? join(directory, "inbox.sqlite") : place.url;
  const paths = {
    ledger: join(directory, "ledger.jsonl"),
    effects: join(directory, "effects.jsonl"),
    store,
  };
  const members: Member[] = [];
  let fenced = 0;
  const onText = (text: string): void => {
    fenced += text.split("fenced").length - 1;
  };
  let balancer: Balancer | undefined;
  let sender: ChildProcess | undefined;

  function start(member: Omit<Member, "child">): Promise<ChildProcess> {
    const { role, port, spill, inside } = member;
    const { effects } = paths;
    const handlerMs = isLong ? longHandlerMs : undefined;
    const given = { role, port, spill, store: member.store, effects, leaseMs, handlerMs };
    return started("receiver.ts", given, inside, onText);
  }

  async function enlist(role: Member["role"]): Promise<void> {
    const proxy = place.server === undefined ? undefined : new Proxy(place.server);
    const clock = fate === "off by hours" ? (clocks[members.length] ?? "") : "";
    const member = {
      role,
      inside: clock === "" ? [] : within.clock(clock),
      port: await freePort(),
      spill: join(directory, `spill-${members.length}.sqlite`),
      proxy,
      store: await throughProxy(store, place.server, proxy),
    };
    members.push({ ...member, child: await start(member) });
  }

  try {
    for (const role of ["receive", "work", "receive", "work"] as const) await enlist(role);
    balancer = new Balancer(
      members.filter(({ role }) => role === "receive").map(({ port }) => port),
    );
    const port = await balancer.listen();
    sender = run("sender.ts", { port, ledger: paths.ledger, seed, connections: 8, pauseMs: 40 });
    for (let n = 0; n < fates; n++) {
      await pause(betweenMs);
      // What somebody has in hand is what matters: of those who sleep, only workers.
      const meant = isLong ? members.filter(({ role }) => role === "work") : members;
      const member = meant[n % meant.length];
      if (member !== undefined) await suffer(member, fate, start);
      onFate?.(n + 1);
    }
    await pause(betweenMs);
    await stopped(sender, "SIGTERM");
    const receivers = members.filter(({ role }) => role === "receive");
    await quiet(
      store,
      receivers.map(({ spill }) => spill),
      idleMsMax,
    );
    const ended = members.filter(
      ({ child }) => child.exitCode !== null || child.signalCode !== null,
    );
    for (const { child } of members) await stopped(child, "SIGKILL");
    const report = await check(paths);
    const hours = hoursOff(paths.ledger, paths.effects);
    const counts = { fates, seed, fenced, ended_by_themselves: ended.length };
    return { ...report, ...counts, hours_off: hours };
  } finally {
    sender?.kill("SIGKILL");
    balancer?.close();
    for (const { child, proxy } of members) {
      child.kill("SIGKILL");
      await proxy?.close();
    }
    rmSync(directory, { recursive: true, force: true });
  }
}

function hoursOff(ledger: string, effects: string): readonly number[] {
  const sentAt = new Map(readLedger(ledger).map((line) => [line.id, line.sentAt]));
  const off = readEffects(effects).map(({ id, at }) =>
    Math.round((at - (sentAt.get(id) ?? at)) / hourMs),
  );
  return [...new Set(off)].toSorted((a, b) => a - b);
}

async function suffer(
  member: Member,
  fate: Fate,
  start: (member: Member) => Promise<ChildProcess>,
): Promise<void> {
  switch (fate) {
    case "restarted":
    case "killed":
      await stopped(member.child, fate === "killed" ? "SIGKILL" : "SIGTERM");
      member.child = await start(member);
      return;
    case "paused":
      member.child.kill("SIGSTOP");
      await pause(awayMs);
      member.child.kill("SIGCONT");
      return;
    case "partitioned":
      member.proxy?.swallow();
      await pause(awayMs);
      member.proxy?.mend();
      return;
    case "off by hours":
      await pause(awayMs);
  }
}
