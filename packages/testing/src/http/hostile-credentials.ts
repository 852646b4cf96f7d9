/** Credentials that are none, or nearly, as data; and times that are signed. */

import { createHmac } from "node:crypto";
import { job, radio } from "./row.ts";
import { signatureOf, stampOf, token } from "./site.ts";

interface Claimed {
  readonly path: string;
  /** Without it, a GET is sent. */
  readonly body?: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly status: 200 | 401;
}

const body = '{"any":1}';
const right = signatureOf(Buffer.from(body));
const [first = ""] = right;

const signature = (
  value: string,
  status: Claimed["status"] = 401,
  name = "x-signature",
): Claimed => ({ path: "/webhooks/signed", body, headers: [[name, value]], status });

const signatures: Readonly<Record<string, Claimed>> = {
  none: { path: "/webhooks/signed", body, headers: [], status: 401 },
  "an empty one": signature(""),
  "white space": signature("  "),
  "its prefix": signature("sha256="),
  "one of zeros": signature("0".repeat(64)),
  "one bit off": signature((first === "0" ? "1" : "0") + right.slice(1)),
  "its first byte": signature(right.slice(0, 2)),
  "its beginning": signature(right.slice(0, 62)),
  "more behind it": signature(`${right}zz`),
  "an equals sign behind it": signature(`${right}=`),
  "a prefix before it": signature(`sha256=${right}`),
  "another encoding": signature(Buffer.from(right, "hex").toString("base64")),
  "capitals: the same bytes": signature(right.toUpperCase(), 200),
  "another body's": signature(signatureOf(Buffer.from(`${body}\n`))),
  "that of the body as others would write it": signature(signatureOf(Buffer.from('{ "any": 1 }'))),
  "another source's secret": signature(signatureOf(Buffer.from(body), "others")),
  "a weaker sum": signature(createHmac("sha1", "hush").update(body).digest("hex")),
  "a sum of no secret": signature(createHmac("sha256", "").update(body).digest("hex")),
  "a sum that it names itself": signature(`alg=none,sig=${right}`),
  "the secret itself": signature("hush"),
  "in another header": signature(right, 401, "x-hub-signature"),
  "as a bearer token": signature(`Bearer ${right}`, 401, "authorization"),
  "in a cookie": signature(`x-signature=${right}`, 401, "cookie"),
};

/** Captain Data's bearer token, and the header that its owner has set beside it. */
const bearer = (
  authorization: string,
  status: Claimed["status"] = 401,
  more: Claimed["headers"] = [["x-team", "blue"]],
): Claimed => ({
  path: "/webhooks/runs",
  body: '{"job_uid":"1"}',
  headers: [["authorization", authorization], ...more],
  status,
});

const tokens: Readonly<Record<string, Claimed>> = {
  "a bearer, its scheme in lower case": bearer("bearer s3cret", 200),
  "a bearer that is wrong": bearer("Bearer s3creT"),
  "the beginning of a bearer": bearer("Bearer s3cre"),
  "more behind a bearer": bearer("Bearer s3cret1"),
  "a bearer with a tab inside": bearer("Bearer s3\tcret"),
  "a bearer without its scheme": bearer("s3cret"),
  "a bearer with nothing": bearer("Bearer"),
  "a bearer of 8 KiB": bearer(`Bearer ${"s3cret".repeat(1365)}`),
  "a bearer of letters that are no ASCII": bearer("Bearer s3crét"),
  "a bearer as a password": bearer(`Basic ${Buffer.from("s3cret:s3cret").toString("base64")}`),
  "a bearer without the header beside it": bearer("Bearer s3cret", 401, []),
  "a bearer, and another value beside it": bearer("Bearer s3cret", 401, [["x-team", "Blue"]]),
  "a bearer in a query": {
    ...bearer("", 401),
    path: "/webhooks/runs?authorization=Bearer%20s3cret",
  },
  "a bearer in the body": { ...bearer("", 401), body: '{"job_uid":"1","authorization":"s3cret"}' },
  "a token in a header": {
    path: "/webhooks/jobs",
    body: job(7),
    headers: [["authorization", `Bearer ${token}`]],
    status: 401,
  },
  "a token in a cookie": {
    path: "/webhooks/jobs",
    body: job(7),
    headers: [["cookie", `token=${token}`]],
    status: 401,
  },
  "a token of a query that is wrong": call("token=T0KEN"),
  "a token of a query that is empty": call("token="),
  "a token of a query, twice, the wrong one first": call(`token=x&token=${token}`),
  "a token of 10 KB": call(`token=${"t0ken".repeat(2000)}`),
  "a GET without anything": { path: "/webhooks/radio", headers: [], status: 401 },
  "a POST source's token by GET's parameters": {
    path: `/webhooks/jobs?token=${token}x`,
    body: job(7),
    headers: [],
    status: 401,
  },
};

function call(query: string): Claimed {
  const path = `${radio.replace(`/${token}`, "")}?event=Prize.created&webhookCallId=71&${query}`;
  return { path, headers: [], status: 401 };
}

interface Stamped {
  /** The time as it stands in the header, from the seconds of now. */
  readonly time?: (now: number) => string;
  /** What is signed instead. */
  readonly signed?: { readonly id?: string; readonly time?: string; readonly body?: string };
  /** What stands in the header, from the right signature. */
  readonly list?: (right: string) => string;
  readonly status?: 200 | 401;
}

const id = "msg_1";
const wrong = `v1,${Buffer.alloc(32).toString("base64")}`;
const at =
  (seconds: number): ((now: number) => string) =>
  (now) =>
    String(now + seconds);
const as = (text: string): Stamped => ({ time: () => text, status: 401 });

/** Signatures over an id, a time and the body, as Standard Webhooks makes them. Default: right ones, answered 200. */
const stamps: Readonly<Record<string, Stamped>> = {
  "a time of now": {},
  "a time nearly too old": { time: at(-290) },
  "a time that is too old": { time: at(-310), status: 401 },
  "a time nearly too far ahead": { time: at(290) },
  "a time too far ahead": { time: at(310), status: 401 },
  "an empty time": as(""),
  "a time with an exponent": as("1e9"),
  "a time in hexadecimal": as("0x10"),
  "a time with a fraction": { time: (now) => `${now}.5`, status: 401 },
  "a time with a sign": { time: (now) => `+${now}`, status: 401 },
  "a time without end": as("Infinity"),
  "a time below zero": as("-1"),
  "a time in milliseconds": { time: (now) => `${now}000`, status: 401 },
  "a time of twenty digits": as("9".repeat(20)),
  "a time as text": { time: (now) => new Date(now * 1000).toISOString(), status: 401 },
  "a time that was changed": { signed: { time: "1" }, status: 401 },
  "an id that was changed": { signed: { id: "msg_2" }, status: 401 },
  "a body that was changed": { signed: { body: `${body} ` }, status: 401 },
  "a wrong signature, and the right one": { list: (one) => `${wrong} ${one}` },
  "the right signature, and a wrong one": { list: (one) => `${one} ${wrong}` },
  "one of an unknown kind, and the right one": { list: (one) => `v9,AAAA ${one}` },
  "ten thousand signatures, the right one behind them": {
    list: (one) => `${"v1,AAAA ".repeat(1200)}${one}`,
    status: 401,
  },
  "a signature without its kind": { list: (one) => one.replace(/^\w+,/, ""), status: 401 },
  "a signature of another kind": { list: (one) => one.replace(/^\w+,/, "v0,"), status: 401 },
  "a signature cut short": { list: (one) => one.slice(0, -4), status: 401 },
  "a signature without its padding": { list: (one) => one.replace(/=+$/, ""), status: 401 },
  "a signature's last letter, another for the same bytes": {
    list: (one) => one.replace(/(.)(=+)$/, (_, last: string, pad: string) => next(last) + pad),
    status: 401,
  },
  "a signature in the alphabet of URLs": {
    list: (one) => one.replaceAll("+", "-").replaceAll("/", "_").replace(/^v1,/, "v1,-_"),
    status: 401,
  },
};

/** The letter after this one in the alphabet of base64: it has the same leading bits where some of them count for nothing. */
function next(letter: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  return alphabet[alphabet.indexOf(letter) + 1] ?? "A";
}

/** Order of the group of Ed25519: what is added to `S` gives a second signature that lax readers take. */
const groupOrder = 2n ** 252n + 27_742_317_777_372_353_535_851_937_790_883_648_493n;

/** The same signature with its second half, a number in little endian, increased by the order of the group. */
function malleated(one: string): string {
  const bytes = Buffer.from(one.replace(/^v1a,/, ""), "base64");
  let carry = groupOrder;
  for (let index = 32; index < 64; index++) {
    carry += BigInt(bytes[index] ?? 0);
    bytes[index] = Number(carry & 0xffn);
    carry >>= 8n;
  }
  return `v1a,${bytes.toString("base64")}`;
}

/** The same by Ed25519. */
const keyed: Readonly<Record<string, Stamped>> = {
  "by a key pair": {},
  "by a key pair, too short": {
    list: () => `v1a,${Buffer.alloc(63).toString("base64")}`,
    status: 401,
  },
  "by a key pair, zeros": { list: () => `v1a,${Buffer.alloc(64).toString("base64")}`, status: 401 },
  "by a key pair, a second form of the same": { list: malleated, status: 401 },
  "by a key pair, a point of small order": {
    list: () => `v1a,${Buffer.concat([Buffer.of(1), Buffer.alloc(63)]).toString("base64")}`,
    status: 401,
  },
  "by the public key as a shared secret": {
    list: () => `v1,${createHmac("sha256", "whpk").update(body).digest("base64")}`,
    status: 401,
  },
};

function stampedClaim(path: string, way: "v1" | "v1a", one: Stamped): () => Claimed {
  const { time = at(0), signed = {}, list, status = 200 } = one;
  return () => {
    const said = time(Math.floor(Date.now() / 1000));
    const of = stampOf(signed.id ?? id, signed.time ?? said, signed.body ?? body, way);
    const headers = [
      ["webhook-id", id],
      ["webhook-timestamp", said],
      ["webhook-signature", list?.(of) ?? of],
    ] as const;
    return { path, body, headers, status };
  };
}

/** A right one by Standard Webhooks, of now. */
export const stamped: () => Claimed = stampedClaim("/webhooks/stamped", "v1", {});

const eachOf = <T>(
  data: Readonly<Record<string, T>>,
  claim: (one: T) => () => Claimed,
): Readonly<Record<string, () => Claimed>> =>
  Object.fromEntries(Object.entries(data).map(([what, one]) => [what, claim(one)]));

/** Each is made at the moment when it is sent, as times count from then. */
export const credentials: Readonly<Record<string, () => Claimed>> = {
  ...eachOf({ ...signatures, ...tokens }, (one) => () => one),
  ...eachOf(stamps, (one) => stampedClaim("/webhooks/stamped", "v1", one)),
  ...eachOf(keyed, (one) => stampedClaim("/webhooks/keyed", "v1a", one)),
};
