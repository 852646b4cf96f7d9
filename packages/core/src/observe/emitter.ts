/** Where signals go. */

import type { Clock } from "../contracts/clock.ts";
import { logTo, type Logger } from "./logger.ts";
import type { Emit, Signal } from "./signals.ts";

export interface EmitterNeeds {
  readonly logger: Logger | undefined;
  readonly onSignal: ((signal: Signal) => void) | undefined;
  readonly clock: Clock;
}

/** Signals go to the log and to whoever asked for them; neither can harm the other, or us. */
export function emitterOf({ logger, onSignal, clock }: EmitterNeeds): Emit {
  const log = logger === undefined ? () => undefined : logTo(logger, () => clock.now());
  if (onSignal === undefined) return log;
  return (signal) => {
    log(signal);
    try {
      onSignal(signal);
    } catch {
      // Its own business.
    }
  };
}
