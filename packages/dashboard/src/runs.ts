/** Acts under way on this instance: they go on when the page that began them is closed, and can be looked at and stopped. */

import type { Act, Which } from "@webhook-inbox/core";
import { isWebhookInboxError } from "@webhook-inbox/core";
import type { ShownInbox } from "./call.ts";
import { tell } from "./site/tell.ts";
import { Refusal } from "./site/visit.ts";

export interface RunAsk {
  readonly act: Act;
  readonly which: Which;
  readonly by: string;
  readonly reason: string;
  /** How many events it is about, where that is known. */
  readonly expected: number | undefined;
  readonly perSecond?: number;
  readonly rerun?: boolean;
}

export interface Run {
  readonly id: string;
  readonly ask: RunAsk;
  readonly startedAt: number;
  readonly state: "running" | "done" | "stopped" | "failed";
  /** Events so far. */
  readonly count: number;
  readonly endedAt: number | undefined;
  /** What else there is to say at its end. */
  readonly remark: string | undefined;
}

type Writable<Of> = { -readonly [Name in keyof Of]: Of[Name] };

const keptMax = 50;
const runningMax = 4;

export class Runs {
  readonly #inbox: ShownInbox;
  readonly #runs = new Map<
    string,
    { readonly run: Writable<Run>; readonly stop: AbortController }
  >();

  constructor(inbox: ShownInbox) {
    this.#inbox = inbox;
  }

  /** Throws 429 when so many are under way already. */
  start(ask: RunAsk): Run {
    const underWay = [...this.#runs.values()].filter(({ run }) => run.state === "running");
    if (underWay.length >= runningMax) {
      throw new Refusal(
        429,
        `${runningMax} acts are under way already. Wait for one to end, or stop it.`,
      );
    }
    const run: Writable<Run> = {
      id: crypto.randomUUID(),
      ask,
      startedAt: Date.now(),
      state: "running",
      count: 0,
      endedAt: undefined,
      remark: undefined,
    };
    const stop = new AbortController();
    this.#runs.set(run.id, { run, stop });
    this.#forget();
    void this.#go(run, stop.signal).finally(() => (run.endedAt = Date.now()));
    return run;
  }

  get(id: string): Run | undefined {
    return this.#runs.get(id)?.run;
  }

  /** Newest first. */
  all(): readonly Run[] {
    return [...this.#runs.values()].map(({ run }) => run).toReversed();
  }

  stop(id: string): void {
    this.#runs.get(id)?.stop.abort();
  }

  async #go(run: Writable<Run>, signal: AbortSignal): Promise<void> {
    const { act, which, by, reason, perSecond, rerun } = run.ask;
    const asked = { by, reason };
    try {
      if (act === "verify") {
        const { count, refused } = await this.#inbox.verifyAgain({
          ...asked,
          ...verifiable(which),
        });
        const still = Object.entries(refused).map(([code, number]) => `${number} ${code}`);
        run.count = count;
        if (still.length > 0) run.remark = `Still refused: ${still.join(", ")}.`;
      } else {
        const onProgress = (count: number): void => void (run.count = count);
        const steered = { ...asked, signal, onProgress };
        const done =
          act === "replay"
            ? await this.#inbox.replay(which, {
                ...steered,
                ...(perSecond === undefined ? {} : { perSecond }),
                ...(rerun === undefined ? {} : { rerun }),
              })
            : await this.#inbox[act](which, steered);
        run.count = done.count;
        if (done.isStopped === true) run.state = "stopped";
        const { spilled = 0 } = done;
        if (spilled > 0) run.remark = `${spilled} deliveries in the spill were erased as well.`;
      }
      if (run.state === "running") run.state = "done";
    } catch (error) {
      run.state = "failed";
      tell(error);
      run.remark = isWebhookInboxError(error) ? error.message : "It failed: see the log.";
    }
  }

  /** The oldest that have ended. */
  #forget(): void {
    for (const [id, { run }] of this.#runs) {
      if (this.#runs.size <= keptMax) return;
      if (run.state !== "running") this.#runs.delete(id);
    }
  }
}

/** Refused deliveries are chosen by key or by source. Throws 400. */
export function verifiable(which: Which): {
  readonly keys?: readonly string[];
  readonly source?: string;
} {
  if (typeof which === "string") return { keys: [which] };
  if (isKeys(which)) return { keys: which };
  const { source, state: _, ...others } = which;
  if (Object.keys(others).length > 0) {
    throw new Refusal(
      400,
      "Refused deliveries are verified again by their keys, or all of a source.",
    );
  }
  return source === undefined ? {} : { source };
}

const isKeys = (which: Which): which is readonly string[] => Array.isArray(which);
