/** What the provider sends is taken, once, as what it says. */

import assert from "node:assert/strict";
import { instant, withDesk } from "./desk.ts";
import type { ProviderSuiteOptions } from "./suite.ts";

export function genuineTests(options: ProviderSuiteOptions): Record<string, () => Promise<void>> {
  const { secrets, sign, examples, accepted = { status: 200, body: "ok" } } = options;
  const [secret] = secrets;
  const [{ body: first }] = examples;
  return {
    ...exampleTests(options),

    "a delivery twice is one event": () =>
      withDesk(options, [secret], async ({ url, deliver, handled, kept, at }) => {
        const delivery = sign({ url, body: first, secret, at: instant });
        assert.equal((await deliver(delivery)).status, accepted.status);
        const count = handled.length;
        assert.ok((await kept()).every(({ state }) => state === "done"));
        at(instant + 1);
        assert.deepEqual(await deliver(delivery), accepted);
        assert.equal(handled.length, count, "handled again");
        at(instant + 2000);
        await deliver(sign({ url, body: first, secret, at: instant + 2000 }));
        assert.equal(handled.length, count, "signed anew, it was handled again");
      }),

    "different events are different": () =>
      withDesk(options, [secret], async ({ url, deliver, handled }) => {
        const bodies = examples.map(({ body }) => body);
        for (const body of new Set(bodies)) await deliver(sign({ url, body, secret, at: instant }));
        const fixed = examples.flatMap(({ ids = [] }) => ids);
        const isFixed = new Set(fixed).size < fixed.length;
        const types = examples.flatMap((example) => example.types);
        assert.equal(new Set(handled.map(({ key }) => key)).size, handled.length);
        if (!isFixed) assert.equal(handled.length, types.length);
      }),

    "neither the secret nor the body is logged": () =>
      withDesk(options, [secret], async ({ url, deliver, logged }) => {
        const delivery = sign({ url, body: first, secret, at: instant });
        await deliver(delivery);
        await deliver({ ...delivery, body: `${delivery.body} ` });
        const text = logged();
        for (const hidden of [secret, delivery.body ?? "", ...Object.values(delivery.headers)]) {
          if (hidden.length < 24) continue;
          assert.ok(!text.includes(hidden), `logged: ${hidden.slice(0, 8)}…`);
        }
      }),

    "authentic content that nobody understands is kept": () =>
      withDesk(options, [secret], async ({ url, deliver, kept }) => {
        let count = 0;
        for (const body of ["{", "[]", "null", '"text"', "{}", '{"a":1}', " "]) {
          const delivery = signedOrNothing(options, { url, body, secret, at: instant });
          if (delivery === undefined) continue;
          const { status } = await deliver(delivery);
          if (status === 401) continue; // What the signature needs of the body is missing.
          assert.equal(status, accepted.status, body);
          count += 1;
        }
        const found = (await kept()).length;
        assert.ok(found <= count && found >= Math.min(count, 1), `${found} kept of ${count}`);
      }),
  };
}

/** Each documented event is taken as what it is. */
function exampleTests(options: ProviderSuiteOptions): Record<string, () => Promise<void>> {
  const { secrets, sign, examples, accepted = { status: 200, body: "ok" } } = options;
  const [secret] = secrets;
  const tests: Record<string, () => Promise<void>> = {};
  for (const { body, types, ids, data, personal = [] } of examples) {
    const name = `${types.join(", ")}: taken as what it is, answered ${accepted.status}`;
    tests[name] = () =>
      withDesk(options, [secret], async ({ url, deliver, handled, kept, views }) => {
        const delivery = sign({ url, body, secret, at: instant });
        assert.deepEqual(await deliver(delivery), accepted);
        assert.deepEqual(
          handled.map(({ type }) => type),
          types,
        );
        if (ids !== undefined) {
          assert.deepEqual(
            handled.map(({ id }) => id),
            ids,
          );
        }
        if (data !== undefined) {
          assert.deepEqual(
            handled.map((event) => event.data),
            data,
          );
        }
        const seen = await views();
        for (const hidden of personal) assert.ok(!seen.includes(hidden), `people see ${hidden}`);
        for (const { state, verifiedWith } of await kept()) {
          assert.equal(state, "done");
          assert.match(verifiedWith, /#1$/);
        }
      });
  }
  return tests;
}

/** A signer may not be able to write what no provider would send. */
function signedOrNothing(
  { sign }: ProviderSuiteOptions,
  given: Parameters<ProviderSuiteOptions["sign"]>[0],
): ReturnType<ProviderSuiteOptions["sign"]> | undefined {
  try {
    return sign(given);
  } catch {
    return undefined;
  }
}
