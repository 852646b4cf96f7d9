/** While one secret replaces another both are accepted, and which one was is kept. */

import assert from "node:assert/strict";
import { instant, withDesk } from "./desk.ts";
import type { ProviderSuiteOptions } from "./suite.ts";

export function rotationTests(options: ProviderSuiteOptions): Record<string, () => Promise<void>> {
  const { secrets, sign, examples, both } = options;
  const [{ body }] = examples;
  const [first, second] = secrets;
  return {
    "either secret, and the one that matched is kept": () =>
      withDesk(options, secrets, async ({ url, deliver, kept }) => {
        assert.ok((await deliver(sign({ url, body, secret: second, at: instant }))).status < 300);
        assert.match((await kept())[0]?.verifiedWith ?? "", /#2$/);
        assert.ok((await deliver(sign({ url, body, secret: first, at: instant }))).status < 300);
      }),

    ...(both === undefined
      ? {}
      : {
          "several signatures, of which one is ours": () =>
            withDesk(options, [second], async ({ url, deliver }) => {
              const [one, other] = secrets.map((secret) =>
                sign({ url, body, secret, at: instant }),
              );
              assert.ok(one && other);
              assert.ok((await deliver(both(one, other))).status < 300, "ours is the second");
              assert.ok((await deliver(both(other, one))).status < 300, "ours is the first");
              assert.equal((await deliver(both(one, one))).status, 401, "none is ours");
            }),
        }),
  };
}
