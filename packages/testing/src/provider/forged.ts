/** What the provider did not send is refused, and nothing of it is kept. */

import assert from "node:assert/strict";
import { instant, withDesk, type Desk, type Raw } from "./desk.ts";
import { alteredBodies, readHeaders, signatureHeaders } from "./headers.ts";
import type { ProviderSuiteOptions } from "./suite.ts";

export function forgedTests(options: ProviderSuiteOptions): Record<string, () => Promise<void>> {
  const { secrets, sign, examples, coversBody = true } = options;
  const [secret, other] = secrets;
  const [{ body }] = examples;
  const forged =
    (use: Parameters<Forging>[0], given: readonly string[] = secrets): (() => Promise<void>) =>
    () =>
      withDesk(options, given, async (desk) => {
        const genuine = sign({ url: desk.url, body, secret, at: instant });
        await use(desk, genuine, async (delivery, what) => {
          const { status } = await desk.deliver(delivery);
          // 503: a key that cannot be fetched.
          assert.ok(status === 401 || status === 503, `${what}: answered ${status}`);
        });
        assert.deepEqual(await desk.kept(), [], "something forged is kept");
        assert.ok((await desk.deliver(genuine)).status < 300, "what is genuine is refused");
      });
  return {
    "another secret's": forged(
      ({ url }, _, refuse) =>
        refuse(sign({ url, body, secret: other, at: instant }), "signed with another secret"),
      [secret],
    ),

    "without its signature": forged(async (_, genuine, refuse) => {
      for (const name of signatureHeaders(options, genuine)) {
        const { [name]: gone, ...headers } = genuine.headers;
        assert.ok(gone);
        await refuse({ ...genuine, headers }, `without ${name}`);
      }
    }),

    "with another value in what is signed beside the body": forged(async (_, genuine, refuse) => {
      for (const name of readHeaders(options, genuine)) {
        for (const value of neighbours(genuine.headers[name] ?? "")) {
          const headers = { ...genuine.headers, [name]: value };
          await refuse({ ...genuine, headers }, `${name}: ${value}`);
        }
      }
    }),

    ...(coversBody ? coveredTests(forged) : {}),

    "with every signature that is nearly right": forged(async (desk, genuine, refuse) => {
      const names = signatureHeaders(options, genuine);
      for (const name of names) {
        for (const changed of mangled(genuine.headers[name] ?? "")) {
          await refuse({ ...genuine, headers: { ...genuine.headers, [name]: changed } }, changed);
        }
      }
      if (names.length > 0) return;
      // It stands in the body: whatever is changed there, something must be it.
      let count = 0;
      for (const changed of alteredBodies(genuine.body ?? "")) {
        const fresh = await refusedAlone(options, { ...genuine, body: changed });
        count += fresh ? 1 : 0;
      }
      assert.ok(count > 0, `nothing of the body is signed: ${desk.url}`);
    }),

    "with a header that repeats: 400": () =>
      withDesk(options, [secret], async ({ url, deliver, kept }) => {
        const genuine = sign({ url, body, secret, at: instant });
        for (const name of [
          ...signatureHeaders(options, genuine),
          ...readHeaders(options, genuine),
        ]) {
          const value = genuine.headers[name] ?? "";
          const headers = { ...genuine.headers, [name]: [value, value] };
          assert.equal((await deliver({ ...genuine, headers })).status, 400, name);
        }
        assert.deepEqual(await kept(), []);
      }),
  };
}

async function refusedAlone(options: ProviderSuiteOptions, delivery: Raw): Promise<boolean> {
  let isRefused = false;
  await withDesk(options, options.secrets, async ({ deliver }) => {
    isRefused = (await deliver(delivery)).status === 401;
  });
  return isRefused;
}

/** Values of the same kind: the next number, another text of the same length. */
function neighbours(value: string): readonly string[] {
  const last = value.slice(-1);
  const next = /^\d+$/.test(value) ? [String(Number(value) + 1), String(Number(value) - 1)] : [];
  return [...next, value.slice(0, -1) + (last === "a" ? "b" : "a")];
}

type Refuse = (delivery: Raw, what: string) => Promise<void>;
type Forging = (
  use: (
    desk: Desk,
    genuine: ReturnType<ProviderSuiteOptions["sign"]>,
    refuse: Refuse,
  ) => Promise<void>,
  secrets?: readonly string[],
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
    value.slice(0, Math.floor(value.length / 2)),
    value.replace(/[A-Za-z0-9+/]{16,}={0,2}.*$/, ""),
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
