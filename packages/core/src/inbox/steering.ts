/** What people do to what was kept, where store, spill, worker and credentials all have a part in it. */

import type { Act } from "../model/intervention.ts";
import type { Emit } from "../observe/signals.ts";
import type { Settings } from "../options/options.ts";
import type { Spilling } from "../receive/spilling.ts";
import {
  refusedWith,
  verifyAgain,
  type VerifiedAgain,
  type VerifyAgainOptions,
} from "../receive/verify-again.ts";
import { checkFilter, invalid } from "../work/filters.ts";
import {
  intervene,
  type Intervened,
  type ReplayOptions,
  type Which,
} from "../work/interventions.ts";
import type { Worker } from "../work/worker.ts";
import { stayAlive } from "./stay-alive.ts";

export interface Steering extends Pick<
  Settings,
  "store" | "sources" | "clock" | "fetch" | "publicUrl"
> {
  readonly custody: Pick<Spilling, "undrained" | "erase">;
  readonly worker: Pick<Worker, "abandon" | "look">;
  readonly emit: Emit;
}

export async function steered(
  on: Steering,
  act: Act,
  which: Which,
  options: ReplayOptions,
): Promise<Intervened> {
  const { custody, worker, emit } = on;
  const { by = "code", reason = "", dryRun = false } = options;
  const ends = act === "cancel" || act === "erase";
  // Copies of what is erased may wait in the spill; those of keys that the store does not know yet as well.
  const erased = new Set<string>(
    act === "erase" && (typeof which === "string" || Array.isArray(which)) ? [which].flat() : [],
  );
  let changedSoFar = 0;
  const onPage = (keys: readonly string[]): void => {
    changedSoFar += keys.length;
    if (ends && !dryRun) worker.abandon(keys);
    if (act === "erase") for (const key of keys) erased.add(key);
  };
  const acted = (): Promise<Intervened> => intervene(on, act, which, options, onPage);
  const tell = (count: number): void => {
    if (dryRun) return;
    emit({ kind: "intervened", act, by, reason, count });
    worker.look();
  };
  const mayEnd = stayAlive();
  try {
    const changed = await (act === "erase"
      ? custody.undrained(async () => {
          const done = await acted();
          const spilled = await custody.erase(erased, { by, reason, dryRun });
          const refused = await refusedWith(on, erased);
          if (refused.length === 0) return { ...done, spilled };
          const also = await intervene(on, act, refused, { by, reason, dryRun }, onPage);
          return { ...done, count: done.count + also.count, spilled };
        })
      : acted());
    tell(changed.count);
    return changed;
  } catch (error) {
    // What was changed before it failed stays so.
    if (changedSoFar > 0) tell(changedSoFar);
    throw error;
  } finally {
    mayEnd();
  }
}

/** Throws `SELECTION_INVALID` for an option that is unknown or undefined. */
export async function verifiedAgain(
  on: Steering,
  options: VerifyAgainOptions,
): Promise<VerifiedAgain> {
  const { by = "code", reason = "", dryRun = false, keys, ...filter } = options;
  checkFilter("verifyAgain", filter, ["source"]);
  if ("keys" in options && !isKeys(keys)) {
    throw invalid("verifyAgain: keys must be a list of keys of events.");
  }
  const mayEnd = stayAlive();
  try {
    const verified = await verifyAgain(on, options);
    if (!dryRun) {
      on.emit({ kind: "intervened", act: "verify", by, reason, count: verified.count });
      on.worker.look();
    }
    return verified;
  } finally {
    mayEnd();
  }
}

function isKeys(keys: unknown): boolean {
  return Array.isArray(keys) && keys.every((key) => typeof key === "string");
}
