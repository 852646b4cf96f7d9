/** Which deliveries go along when an event is erased. */

import type { ConfiguredSource } from "../contracts/source.ts";
import { undecryptedError } from "../errors.ts";
import type { Delivery } from "../model/delivery.ts";
import { eventsOf, isReadLate, readNow } from "./identify.ts";

/** Whether a delivery holds one of these events, as a whole or as what it turns out to hold. Throws while its key is missing. */
export function holdsOneOf(
  source: ConfiguredSource,
  delivery: Delivery,
  keys: ReadonlySet<string>,
): boolean {
  const { undecrypted } = delivery;
  // What cannot be read may hold them: then nobody is told that all of it is gone.
  if (undecrypted?.kind === "key_missing") throw undecryptedError(undecrypted);
  if (undecrypted !== undefined) return false;
  const whole = isReadLate(source, delivery) ? eventsOf(source, delivery) : [];
  return [...readNow(source, delivery), ...whole].some(
    ({ key, conflictKey = "" }) => keys.has(key) || keys.has(conflictKey),
  );
}
