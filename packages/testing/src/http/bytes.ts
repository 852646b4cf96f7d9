/** Rows: a body is kept, and its signature checked, byte for byte, whatever it is and however it comes. */

import { strict as assert } from "node:assert";
import { gzipSync } from "node:zlib";
import { expectAnswer, json, type Place, type Rows } from "./row.ts";
import { signatureOf, signedBytesMax } from "./site.ts";

const bodies: Readonly<Record<string, Uint8Array | string>> = {
  "a byte order mark": "\uFEFF{}",
  "composed and decomposed letters": '{"é":"é"}',
  "four-byte letters and joiners": '{"a":"😀👨‍👩‍👧"}',
  "escaped lone surrogates": '{"a":"\\ud800"}',
  "line separators": '{"a":"\u2028\u2029\u0085"}',
  "a NUL byte": '{"a":"\u0000"}',
  "bytes that are no UTF-8": new Uint8Array([0x7b, 0xff, 0xfe, 0xc0, 0x80, 0xed, 0xa0, 0x80, 0x7d]),
  "every byte there is": Uint8Array.from({ length: 256 }, (_, byte) => byte),
  "line ends and spaces": '\r\n {"a" : 1.0 }\n\r\n\t ',
  "numbers that no double holds": '{"a":9007199254740993,"b":1e400,"c":-0}',
  "the same name twice": '{"a":1,"a":2}',
  "a form": "payload=%7B%22a%22%3A1%7D&b=+%20&%zz",
};

async function isExact(
  { send, kept }: Place,
  body: Uint8Array | string,
  { headers = [], ...more }: Omit<Parameters<Place["send"]>[0], "path"> = {},
): Promise<void> {
  const bytes = Buffer.from(body);
  const signed = [...headers, ["x-signature", signatureOf(bytes)] as const];
  const answer = await send({ path: "/webhooks/signed", body: bytes, headers: signed, ...more });
  expectAnswer(answer, 200);
  const [one] = await kept();
  assert.equal(one?.delivery?.reconstructed, false);
  assert.equal(Buffer.compare(Buffer.from(one?.delivery?.body ?? []), bytes), 0);
}

export const bytesRows: Rows = {
  ...Object.fromEntries(
    Object.entries(bodies).map(([what, body]) => [
      `exact: ${what}`,
      (place: Place) => isExact(place, body, { headers: [json] }),
    ]),
  ),
  "exact: one byte a chunk": (place) => isExact(place, '{"a":"é😀"}'.repeat(50), { chunkBytes: 1 }),
  "exact: a million bytes in chunks, without a length": (place) =>
    isExact(place, "x".repeat(1_000_000), { chunkBytes: 77_777 }),
  "exact: compressed, as on the wire": (place) =>
    isExact(place, gzipSync('{"a":1}'), { headers: [json, ["content-encoding", "gzip"]] }),
  "exact: no bytes": (place) => isExact(place, ""),
  "exact: 25 MiB": (place) =>
    isExact(place, Buffer.alloc(signedBytesMax, "0123456789é"), { headers: [json] }),
};
