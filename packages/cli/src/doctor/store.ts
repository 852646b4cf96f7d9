/** Whether what is acknowledged stays: the store, where it lies, and its clock. */

import { existsSync, statfsSync } from "node:fs";
import { dirname } from "node:path";
import type { Health, Inbox, SpillHealth } from "@webhook-inbox/core";
import type { OpenStore } from "../stores.ts";
import { failure, ok, warning, type Check } from "./check.ts";

interface StoreFound {
  readonly isThere: boolean;
  readonly checks: readonly Check[];
}

/** Opens the store, which proves its settings; so it says why it cannot. */
export async function storeChecks(inbox: Inbox): Promise<StoreFound> {
  try {
    await inbox.list({ limit: 1 });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const said = failure("store", why.replace(/^\[webhook-inbox\] /, ""));
    return { isThere: false, checks: [said] };
  }
  const { durability, file } = await inbox.health();
  const kept =
    durability === "commit"
      ? ok(
          "store",
          "it answers, and its settings keep what it has answered through a loss of power",
        )
      : failure("store", "it answers, and loses everything when its process ends");
  return { isThere: true, checks: file === undefined ? [kept] : [kept, placeCheck("store", file)] };
}

/** Numbers of file systems, as Linux has them. */
const volatileKinds: ReadonlyMap<number, string> = new Map([
  [0x01021994, "tmpfs"],
  [0x858458f6, "ramfs"],
]);
const doubtfulKinds: ReadonlyMap<number, string> = new Map([
  [0x794c7630, "overlay, the layer of a container: it is gone with the container. Mount a volume"],
  [0x6969, "NFS: SQLite cannot rely on its locks. Use a disk of this machine"],
  [0xff534d42, "CIFS: SQLite cannot rely on its locks. Use a disk of this machine"],
]);

function placeCheck(of: "store" | "spill", file: string): Check {
  const place = dirname(file);
  if (!existsSync(place)) return failure(of, `there is no directory ${place} for its file`);
  const { type } = statfsSync(place);
  const lost = volatileKinds.get(type);
  if (lost !== undefined) {
    return failure(of, `its file lies in memory (${lost}), and is gone with the machine: ${file}`);
  }
  const doubt = doubtfulKinds.get(type);
  if (doubt !== undefined) return warning(of, `its file lies on ${doubt}`);
  return ok(of, `its file lies on a disk: ${file}`);
}

export function spillChecks({ spill }: Health): readonly Check[] {
  if (spill === undefined) {
    return [
      warning(
        "spill",
        "there is none: while the store is away deliveries are answered 503, and who never sends again loses them. " +
          'Set spill: sqlite("<file on a disk of this machine>")',
      ),
    ];
  }
  const { file } = spill;
  return [waitingCheck(spill), ...(file === undefined ? [] : [placeCheck("spill", file)])];
}

function waitingCheck({ isOpen, waiting }: SpillHealth): Check {
  // Who only looks does not open it.
  if (!isOpen || waiting === undefined)
    return ok("spill", "there is one; whether it can be opened is seen at the start");
  return waiting === 0
    ? ok("spill", "there is one, and it is empty")
    : warning("spill", `${waiting} deliveries wait in it for the store`);
}

const skewMsMax = 2000;

export async function clockCheck({ now }: Pick<OpenStore, "now">): Promise<Check> {
  if (now === undefined) return ok("clock", "the store's is this machine's");
  const before = Date.now();
  const there = await now();
  const skewMs = Math.round(there - (before + Date.now()) / 2);
  const text = `the store's clock and this machine's are ${Math.abs(skewMs)} ms apart`;
  return Math.abs(skewMs) <= skewMsMax
    ? ok("clock", text)
    : warning("clock", `${text}: synchronise both, or signatures with a time will be refused`);
}
