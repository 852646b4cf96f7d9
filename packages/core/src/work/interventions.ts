/** What people do from code: an intervention in pages, so that no transaction is long and no list of events is whole. */

import type { Clock } from "../contracts/clock.ts";
import type { EventFilter, InterveneAsk, Selection, Store } from "../contracts/store.ts";
import { refuseUnknown } from "../errors.ts";
import type { EventState } from "../model/event.ts";
import { statesFor, type Act } from "../model/intervention.ts";
import { Pace, restAfter } from "../pace.ts";
import { checkFilter, filterNames, invalid } from "./filters.ts";

/** Which events: a key, some keys, or all that fit a filter, which names a state. */
export type Which = string | readonly string[] | (EventFilter & { readonly state: EventState });

/** Who acts, why, and how. */
export interface InterveneOptions {
  /** Who does it; kept with each event. Default: `code`. */
  readonly by?: string;
  /** Why; kept with each event. Default: empty. */
  readonly reason?: string;
  /** Changes nothing, and answers what would be changed. Default: false. */
  readonly dryRun?: boolean;
  /** Called after each page with the number of events so far. */
  readonly onProgress?: (count: number) => void;
  /** Stops it between two pages: what is done stays done, and the same call goes on where this one has stopped. */
  readonly signal?: AbortSignal;
}

/** How events are replayed. */
export interface ReplayOptions extends InterveneOptions {
  /** Runs all handlers again, those that succeeded included, with new idempotency keys. Default: false. */
  readonly rerun?: boolean;
  /**
   * How many of them become due in a second. They are replayed at that rate, at most a second ahead, so that it can be
   * stopped. Default: all at once.
   */
  readonly perSecond?: number;
}

/** What an act of a person was done to. */
export interface Intervened {
  /** Events that were changed, or would be. */
  readonly count: number;
  /** Keys of the first 1,000. */
  readonly keys: readonly string[];
  /** Set when the signal has stopped it before its end. */
  readonly isStopped?: true;
  /** Of an erasure: deliveries in the spill of this instance that went along, or would. */
  readonly spilled?: number;
}

const pageMax = 500;
const listedPageMax = 100;
/** How far ahead events are replayed. */
const plannedMsMax = 1000;
const togetherMs = 250;
/** Erasing writes over every byte of a delivery: few at a time. */
const erasedPageMax = 10;
const keysMax = 1000;

/**
 * Throws `SELECTION_INVALID`. Events in states that the act does not apply to are left as they are. `onPage` gets the keys
 * of each page.
 */
export async function intervene(
  { store, clock }: { readonly store: Pick<Store, "intervene">; readonly clock: Clock },
  act: Act,
  which: Which,
  options: ReplayOptions,
  onPage: (keys: readonly string[]) => void,
): Promise<Intervened> {
  refuseUnknown(
    "SELECTION_INVALID",
    act,
    options,
    act === "replay" ? [...optionNames, "rerun", "perSecond"] : optionNames,
  );
  const {
    by = "code",
    reason = "",
    dryRun = false,
    onProgress,
    rerun = false,
    perSecond,
    signal,
  } = options;
  const spacingMs = spacingOf(perSecond);
  const pace = new Pace(act === "erase" ? erasedPageMax : pageOf(spacingMs));
  const startedAt = clock.now();
  const keys: string[] = [];
  let count = 0;
  const selections = selectionsOf(act, which);
  for (const [index, selection] of selections.entries()) {
    let cursor: string | undefined;
    do {
      const afterMs = dryRun ? 0 : await nearly(clock, startedAt + count * spacingMs, signal);
      if (signal?.aborted === true) return { count, keys, isStopped: true };
      const began = performance.now();
      const asked = { act, by, reason, dryRun, limit: pace.size, rerun, afterMs };
      const ask: InterveneAsk = cursor === undefined ? asked : { ...asked, cursor };
      const answer = await store.intervene(selection, ask);
      count += answer.keys.length;
      keys.push(...answer.keys.slice(0, keysMax - keys.length));
      onPage(answer.keys);
      onProgress?.(count);
      cursor = answer.cursor;
      const tookMs = performance.now() - began;
      pace.took(tookMs);
      // A page is a transaction: between any two, deliveries have the store for themselves.
      const isLast = cursor === undefined && index === selections.length - 1;
      if (!isLast) await new Promise((resolve) => setTimeout(resolve, restAfter(tookMs)));
    } while (cursor !== undefined);
  }
  return { count, keys };
}

const optionNames = ["by", "reason", "dryRun", "onProgress", "signal"];

/** Waits until an instant is near enough to be planned; answers the time that is left. */
async function nearly(clock: Clock, at: number, signal: AbortSignal | undefined): Promise<number> {
  const waitMs = at - clock.now() - plannedMsMax;
  if (waitMs > 0 && signal?.aborted !== true) {
    await new Promise<void>((resolve) => {
      const end = (): void => {
        cancel();
        signal?.removeEventListener("abort", end);
        resolve();
      };
      const cancel = clock.after(waitMs, end);
      signal?.addEventListener("abort", end);
    });
  }
  return Math.max(0, Math.round(at - clock.now()));
}

/** What a page holds is due at once: the part of a short time, so that it is claimed together. */
function pageOf(spacingMs: number): number {
  return Math.max(1, Math.min(pageMax, Math.floor(togetherMs / spacingMs)));
}

/** A list in pieces, each of which is a transaction. */
function selectionsOf(act: Act, which: Which): readonly Selection[] {
  const limit = act === "erase" ? erasedPageMax : listedPageMax;
  if (typeof which === "string") return selectionsOf(act, [which]);
  if (isList(which)) {
    const stranger = which.find((key) => typeof key !== "string" || key === "");
    if (stranger !== undefined) throw invalid(`${act}: a key is a text of 26 characters.`);
    const pages = Array.from({ length: Math.ceil(which.length / limit) }, (_, page) => page);
    return pages.map((page) => ({ keys: which.slice(page * limit, (page + 1) * limit) }));
  }
  if (typeof which !== "object" || which === null || typeof which.state !== "string") {
    throw invalid(
      `${act} needs a key, a list of keys, or a filter that names a state, such as { state: "dead" }.`,
    );
  }
  checkFilter(act, which, filterNames);
  if (!statesFor[act].includes(which.state)) {
    throw invalid(`${act} applies to ${statesFor[act].join(", ")}; not to "${which.state}".`);
  }
  return [which];
}

const isList = (which: Which): which is readonly string[] => Array.isArray(which);

function spacingOf(perSecond: number | undefined): number {
  if (perSecond === undefined) return 0;
  if (perSecond > 0) return 1000 / perSecond;
  throw invalid("perSecond must be a number above 0.");
}
