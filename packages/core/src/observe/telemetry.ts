/** What makes traces and metrics of an inbox: one adapter for each way of making them, such as OpenTelemetry's. */

import type { Receipt } from "../model/receipt.ts";
import type { EventName, FailureSummary, NamedOutcome, Signal } from "./signals.ts";

/** Where traces and metrics go. */
export interface Telemetry {
  /** Gets every signal, at once. What it throws is ignored. */
  readonly onSignal: (signal: Signal) => void;
  /**
   * Runs the receipt of a delivery, as a span. It MUST call `run` once, with what later spans are to be linked to, as a
   * `traceparent` of the W3C; it is kept with the delivery. It MUST NOT reject unless `run` does.
   */
  readonly received: <T extends Received>(
    of: ReceivedOf,
    run: (trace: string | undefined) => Promise<T>,
  ) => Promise<T>;
  /** Runs an attempt, as a span that handlers find as the current one. The same holds. */
  readonly attempted: <T extends Attempted | undefined>(
    of: AttemptedOf,
    run: () => Promise<T>,
  ) => Promise<T>;
}

/** A delivery that comes in. */
export interface ReceivedOf {
  readonly source: string;
  /** Header lines as they came, flat: they may hold the sender's own `traceparent`. */
  readonly headers: readonly string[];
}

/** How a delivery was answered. */
export interface Received {
  readonly answer: { readonly status: number };
  readonly receipts: readonly Receipt[];
}

/** An attempt that begins. */
export interface AttemptedOf {
  readonly event: EventName;
  readonly attempt: number;
  /** What `received` gave for its delivery; undefined where nothing was traced. */
  readonly trace: string | undefined;
}

/** How an attempt ended; undefined where somebody else had taken the event over. */
export interface Attempted {
  readonly outcome: NamedOutcome;
  /** Without messages, which may quote payloads. */
  readonly failures: readonly FailureSummary[];
}

/** Where nobody asked for it. */
export const noTelemetry: Telemetry = {
  onSignal: () => undefined,
  received: (_, run) => run(undefined),
  attempted: (_, run) => run(),
};

/** What it does wrong is its own: deliveries and attempts go on, once, as if it were not there. */
export function guarded(telemetry: Telemetry): Telemetry {
  return {
    onSignal: (signal) => telemetry.onSignal(signal),
    received: (of, run) =>
      runOnce(
        (once) => telemetry.received(of, (trace) => once(() => run(trace))),
        () => run(undefined),
      ),
    attempted: (of, run) => runOnce((once) => telemetry.attempted(of, () => once(run)), run),
  };
}

async function runOnce<T>(
  traced: (once: (run: () => Promise<T>) => Promise<T>) => Promise<T>,
  untraced: () => Promise<T>,
): Promise<T> {
  let running: Promise<T> | undefined;
  try {
    await traced((run) => (running ??= run()));
  } catch {
    // Its own error; or that of `run`, which is told by what it returned.
  }
  return await (running ?? untraced());
}
