/** Upkeep: forgets what is older than its retention, in small steps with pauses, so that nobody waits for it. */

import type { Clock } from "../contracts/clock.ts";
import type { PruneAsk, Store } from "../contracts/store.ts";
import { summaryOf } from "../observe/redact.ts";
import type { Emit } from "../observe/signals.ts";
import { Pace, restAfter } from "../pace.ts";

export type Retention = Pick<PruneAsk, "payloadMs" | "keyMs">;

interface UpkeepNeeds {
  readonly store: Pick<Store, "prune">;
  /** `Infinity` where nothing is ever forgotten. */
  readonly retention: Retention;
  readonly clock: Clock;
  readonly emit: Emit;
}

const firstMs = 60_000;
const everyMs = 3_600_000;
/** Rows in one step, at most. */
const rowsMax = 200;
/** Refused deliveries that are kept of each source. */
const refusedMax = 500;

/** Begins; the function returned ends it. */
export function startUpkeep({ store, retention, clock, emit }: UpkeepNeeds): () => void {
  const pace = new Pace(rowsMax);
  let hasEnded = false;
  let cancel: () => void = () => undefined;
  let payloads = 0;
  let keys = 0;

  function wait(ms: number, cursor?: string): void {
    if (!hasEnded) cancel = clock.after(ms, () => void step(cursor));
  }

  async function step(cursor: string | undefined): Promise<void> {
    try {
      const from = cursor === undefined ? {} : { cursor };
      const began = performance.now();
      const pruned = await store.prune({ ...retention, refusedMax, limit: pace.size, ...from });
      const tookMs = performance.now() - began;
      pace.took(tookMs);
      payloads += pruned.payloads;
      keys += pruned.keys;
      if (pruned.cursor !== undefined) return wait(restAfter(tookMs), pruned.cursor);
      if (payloads + keys > 0) emit({ kind: "pruned", payloads, keys });
    } catch (error) {
      emit({ kind: "store_failed", of: "store", verb: "prune", error: summaryOf(error) });
    }
    payloads = 0;
    keys = 0;
    wait(everyMs);
  }

  wait(firstMs);
  return () => {
    hasEnded = true;
    cancel();
  };
}
