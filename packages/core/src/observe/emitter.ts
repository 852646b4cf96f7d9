/** Where signals go. */

import type { Clock } from "../contracts/clock.ts";
import { logTo, type Logger } from "./logger.ts";
import type { Emit, Signal } from "./signals.ts";
import type { Telemetry } from "./telemetry.ts";

interface EmitterNeeds {
  readonly logger: Logger | undefined;
  readonly onSignal: ((signal: Signal) => void) | undefined;
  readonly telemetry: Pick<Telemetry, "onSignal">;
  readonly clock: Clock;
}

/** Signals go to the log and to whoever asked for them; none of these can harm another, or us. */
export function emitterOf({ logger, onSignal, telemetry, clock }: EmitterNeeds): Emit {
  const log = logger === undefined ? () => undefined : logTo(logger, () => clock.now());
  const others = [(signal: Signal) => telemetry.onSignal(signal), onSignal ?? (() => undefined)];
  return (signal) => {
    log(signal);
    for (const tell of others) {
      try {
        tell(signal);
      } catch {
        // Its own business.
      }
    }
  };
}
