/** A signed time far from the receiver's, either way, is refused, and the operator sees by how much. */

import assert from "node:assert/strict";
import { instant, withDesk } from "./desk.ts";
import type { ProviderSuiteOptions } from "./suite.ts";

export function timeTests(
  options: ProviderSuiteOptions,
  toleranceMs: number,
): Record<string, () => Promise<void>> {
  const { secrets, sign, examples } = options;
  const [secret] = secrets;
  const [{ body }] = examples;
  const second = 1000;
  return {
    "within the tolerance, either way": () =>
      withDesk(options, [secret], async ({ url, deliver }) => {
        for (const skewMs of [-toleranceMs, 0, toleranceMs]) {
          const delivery = sign({ url, body, secret, at: instant - skewMs });
          assert.ok((await deliver(delivery)).status < 300, `${skewMs} ms`);
        }
      }),

    "beyond it: stale, and by how much": () =>
      withDesk(options, [secret], async (desk) => {
        const { url, deliver } = desk;
        for (const skewMs of [toleranceMs + second, -toleranceMs - second, 86_400_000]) {
          const delivery = sign({ url, body, secret, at: instant - skewMs });
          assert.equal((await deliver(delivery)).status, 401, `${skewMs} ms`);
          const last = desk.diagnoses.at(-1);
          assert.deepEqual({ code: last?.code, skewMs: last?.skewMs }, { code: "stale", skewMs });
        }
      }),

    "a stale delivery with a fresh time in its headers": () =>
      withDesk(options, [secret], async ({ url, deliver, kept }) => {
        const then = instant - 86_400_000;
        const stale = sign({ url, body, secret, at: then });
        const renewed = (text: string): string =>
          text
            .replaceAll(String(then), String(instant))
            .replaceAll(String(then / second), String(instant / second));
        const headers = Object.fromEntries(
          Object.entries(stale.headers).map(([name, value]) => [name, renewed(value)]),
        );
        assert.equal((await deliver({ ...stale, headers })).status, 401, "the time is not signed");
        assert.deepEqual(await kept(), []);
      }),

    "a stale time under a wrong signature says nothing of the time": () =>
      withDesk(options, [secret], async (desk) => {
        const { url, deliver } = desk;
        const delivery = sign({ url, body, secret: secrets[1], at: instant - 86_400_000 });
        assert.equal((await deliver(delivery)).status, 401);
        assert.notEqual(desk.diagnoses.at(-1)?.code, "stale");
      }),
  };
}
