/**
 * The control: a store that says "taken" first and commits 10 ms later, as a write-behind buffer does. A kill loop that
 * finds nothing lost with it would prove nothing.
 */

import type { NewEvent, Store, TakeAsk, Taken } from "@webhook-inbox/core";

export function acknowledgeFirst(inner: Store): Store {
  return {
    supports: inner.supports,
    open: (context) => inner.open(context),
    close: () => inner.close(),
    claim: (ask) => inner.claim(ask),
    extend: (claims, leaseMs) => inner.extend(claims, leaseMs),
    settle: (settlements) => inner.settle(settlements),
    get: (key) => inner.get(key),
    list: (query) => inner.list(query),
    take(events: readonly NewEvent[], ask: TakeAsk): Promise<readonly Taken[]> {
      setTimeout(() => void inner.take(events, { ...ask, claimMax: 0 }), 10);
      return Promise.resolve(events.map(() => ({ kind: "taken" })));
    },
  };
}
