/** Events as handlers get them, for who works on them elsewhere, such as a queue's worker. */

import type { ConfiguredSource } from "../contracts/source.ts";
import type { Kept } from "../contracts/store.ts";
import { undecryptedError, WebhookInboxError } from "../errors.ts";
import { eventOf, readData, type OnInvalid } from "./data.ts";
import type { WebhookEvent } from "./handlers.ts";

/** Undefined for what is not there, or has no delivery any more. Throws `EVENT_UNREADABLE`, or `STORE_UNAVAILABLE` while its key is missing. */
export async function readEvent(
  { event, delivery }: Kept | { readonly event?: undefined; readonly delivery?: undefined },
  sources: ReadonlyMap<string, ConfiguredSource>,
  onInvalid: OnInvalid,
): Promise<WebhookEvent | undefined> {
  if (delivery === undefined) return undefined;
  const source = sources.get(event.source);
  if (source === undefined) throw unreadable(event.key, "its source is not configured");
  if (event.state === "refused") throw unreadable(event.key, "it was not proved who sent it");
  const { undecrypted } = delivery;
  if (undecrypted?.kind === "key_missing") throw undecryptedError(undecrypted);
  if (undecrypted !== undefined) throw unreadable(event.key, "it was altered in the store");
  if (!event.identified) throw unreadable(event.key, "which events are in it is not known yet");
  // What a sender says differently is told where handlers run.
  const read = await readData({ event, delivery }, source, onInvalid, () => undefined);
  if (read.kind === "readable") return eventOf({ event, delivery }, read);
  throw unreadable(event.key, `it is ${read.reason}`, read.error);
}

function unreadable(key: string, why: string, cause?: unknown): WebhookInboxError {
  return new WebhookInboxError("EVENT_UNREADABLE", `the event ${key} cannot be read: ${why}.`, {
    cause,
  });
}
