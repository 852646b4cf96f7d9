/** Events as a store takes them, for tests that have no delivery from a sender. */

import { eventKey, type NewEvent } from "@webhook-inbox/core";

/** An event of `source`, known as `id`, whose delivery has such a body. */
export function newEvent(source: string, id: string, type: string, body = ""): NewEvent {
  return {
    key: eventKey(source, id),
    source,
    id,
    type,
    identified: true,
    occurredAt: undefined,
    notes: [],
    quarantine: undefined,
    copies: 1,
    conflictKey: undefined,
    delivery: {
      method: "POST",
      target: `/webhooks/${source}/***`,
      account: undefined,
      segment: undefined,
      headers: ["content-type", "application/json"],
      body: new TextEncoder().encode(body),
      reconstructed: false,
      verifiedWith: "token#1",
      receivedAt: Date.now(),
      contentHash: id,
    },
  };
}
