/** Health for `@nestjs/terminus`, 11 and 12. */

import type { Inbox } from "@webhook-inbox/core";

/**
 * `up` while deliveries can be kept, in the store or in the spill, and the inbox is neither closing nor closed: `inbox.isReady`.
 *
 * @example
 * this.health.check([() => inboxHealth("webhooks", this.inbox)]);
 */
export function inboxHealth<const Key extends string>(
  key: Key,
  { isReady }: Pick<Inbox, "isReady">,
): Record<Key, { status: "up" | "down" }> {
  return { [key]: { status: isReady ? "up" : "down" } } as Record<Key, { status: "up" | "down" }>;
}
