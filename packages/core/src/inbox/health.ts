/** How an inbox is: for health routes, and for those who look why something does not work. */

import { noKey } from "../event-key.ts";
import type { Settings } from "../options/options.ts";
import type { SourceSummary } from "../observe/signals.ts";
import type { Spilling } from "../receive/spilling.ts";
import { within } from "../work/patience.ts";
import { sourceSummary } from "./source-summary.ts";

/** How an inbox is, for people and for monitors. */
export interface Health {
  /** Whether deliveries can be kept: see `inbox.isReady`. */
  readonly isReady: boolean;
  /** Whether the store has answered, just now, within a second, and kept what it was given last. */
  readonly isStoreThere: boolean;
  /** `commit`: what it has answered survives a loss of power. `none`: it ends with the process. */
  readonly durability: "commit" | "none";
  /** Where the store is kept, if that is a file of this machine. */
  readonly file: string | undefined;
  /** Undefined where there is none. */
  readonly spill: SpillHealth | undefined;
  readonly sources: readonly SourceSummary[];
}

/** How its spill is. */
export interface SpillHealth {
  /** Whether it can keep deliveries. */
  readonly isOpen: boolean;
  /** Deliveries that wait there for the store; undefined while it cannot say. */
  readonly waiting: number | undefined;
  /** Where it is kept, if that is a file of this machine. */
  readonly file: string | undefined;
}

interface HealthNeeds extends Settings {
  readonly isReady: boolean;
  readonly custody: Pick<Spilling, "isOpen" | "isAway" | "isFailing" | "waiting">;
  /** Opens the store. */
  readonly opened: () => Promise<unknown>;
}

const patienceMs = 1000;

/** Resolves soon, and never rejects. */
export async function healthOf(on: HealthNeeds): Promise<Health> {
  const { isReady, store, spill, sources, clock, custody, opened } = on;
  let waiting: number | undefined;
  const asks = [
    opened().then(() => store.get(noKey)),
    custody.waiting().then((count) => (waiting = count)),
  ].map((asked) =>
    within(
      clock,
      patienceMs,
      asked.then(() => undefined),
    ).catch(() => false),
  );
  const [isAnswering = false] = await Promise.all(asks);
  return {
    isReady,
    isStoreThere: isAnswering && !custody.isAway && !custody.isFailing,
    durability: store.supports.durability,
    file: store.file,
    spill: spill && { isOpen: custody.isOpen, waiting, file: spill.file },
    sources: [...sources.values()].map((source) => sourceSummary(on, source)),
  };
}
