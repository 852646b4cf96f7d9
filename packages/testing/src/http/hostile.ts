/**
 * Rows: what senders who mean harm, or know no better, put on the wire, as data. Each says what it is answered, and what is kept of
 * it; whatever it is, nothing of it stands in a log, and a good delivery is taken after it.
 */

import { strict as assert } from "node:assert";
import { gzipSync } from "node:zlib";
import { raw } from "./exchange.ts";
import { expectAnswer, job, jobs, json, radio, type Place, type Rows } from "./row.ts";
import { signatureOf, token } from "./site.ts";

/** Part of everything hostile, so that it is found where it must not be. */
const canary = "c4nary";

interface Framed {
  /** Header lines of a POST, or a whole head. */
  readonly lines: readonly string[] | { readonly head: string };
  readonly body?: string;
  readonly status: number;
  readonly kept?: number;
}

const lengthOf = (body: string): string => `Content-Length: ${Buffer.byteLength(body)}`;
const chunked = "Transfer-Encoding: chunked";
const chunkOf = (body: string): string =>
  `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n0\r\n`;

const framings: Readonly<Record<string, Framed>> = {
  "a length and chunks": {
    lines: ["Content-Length: 2", chunked],
    body: "0\r\n\r\n",
    status: 400,
  },
  "two lengths that are equal": {
    lines: ["Content-Length: 2", "Content-Length: 2"],
    body: "{}",
    status: 400,
  },
  "two lengths that differ": {
    lines: ["Content-Length: 2", "Content-Length: 3"],
    body: "{}",
    status: 400,
  },
  "a list of lengths": { lines: ["Content-Length: 2, 2"], body: "{}", status: 400 },
  "a length with a sign": { lines: ["Content-Length: +2"], body: "{}", status: 400 },
  "a length below zero": { lines: ["Content-Length: -1"], status: 400 },
  "a length in hexadecimal": { lines: ["Content-Length: 0x2"], body: "{}", status: 400 },
  "a length without digits": { lines: ["Content-Length:"], status: 400 },
  "a length of twenty digits": { lines: [`Content-Length: ${"9".repeat(20)}`], status: 400 },
  "a space before a colon": { lines: ["Content-Length : 2"], body: "{}", status: 400 },
  "a name that none has": { lines: ["X@Y: 1"], status: 400 },
  "an empty name": { lines: [": 1"], status: 400 },
  "a folded line": { lines: ["X-A: 1\r\n b"], status: 400 },
  "a bare carriage return": { lines: ["X-A: 1\rX-B: 2"], status: 400 },
  "a coding that is none": { lines: ["Transfer-Encoding: xchunked"], status: 400 },
  "a coding after chunks": { lines: ["Transfer-Encoding: chunked, identity"], status: 400 },
  "a chunk whose size is no number": { lines: [chunked], body: "zz\r\n{}\r\n", status: 400 },
  "a chunk of a size below zero": { lines: [chunked], body: "-2\r\n{}\r\n", status: 400 },
  "a chunk larger than any": { lines: [chunked], body: `${"F".repeat(17)}\r\n{}`, status: 400 },
  "a chunk with an extension of 20 KB": {
    lines: [chunked],
    body: `2;a=${"x".repeat(20_000)}\r\n{}\r\n0\r\n\r\n`,
    status: 413,
  },
  "a chunk with leading zeros and an extension": {
    lines: [chunked],
    body: `0000${chunkOf(job(7)).replace("\r\n", ';a="b"\r\n')}\r\n`,
    status: 200,
    kept: 1,
  },
  "a length with leading zeros": {
    lines: [lengthOf(job(7)).replace(": ", ": 000")],
    body: job(7),
    status: 200,
    kept: 1,
  },
  "an expectation that is none": {
    lines: ["Expect: 200-ok", lengthOf("{}")],
    body: "{}",
    status: 417,
  },
  "a header of 20 KB": { lines: [`X-A: ${"x".repeat(20_000)}`], status: 431 },
  "no host": { lines: { head: `POST ${jobs} HTTP/1.1\r\nContent-Length: 0` }, status: 400 },
  "the preface of HTTP/2": { lines: { head: "PRI * HTTP/2.0\r\n\r\nSM" }, status: 400 },
  "the beginning of TLS": {
    lines: { head: "\u0016\u0003\u0001\u0002\u0000\u0001\u0000" },
    status: 400,
  },
  "chunks by HTTP/1.0": {
    lines: { head: `POST ${jobs} HTTP/1.0\r\nHost: x\r\n${chunked}` },
    body: `${chunkOf(job(7))}\r\n`,
    status: 200,
    kept: 1,
  },
};

/** Contents of authentic deliveries: each is kept as it came, answered 200, and breaks nothing. */
const contents: Readonly<Record<string, string | Uint8Array>> = {
  "JSON that breaks off": '{"event":"job_finished","data":',
  "a comma too many": '{"event":"job_finished",}',
  "single quotes": "{'event':'job_finished'}",
  comments: '{"event":/* c */"job_finished"}',
  "two values": "{}{}",
  "white space": " \r\n\t ",
  "a byte order mark": `\uFEFF${job(7)}`,
  "a list": "[]",
  null: "null",
  "depth 5,000": `${"[".repeat(5000)}${"]".repeat(5000)}`,
  "ten thousand names": `{${Array.from({ length: 7000 }, (_, n) => `"k${n}":1`).join(",")}}`,
  "a number of 90,000 digits": `{"event":"job_finished","data":{"job_id":${"9".repeat(90_000)}}}`,
  "names of prototypes": '{"__proto__":{"x":1},"constructor":{"prototype":{"x":1}},"toString":1}',
  "an id of prototypes": job('"__proto__"'),
  "an id that no double holds": job("9007199254740993"),
  "an id that is too large": job("1e400"),
  "an id that is a list": job("[1]"),
  "an id that is empty": job('""'),
  "an id of 90,000 letters": job(`"${"i".repeat(90_000)}"`),
  "an id with lines and a header": job('"\\r\\nSet-Cookie: a=b"'),
  "an id that is a path": job('"../../etc/passwd"'),
  "an id that is SQL": job(`"'; DROP TABLE webhook_inbox_events; --"`),
  "an id that is a script": job('"<script>alert(1)</script>"'),
  "an id with NUL": job('"a\\u0000b"'),
  "half of a pair of surrogates": job('"\\ud800"'),
  "bytes that are no UTF-8": Uint8Array.from([0x7b, 0x22, 0xff, 0xc0, 0x80, 0x22, 0x7d]),
  "a type of 90,000 letters": `{"event":"${"e".repeat(90_000)}","data":{}}`,
  "one string of 90,000 letters": `"${"x".repeat(90_000)}"`,
  "a garbage byte at the end": `${job(7)}\u0001`,
};

interface Medium {
  readonly type?: string;
  readonly coding?: string;
  readonly body: string | Uint8Array;
}

const zipped = gzipSync(job(7));
const inGzip = (body: Uint8Array): Medium => ({ coding: "gzip", body });

/** Authentic deliveries whose content is not what it is said to be, or coded in some way: taken, and kept as on the wire. */
const media: Readonly<Record<string, Medium>> = {
  "JSON as text": { type: "text/plain", body: job(7) },
  "JSON in capitals": { type: "APPLICATION/JSON ;Charset=UTF-8", body: job(7) },
  "JSON after a tab": { type: "\tapplication/json", body: job(7) },
  "JSON as XML": { type: "text/xml", body: job(7) },
  "JSON as a picture": { type: "image/png", body: job(7) },
  "a type that is none": { type: ";;;=", body: job(7) },
  "a charset that nobody has": { type: "application/json; charset=utf-7", body: job(7) },
  "a charset of two bytes": { type: "application/json; charset=utf-16le", body: job(7) },
  "a charset of one byte": { type: "application/json; charset=iso-8859-1", body: job(7) },
  "parts without a boundary": { type: "multipart/form-data", body: job(7) },
  "fifteen hundred parts that do not end": {
    type: "multipart/form-data; boundary=x",
    body: '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'.repeat(1500),
  },
  "a form of twenty thousand pairs": {
    type: "application/x-www-form-urlencoded",
    body: "a=1&".repeat(20_000),
  },
  "a form nested a thousand deep": {
    type: "application/x-www-form-urlencoded",
    body: `payload=%zz&a${"[b]".repeat(1000)}=1&__proto__[x]=1`,
  },
  "gzip that is cut off": inGzip(zipped.subarray(0, -10)),
  "gzip with another sum": inGzip(Buffer.concat([zipped.subarray(0, -8), Buffer.alloc(8)])),
  "gzip with garbage behind it": inGzip(Buffer.concat([zipped, Buffer.from("garbage")])),
  "gzip twice in a row": inGzip(Buffer.concat([zipped, zipped])),
  "gzip that is none": inGzip(Buffer.from(job(7))),
  "a bomb of 50 MiB in gzip": inGzip(gzipSync(Buffer.alloc(50 * 1024 * 1024))),
  "gzip in gzip": { coding: "gzip, gzip", body: gzipSync(zipped) },
  "a coding that nobody has": { coding: "x-unknown", body: job(7) },
  "a coding that is not known here": { coding: "zstd", body: job(7) },
  "no coding, by its name": { coding: "identity", body: job(7) },
};

const signedBody = '{"any":1}';
const right = signatureOf(Buffer.from(signedBody));

/** Credentials that are none: each is answered 401. */
const credentials: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  none: [],
  "an empty one": [["x-signature", ""]],
  "white space": [["x-signature", "  "]],
  "one of zeros": [["x-signature", "0".repeat(64)]],
  "one bit off": [["x-signature", (right.startsWith("0") ? "1" : "0") + right.slice(1)]],
  "its beginning": [["x-signature", right.slice(0, 62)]],
  "more behind it": [["x-signature", `${right}zz`]],
  "an equals sign behind it": [["x-signature", `${right}=`]],
  "a prefix before it": [["x-signature", `sha256=${right}`]],
  "another encoding": [["x-signature", Buffer.from(right, "hex").toString("base64")]],
  "another body's": [["x-signature", signatureOf(Buffer.from(`${signedBody}\n`))]],
  "the secret itself": [["x-signature", "hush"]],
  "in another header": [["x-hub-signature", right]],
  "as a bearer token": [["authorization", `Bearer ${right}`]],
  "in a cookie": [["cookie", `x-signature=${right}`]],
};

/** Queries of an authentic GET: each is answered 200 and kept. */
const queries: Readonly<Record<string, string>> = {
  "escapes that are none": "a=%zz&b=%&c=%c3",
  "an escaped NUL": "a=%00",
  "the same name twice": "a=1&a=2",
  "marks and empty pairs": "?a=b=c&&=d&e",
  "names of prototypes": "__proto__[x]=1&constructor=y&a[__proto__][b]=1",
  "a name nested a thousand deep": `a${"[b]".repeat(1000)}=1`,
  "two thousand pairs": Array.from({ length: 2000 }, (_, n) => `k${n}`).join("&"),
};

/** A call of Audata's by GET, with something more in its query. */
const callWith = (query: string, index = 0): string =>
  `${radio}?event=Prize.created&webhookCallId=${index}&note=${canary}&${query}`;

async function framedAnswer(
  { port, prefix }: Place,
  { lines, body = "" }: Framed,
): Promise<string> {
  const head =
    "head" in lines
      ? lines.head.replace(jobs, prefix + jobs)
      : [`POST ${prefix}${jobs} HTTP/1.1`, "Host: x", "Connection: close", ...lines].join("\r\n");
  return await raw(port, `${head}\r\nX-Note: ${canary}\r\n\r\n${body}`);
}

/** Nothing of a sender's is in a log, no prototype was touched, and a good delivery is taken. */
async function isUnharmed(place: Place, kept: number): Promise<void> {
  assert.equal((await place.kept()).length, kept);
  expectAnswer(await place.send({ path: jobs, body: job(99), headers: [json] }), 200);
  assert.equal((await place.kept()).length, kept + 1);
  assert.equal(({} as { readonly x?: unknown }).x, undefined);
  for (const [, line] of place.lines) {
    assert.doesNotMatch(line, new RegExp(`${canary}|${token}|hush|Set-Cookie|DROP TABLE|<script>`));
  }
}

const rowsOf = <T>(
  kind: string,
  data: Readonly<Record<string, T>>,
  row: (place: Place, one: T) => Promise<void>,
): Rows =>
  Object.fromEntries(
    Object.entries(data).map(([what, one]) => [
      `${kind}: ${what}`,
      (place: Place) => row(place, one),
    ]),
  );

export const hostileRows: Rows = {
  ...rowsOf("framing", framings, async (place, framed) => {
    const seen = await framedAnswer(place, framed);
    assert.match(seen, new RegExp(`^HTTP/1\\.[01] ${framed.status} `));
    assert.doesNotMatch(seen, new RegExp(canary));
    await isUnharmed(place, framed.kept ?? 0);
  }),

  ...rowsOf("content", contents, async (place, body) => {
    const headers = [json, ["x-note", canary]] as const;
    expectAnswer(await place.send({ path: jobs, body, headers }), 200);
    await place.inbox.idle();
    const [one] = await place.kept();
    assert.equal(Buffer.compare(Buffer.from(one?.delivery?.body ?? []), Buffer.from(body)), 0);
    await isUnharmed(place, 1);
  }),

  ...rowsOf("medium", media, async (place, { type = "application/json", coding, body }) => {
    const codings = coding === undefined ? [] : [["content-encoding", coding] as const];
    const headers = [["content-type", type] as const, ["x-note", canary] as const, ...codings];
    expectAnswer(await place.send({ path: jobs, body, headers }), 200);
    await place.inbox.idle();
    const [one] = await place.kept();
    assert.equal(Buffer.compare(Buffer.from(one?.delivery?.body ?? []), Buffer.from(body)), 0);
    await isUnharmed(place, 1);
  }),

  ...rowsOf("credential", credentials, async (place, headers) => {
    const path = `/webhooks/signed?note=${canary}&x-signature=${right}`;
    const answer = await place.send({ path, body: signedBody, headers: [...headers, json] });
    expectAnswer(answer, 401, { "www-authenticate": "Bearer" });
    await isUnharmed(place, 0);
  }),

  ...rowsOf("query", queries, async (place, query) => {
    expectAnswer(await place.send({ path: callWith(query) }), 200);
    await place.inbox.idle();
    await isUnharmed(place, 1);
  }),

  "queries are kept exactly as they came, whatever they hold": async (place) => {
    const paths = Object.values(queries).map(callWith);
    for (const path of paths) expectAnswer(await place.send({ path }), 200);
    await place.inbox.idle();
    const targets = (await place.kept()).map(({ delivery }) => delivery?.target);
    assert.deepEqual(new Set(targets), new Set(paths.map((path) => path.replace(token, "***"))));
  },
};
