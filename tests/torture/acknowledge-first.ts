/**
 * The control: a store that says "taken" first and commits 10 ms later, as a write-behind buffer does. A kill loop that
 * finds nothing lost with it would prove nothing.
 */

import type { Store } from "@webhook-inbox/core";
import { wrapped } from "../support/wrapped.ts";

export function acknowledgeFirst<T>(inner: Store<T>): Store<T> {
  return wrapped(inner, {
    take(events, ask) {
      setTimeout(() => void inner.take(events, { ...ask, slots: {} }), 10);
      return Promise.resolve(events.map(() => ({ kind: "taken" })));
    },
  });
}
