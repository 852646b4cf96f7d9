/** Requests that are framed in odd ways, as data: what is written on the wire, and what it is answered. */

import { job, jobs, radio } from "./row.ts";
import { signatureOf } from "./site.ts";

export interface Framed {
  /** Header lines of a POST beside `Host`, or a whole head. */
  readonly lines: readonly string[] | { readonly head: string };
  /** Where it is sent. Default: a source whose credential is in the path. */
  readonly path?: string;
  readonly body?: string;
  /** Ends the sending side of the connection after it. */
  readonly isEnded?: true;
  /** Any of them where servers differ, "closed" for no answer at all. What is answered 200 is kept, and nothing else. */
  readonly answers: readonly (number | "closed")[];
}

const lengthOf = (body: string): string => `Content-Length: ${Buffer.byteLength(body)}`;
const chunked = "Transfer-Encoding: chunked";
const chunkOf = (body: string): string =>
  `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n0\r\n`;
const query = "?event=Prize.created&webhookCallId=70";

const refused = (lines: Framed["lines"], body = ""): Framed => ({ lines, body, answers: [400] });
const taken = (lines: Framed["lines"], body = ""): Framed => ({ lines, body, answers: [200] });
/** A good delivery with more header lines. */
const goodWith = (...lines: readonly string[]): Framed =>
  taken([...lines, lengthOf(job(7))], job(7));

const lengths: Readonly<Record<string, Framed>> = {
  "a length and chunks": refused(["Content-Length: 2", chunked], "0\r\n\r\n"),
  "two lengths that are equal": refused(["Content-Length: 2", "Content-Length: 2"], "{}"),
  "two lengths that differ": refused(["Content-Length: 2", "Content-Length: 3"], "{}"),
  "a list of lengths": refused(["Content-Length: 2, 2"], "{}"),
  "a length with a sign": refused(["Content-Length: +2"], "{}"),
  "a length below zero": refused(["Content-Length: -1"]),
  "a length in hexadecimal": refused(["Content-Length: 0x2"], "{}"),
  "a length without digits": refused(["Content-Length:"]),
  "a length of twenty digits": refused([`Content-Length: ${"9".repeat(20)}`]),
  "a length with leading zeros": taken([lengthOf(job(7)).replace(": ", ": 000")], job(7)),
  "less than was announced, and the end": {
    ...refused(["Content-Length: 10"], "{}"),
    isEnded: true,
  },
  "bytes without a length": refused(
    { head: `POST /webhooks/open HTTP/1.1\r\nHost: x\r\nConnection: close` },
    job(7),
  ),
};

const codings: Readonly<Record<string, Framed>> = {
  "a coding that is none": refused(["Transfer-Encoding: xchunked"]),
  "a coding after chunks": refused(["Transfer-Encoding: chunked, identity"]),
  "chunks announced twice": refused([chunked, chunked], `${chunkOf(job(7))}\r\n`),
  "a chunk whose size is no number": refused([chunked], "zz\r\n{}\r\n"),
  "a chunk of a size below zero": refused([chunked], "-2\r\n{}\r\n"),
  "a chunk larger than any": refused([chunked], `${"F".repeat(17)}\r\n{}`),
  "a chunk whose end is missing": refused([chunked], "2\r\n{}0\r\n\r\n"),
  "chunks on lines that end without a return": refused([chunked], "2\n{}\n0\n\n"),
  "a chunk with an extension of 20 KB": {
    lines: [chunked],
    body: `2;a=${"x".repeat(20_000)}\r\n{}\r\n0\r\n\r\n`,
    answers: [413],
  },
  "a chunk with leading zeros and an extension": taken(
    [chunked],
    `0000${chunkOf(job(7)).replace("\r\n", ';a="b"\r\n')}\r\n`,
  ),
  "a signature behind the body": {
    path: "/webhooks/signed",
    lines: [chunked, "Trailer: X-Signature"],
    body: `${chunkOf("{}")}X-Signature: ${signatureOf(Buffer.from("{}"))}\r\n\r\n`,
    answers: [401],
  },
};

const headers: Readonly<Record<string, Framed>> = {
  "a space before a colon": refused(["Content-Length : 2"], "{}"),
  "a name that none has": refused(["X@Y: 1"]),
  "an empty name": refused([": 1"]),
  "a folded line": refused(["X-A: 1\r\n b"]),
  "a bare carriage return": refused(["X-A: 1\rX-B: 2"]),
  "lines that end without a return": refused({
    head: `POST ${jobs} HTTP/1.1\nHost: x\nContent-Length: 0\n`,
  }),
  "an expectation that is none": {
    lines: ["Expect: 200-ok", lengthOf("{}")],
    body: "{}",
    answers: [417],
  },
  "a header of 20 KB": { lines: [`X-A: ${"x".repeat(20_000)}`], answers: [431] },
  "1,900 header lines, the signature behind them": {
    path: "/webhooks/signed",
    lines: [
      ...Array.from({ length: 1900 }, () => "a: 1"),
      `X-Signature: ${signatureOf(Buffer.from("{}"))}`,
      lengthOf("{}"),
    ],
    body: "{}",
    answers: [431],
  },
  "no host": refused({ head: `POST ${jobs} HTTP/1.1\r\nContent-Length: 0` }),
  // Those who hand on a `Request` make a URL of the host, and see the first of two.
  "two hosts": { lines: ["Host: y", lengthOf("{}")], body: "{}", answers: [400, 200] },
  "a host of markup": {
    lines: {
      head: `POST ${jobs} HTTP/1.1\r\nHost: evil"><script>\r\nConnection: close\r\n${lengthOf(job(7))}`,
    },
    body: job(7),
    answers: [200, 400],
  },
  "what a proxy would say of another sender": goodWith(
    "X-Forwarded-For: 127.0.0.1, ::1",
    "X-Forwarded-Proto: http",
    "X-Forwarded-Host: evil.test",
    "Forwarded: for=_hidden;host=evil.test;proto=http",
    "X-Original-URL: /webhooks/runs",
    "X-Rewrite-URL: /webhooks/runs",
  ),
  "another method in a header": goodWith("X-HTTP-Method-Override: GET", "X-HTTP-Method: DELETE"),
};

const lines: Readonly<Record<string, Framed>> = {
  "the preface of HTTP/2": refused({ head: "PRI * HTTP/2.0\r\n\r\nSM" }),
  "the beginning of TLS": refused({ head: "\u0016\u0003\u0001\u0002\u0000\u0001\u0000" }),
  "HTTP/1.0": taken({ head: `POST ${jobs} HTTP/1.0\r\nHost: x\r\n${lengthOf(job(7))}` }, job(7)),
  "HTTP/1.0 without a host": {
    lines: { head: `POST ${jobs} HTTP/1.0\r\n${lengthOf(job(7))}` },
    body: job(7),
    answers: [200, 400],
  },
  "chunks by HTTP/1.0": taken(
    { head: `POST ${jobs} HTTP/1.0\r\nHost: x\r\n${chunked}` },
    `${chunkOf(job(7))}\r\n`,
  ),
  "HTTP/3.0": refused({ head: `POST ${jobs} HTTP/3.0\r\nHost: x\r\nContent-Length: 0` }),
  "a method that none has": refused({ head: `P@ST ${jobs} HTTP/1.1\r\nHost: x` }),
  "a method in lower case": refused({ head: `post ${jobs} HTTP/1.1\r\nHost: x` }),
  TRACE: {
    lines: { head: `TRACE ${jobs} HTTP/1.1\r\nHost: x\r\nConnection: close` },
    answers: [405],
  },
  CONNECT: {
    lines: { head: `CONNECT ${jobs} HTTP/1.1\r\nHost: x\r\nConnection: close` },
    answers: [400, 405, "closed"],
  },
  "another protocol": goodWith("Connection: Upgrade", "Upgrade: websocket"),
  "a URL of 20 KB": {
    lines: { head: `GET ${radio}${query}&a=${"x".repeat(20_000)} HTTP/1.1\r\nHost: x` },
    answers: [431],
  },
  "another host's URL": {
    lines: {
      head: `POST http://evil.test${jobs}x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0`,
    },
    answers: [401, 404],
  },
  "a path that climbs": {
    lines: {
      head: `POST /x/..${jobs} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0`,
    },
    answers: [404, 200],
  },
  "a path with NUL": {
    lines: {
      head: `POST ${jobs}%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0`,
    },
    answers: [401],
  },
  "a fragment": {
    lines: { head: `GET ${radio}${query}#a HTTP/1.1\r\nHost: x\r\nConnection: close` },
    answers: [200],
  },
  "a GET with a body": {
    lines: {
      head: `GET ${radio}${query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2`,
    },
    body: "{}",
    answers: [200],
  },
};

export const framings: Readonly<Record<string, Framed>> = {
  ...lengths,
  ...codings,
  ...headers,
  ...lines,
};
