/**
 * Spills as a broken machine leaves them: cut in the middle of what was being written, or with a bit that has turned over. What had
 * been acknowledged and synced before a cut is drained; and whatever stands in a file, the process that opens it lives on.
 */

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { Agent } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as pause } from "node:timers/promises";
import { seeded } from "../support/random.ts";
import { idOf } from "./body.ts";
import { waitingIn } from "./stores.ts";
import { run, started, stopped } from "./children.ts";
import { ackedIn } from "./ledger.ts";
import { ask } from "./rate.ts";
import { freePort } from "../services/server.ts";

export interface DamagedSpillReport {
  /** Deliveries that were acknowledged before the first byte that was cut off. */
  readonly acked: number;
  readonly cuts: number;
  /** Those of them that were not drained, over all cuts. */
  readonly lost: number;
  readonly flips: number;
  /** Flips after which everything was there all the same, which the inbox reported, and which it did not notice. */
  readonly harmless: number;
  readonly reported: number;
  readonly unnoticed: number;
  /** Processes that ended by themselves, or answered nobody. */
  readonly crashed: number;
  readonly seed: number;
}

interface Given {
  /** Runs the control instead: cuts into what was acknowledged. */
  readonly isDeep?: boolean;
  readonly cuts: number;
  readonly flips: number;
  readonly seed: number;
  readonly onStep?: (share: number) => void;
}

/** A file of SQLite with what it has not yet taken over into itself. */
interface Image {
  readonly main: Buffer;
  readonly wal: Buffer;
}

const settlesMsMax = 10_000;
/** Enough, and less than what its log holds before it begins anew. */
const ackedMin = 50;
const triesMax = 5;

export async function damagedSpillRun(given: Given): Promise<DamagedSpillReport> {
  const { isDeep = false, cuts, flips, seed, onStep } = given;
  const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-damaged-"));
  const random = seeded(seed);
  const sums = { lost: 0, harmless: 0, reported: 0, unnoticed: 0, crashed: 0 };
  let steps = 0;
  const step = (): void => onStep?.(++steps / (cuts + flips));
  try {
    const { early, late, acked } = await filled(directory, seed);
    for (let cut = 0; cut < cuts; cut++) {
      const [from, to] = isDeep ? [0, early.wal.length] : [early.wal.length, late.wal.length];
      const length = from + random() * (to - from);
      const found = await drained(directory, {
        main: early.main,
        wal: late.wal.subarray(0, Math.floor(length)),
      });
      if (found === undefined) sums.crashed += 1;
      sums.lost += [...acked].filter((id) => found?.ids.has(id) !== true).length;
      step();
    }
    for (let flip = 0; flip < flips; flip++) {
      const found = await drained(directory, flipped(early, random));
      if (found === undefined) sums.crashed += 1;
      else if ([...acked].every((id) => found.ids.has(id))) sums.harmless += 1;
      else sums[found.isReady ? "unnoticed" : "reported"] += 1;
      step();
    }
    return { acked: acked.size, cuts, flips, ...sums, seed };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** A spill while the store is away, at two moments between which nothing but its log has grown; and what was acknowledged by the first. */
async function filled(
  directory: string,
  seed: number,
): Promise<{ readonly early: Image; readonly late: Image; readonly acked: ReadonlySet<string> }> {
  const spill = join(directory, "spill.sqlite");
  const ledger = join(directory, "ledger.jsonl");
  const port = await freePort();
  const receiver = await started("receiver.ts", {
    port,
    // Nobody listens there.
    store: `postgres://127.0.0.1:${await freePort()}/x`,
    spill,
    effects: join(directory, "effects.jsonl"),
  });
  const sender = run("sender.ts", { port, ledger, seed, connections: 4, pauseMs: 20 });
  /** As it stands, while nothing is written. */
  const image = (): Image & { readonly acked: ReadonlySet<string> } => {
    receiver.kill("SIGSTOP");
    try {
      const acked = ackedIn(ledger);
      return { main: readFileSync(spill), wal: readFileSync(`${spill}-wal`), acked };
    } finally {
      receiver.kill("SIGCONT");
    }
  };
  const acked = (): number => (existsSync(ledger) ? ackedIn(ledger).size : 0);
  try {
    while (acked() < ackedMin) await pause(20);
    for (let tries = 1; tries <= triesMax; tries++) {
      const early = image();
      await pause(100);
      const late = image();
      const hasGrown = late.wal.subarray(0, early.wal.length).equals(early.wal);
      const isMore = late.wal.length > early.wal.length && late.main.equals(early.main);
      if (hasGrown && isMore) return { early, late, acked: early.acked };
    }
    throw new Error("the spill was written over before it could be looked at twice");
  } finally {
    sender.kill("SIGKILL");
    await stopped(receiver, "SIGKILL");
  }
}

function flipped({ main, wal }: Image, random: () => number): Image {
  const image = { main: Buffer.from(main), wal: Buffer.from(wal) };
  const at = Math.floor(random() * (main.length + wal.length));
  const [file, byte] = at < main.length ? [image.main, at] : [image.wal, at - main.length];
  file[byte] = (file[byte] ?? 0) ^ (1 << Math.floor(random() * 8));
  return image;
}

/** What an inbox with that spill has in its store, once the spill is empty or it says that it is not ready; undefined if it is no more. */
async function drained(
  directory: string,
  { main, wal }: Image,
): Promise<{ readonly ids: ReadonlySet<string>; readonly isReady: boolean } | undefined> {
  const place = join(directory, "place");
  rmSync(place, { recursive: true, force: true });
  mkdirSync(place);
  const [store, spill] = [join(place, "inbox.sqlite"), join(place, "spill.sqlite")];
  writeFileSync(spill, main);
  writeFileSync(`${spill}-wal`, wal);
  const port = await freePort();
  const agent = new Agent();
  const receiver = await started("receiver.ts", {
    port,
    store,
    spill,
    effects: join(place, "effects.jsonl"),
  });
  try {
    const until = Date.now() + settlesMsMax;
    let status = 0;
    while (Date.now() < until && !(status === 200 && isEmpty(spill))) {
      await pause(50);
      status = (await ask(port, agent, "/ready")).status;
    }
    if (receiver.exitCode !== null || receiver.signalCode !== null || status === 0) return;
    return { ids: idsIn(store, place), isReady: status === 200 && isEmpty(spill) };
  } catch {
    return undefined;
  } finally {
    agent.destroy();
    await stopped(receiver, "SIGKILL");
  }
}

function isEmpty(spill: string): boolean {
  try {
    return waitingIn(spill) === 0;
  } catch {
    return false;
  }
}

function idsIn(store: string, place: string): ReadonlySet<string> {
  const copy = join(place, "copy.sqlite");
  for (const end of ["", "-wal"]) copyFileSync(store + end, copy + end);
  const database = new DatabaseSync(copy);
  try {
    const asked = database.prepare(
      "SELECT CAST(body AS TEXT) AS body FROM webhook_inbox_deliveries",
    );
    return new Set(asked.all().flatMap(({ body }) => idIn(String(body)) ?? []));
  } finally {
    database.close();
  }
}

/** Undefined where a bit has turned over in it. */
function idIn(body: string): string | undefined {
  try {
    return idOf(body);
  } catch {
    return undefined;
  }
}
