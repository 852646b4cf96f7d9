/** What the provider did not send is refused, and nothing of it is kept. */

import assert from "node:assert/strict";
import { instant, withDesk, type Desk, type Raw } from "./desk.ts";
import type { ProviderSuiteOptions } from "./suite.ts";

export function forgedTests(options: ProviderSuiteOptions): Record<string, () => Promise<void>> {
  const { secrets, sign, examples, coversBody = true } = options;
  const [secret, other] = secrets;
  const [{ body }] = examples;
  const forged =
    (use: (desk: Desk, genuine: ReturnType<typeof sign>, refuse: Refuse) => Promise<void>) => () =>
      withDesk(options, [secret], async (desk) => {
        const genuine = sign({ url: desk.url, body, secret, at: instant });
        await use(desk, genuine, async (delivery, what) => {
          assert.equal((await desk.deliver(delivery)).status, 401, what);
        });
        assert.deepEqual(await desk.kept(), [], "something forged is kept");
        assert.ok((await desk.deliver(genuine)).status < 300, "what is genuine is refused");
      });
  return {
    "another secret's": forged(({ url }, _, refuse) =>
      refuse(sign({ url, body, secret: other, at: instant }), "signed with another secret"),
    ),

    "without one of its headers": forged(async (_, genuine, refuse) => {
      const signing = Object.keys(genuine.headers).filter((name) =>
        /signature|hmac|-sig$/.test(name),
      );
      for (const name of signing) {
        const { [name]: gone, ...headers } = genuine.headers;
        assert.ok(gone);
        await refuse({ ...genuine, headers }, `without ${name}`);
      }
    }),

    ...(coversBody ? coveredTests(forged) : {}),

    "with every signature of the right form but one": forged(async (_, genuine, refuse) => {
      for (const [name, value] of Object.entries(genuine.headers)) {
        if (!/signature|hmac|-sig$/.test(name)) continue;
        for (const changed of mangled(value)) {
          await refuse({ ...genuine, headers: { ...genuine.headers, [name]: changed } }, changed);
        }
      }
    }),

    "with a header that repeats: 400": () =>
      withDesk(options, [secret], async ({ url, deliver, kept }) => {
        const genuine = sign({ url, body, secret, at: instant });
        for (const [name, value] of Object.entries(genuine.headers)) {
          if (!/signature|hmac|-sig$/.test(name)) continue;
          const headers = { ...genuine.headers, [name]: [value, value] };
          assert.equal((await deliver({ ...genuine, headers })).status, 400, name);
        }
        assert.deepEqual(await kept(), []);
      }),
  };
}

type Refuse = (delivery: Raw, what: string) => Promise<void>;
type Forging = (
  use: (
    desk: Desk,
    genuine: ReturnType<ProviderSuiteOptions["sign"]>,
    refuse: Refuse,
  ) => Promise<void>,
) => () => Promise<void>;

/** Bytes are flipped at so many places. */
const places = 24;

function coveredTests(forged: Forging): Record<string, () => Promise<void>> {
  return {
    "with a bit of its body flipped": forged(async (_, genuine, refuse) => {
      const bytes = Buffer.from(genuine.body ?? "");
      for (let place = 0; place < places; place++) {
        const at = Math.floor((place * bytes.length) / places);
        const flipped = Buffer.from(bytes);
        flipped[at] = (flipped[at] ?? 0) ^ 1;
        await refuse({ ...genuine, body: flipped }, `byte ${at}`);
      }
    }),

    "with its body cut short, or longer": forged(async (_, genuine, refuse) => {
      const bytes = Buffer.from(genuine.body ?? "");
      for (const end of [0, 1, Math.floor(bytes.length / 2), bytes.length - 1]) {
        await refuse({ ...genuine, body: bytes.subarray(0, end) }, `${end} bytes`);
      }
      for (const more of [" ", "\n", "\0", "}"]) {
        await refuse({ ...genuine, body: Buffer.concat([bytes, Buffer.from(more)]) }, "longer");
      }
    }),

    "with its body in another writing": forged(async (_, genuine, refuse) => {
      const text = genuine.body ?? "";
      const writings = [`\uFEFF${text}`, text.replaceAll("=", "%3D"), ` ${text}`];
      try {
        const json: unknown = JSON.parse(text);
        writings.push(JSON.stringify(json), JSON.stringify(json, undefined, 1));
      } catch {
        // A form.
      }
      for (const writing of writings) {
        if (writing !== text) await refuse({ ...genuine, body: writing }, writing.slice(0, 40));
      }
    }),
  };
}

/** Signatures that are nearly right, and some that decoders might take for right. */
function mangled(value: string): readonly string[] {
  const last = value.at(-1);
  return [
    value.slice(0, -1) + (last === "a" ? "b" : "a"),
    value.slice(0, -2),
    value.slice(1),
    `${value}00`,
    `${value}=`,
    value.replaceAll(/[0-9]/g, "0"),
    value.replaceAll(/[A-Za-z0-9]/g, "A"),
    " ",
    ",",
    "=",
    "null",
  ].filter((one) => one !== value);
}
