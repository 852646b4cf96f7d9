/** Which deliveries go along when an event is erased. */

import type { ConfiguredSource } from "../contracts/source.ts";
import type { Delivery } from "../model/delivery.ts";
import { eventsOf, isReadLate, readNow } from "./identify.ts";

/** Whether a delivery holds one of these events, as a whole or as what it turns out to hold. */
export function holdsOneOf(
  source: ConfiguredSource,
  delivery: Delivery,
  keys: ReadonlySet<string>,
): boolean {
  const whole = isReadLate(source, delivery) ? eventsOf(source, delivery) : [];
  return [...readNow(source, delivery), ...whole].some(
    ({ key, conflictKey = "" }) => keys.has(key) || keys.has(conflictKey),
  );
}
