/** A store like another one, but for some of its verbs. */

import type { Store } from "@webhook-inbox/core";

export function wrapped<T>(inner: Store<T>, verbs: Partial<Store<T>>): Store<T> {
  return new Proxy(inner, {
    get(_, name) {
      const own = verbs[name as keyof Store<T>];
      if (own !== undefined) return own;
      const value = inner[name as keyof Store<T>] as unknown;
      return typeof value === "function" ? (value.bind(inner) as unknown) : value;
    },
  });
}
