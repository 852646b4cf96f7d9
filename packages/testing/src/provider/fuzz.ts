/** Whatever arrives, the verifier comes to a verdict, and it is never "genuine". */

import assert from "node:assert/strict";
import { randomOf } from "../store/random.ts";
import { instant, withDesk, type Raw } from "./desk.ts";
import type { ProviderSuiteOptions } from "./suite.ts";

const roundsDefault = 400;

export function fuzzTests(options: ProviderSuiteOptions): Record<string, () => Promise<void>> {
  const {
    secrets,
    sign,
    examples,
    coversBody = true,
    fuzzRounds: rounds = roundsDefault,
  } = options;
  const [secret, other] = secrets;
  const [{ body }] = examples;
  return {
    [`${rounds} deliveries at random: refused, every one`]: () =>
      withDesk(options, [secret], async ({ url, deliver, kept }) => {
        const seed = Math.floor(Math.random() * 2 ** 31);
        const random = randomOf(seed).next;
        const genuine = sign({ url, body, secret: other, at: instant });
        for (let round = 0; round < rounds; round++) {
          const { status } = await deliver(mutated(genuine, random, coversBody));
          // 503: a key that cannot be fetched.
          const isRefused = (status >= 400 && status < 500) || status === 503;
          assert.ok(isRefused, `seed ${seed}, round ${round}: answered ${status}`);
        }
        assert.deepEqual(await kept(), []);
      }),
  };
}

/** The delivery of another secret's holder, with its headers and its body changed at random. */
function mutated(genuine: Raw, random: () => number, coversBody: boolean): Raw {
  const headers = Object.fromEntries(
    Object.entries(genuine.headers).map(([name, value]) => [
      name,
      random() < 0.5 ? value : mutatedText(String(value), random),
    ]),
  );
  const text = String(genuine.body);
  const isChanged = coversBody || random() < 0.5;
  return {
    ...genuine,
    headers,
    body: isChanged && random() < 0.7 ? mutatedBody(text, random) : text,
  };
}

/** What headers may hold. */
const printable = 95;

function mutatedText(text: string, random: () => number): string {
  const kind = Math.floor(random() * 5);
  if (kind === 0) return "";
  if (kind === 1) return text.slice(0, Math.floor(random() * text.length)).trim();
  if (kind === 2) return (text + text).slice(0, 4000);
  const letters = text
    .split("")
    .map((letter) =>
      random() < 0.2 ? String.fromCharCode(32 + Math.floor(random() * printable)) : letter,
    );
  return letters.join("").trim();
}

function mutatedBody(text: string, random: () => number): Uint8Array {
  const bytes = Buffer.from(text);
  const kind = Math.floor(random() * 3);
  if (kind === 0) return bytes.subarray(0, Math.floor(random() * bytes.length));
  if (kind === 1)
    return Buffer.from(bytes.map((byte) => (random() < 0.05 ? random() * 256 : byte)));
  return Buffer.from(JSON.stringify({ __proto__: null, signature: [text], Signature: { text } }));
}
