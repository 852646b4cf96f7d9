/** An inbox's telemetry, made with OpenTelemetry. */

import type { Telemetry } from "@webhook-inbox/core";
import { Metrics } from "./metrics.ts";
import { attempted, received } from "./traces.ts";

/**
 * Traces and metrics for `createInbox({ telemetry: openTelemetry() })`, made by whatever SDK the application has started. Start
 * it first: instruments that are made before it stay silent.
 *
 * A delivery is a span, below the one of the HTTP server or the sender's own; each attempt is a trace of its own, linked to
 * it, and current while handlers run. No attribute holds a payload, a secret, or the message of an error.
 */
export function openTelemetry(): Telemetry {
  let metrics: Metrics | undefined;
  // Made when it is first needed: an SDK is often started after its modules are loaded.
  const made = (): Metrics => (metrics ??= new Metrics());
  return {
    onSignal: (signal) => made().count(signal),
    received: async (of, run) => {
      const began = performance.now();
      const end = await received(of, run);
      measured(() => made().received(of.source, end, secondsSince(began)));
      return end;
    },
    attempted: async (of, run) => {
      const began = performance.now();
      const end = await attempted(of, run);
      measured(() => made().attempted(of.event.source, end, secondsSince(began)));
      return end;
    },
  };
}

const secondsSince = (began: number): number => (performance.now() - began) / 1000;

/** What a meter throws is no failure of the inbox. */
function measured(act: () => void): void {
  try {
    act();
  } catch {
    // Its own business.
  }
}
