/** Whoever has caught a delivery can send it again, and change what no signature covers: it stays one event. */

import assert from "node:assert/strict";
import { instant, withDesk } from "./desk.ts";
import { alteredBodies } from "./headers.ts";
import type { ProviderSuiteOptions } from "./suite.ts";

export function replayTests(options: ProviderSuiteOptions): Record<string, () => Promise<void>> {
  const { secrets, sign, examples, signsId = true } = options;
  const [secret] = secrets;
  const [{ body }] = examples;
  const dedup = signsId ? "id" : "body";
  return {
    [`with other headers, queries and bodies (dedup: ${dedup}): refused, or a duplicate`]: () =>
      withDesk(
        options,
        [secret],
        async ({ url, deliver, handled }) => {
          const genuine = sign({ url, body, secret, at: instant });
          await deliver(genuine);
          const count = handled.length;
          assert.ok(count > 0);
          for (const [name, value] of Object.entries(genuine.headers)) {
            for (const other of ["", "other", `${value}1`, value.toUpperCase()]) {
              const headers = { ...genuine.headers, [name]: other };
              const { status } = await deliver({ ...genuine, headers });
              // 503: a key that cannot be fetched.
              assert.ok(status < 500 || status === 503, `${name}: ${other}`);
              assert.equal(handled.length, count, `handled again with ${name}: ${other}`);
            }
          }
          for (const changed of alteredBodies(genuine.body ?? "")) {
            await deliver({ ...genuine, body: changed });
            assert.equal(handled.length, count, `handled again with the body ${changed}`);
          }
          const joint = genuine.url.includes("?") ? "&" : "?";
          await deliver({ ...genuine, url: `${genuine.url}${joint}again=1` });
          assert.equal(handled.length, count, "handled again with another query");
        },
        dedup,
      ),
  };
}
