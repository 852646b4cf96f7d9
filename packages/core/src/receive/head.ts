/** Sanity of a request's head, before anything is believed or read. */

import type { Answer } from "../contracts/door.ts";
import type { Gate } from "../contracts/source.ts";
import { headerOf, type DeliveryHead } from "../model/delivery.ts";
import { badRequest, headersTooLarge, notImplemented } from "./answer.ts";

/** Node's parser drops header lines beyond about a thousand without a word, a signature among them. */
const headerLinesMax = 100;

const singletons: ReadonlySet<string> = new Set([
  "host",
  "content-length",
  "transfer-encoding",
  "content-encoding",
  "authorization",
]);

/** The refusal of a head that is not to be believed; undefined when it is fine. */
export function headFault(head: DeliveryHead, gate: Gate): Answer | undefined {
  const { headers } = head;
  if (headers.length > headerLinesMax * 2) return headersTooLarge;
  const seen = new Set<string>();
  for (let line = 0; line < headers.length; line += 2) {
    const name = headers[line]?.toLowerCase() ?? "";
    if (!singletons.has(name) && !gate.singleHeaders.has(name)) continue;
    if (seen.has(name)) return badRequest;
    seen.add(name);
  }
  const transferEncoding = headerOf(headers, "transfer-encoding")?.trim().toLowerCase();
  return transferEncoding === undefined || transferEncoding === "chunked"
    ? undefined
    : notImplemented;
}

/** Bytes that the body is announced to have; 0 where nothing is announced. */
export function announcedBytes({ method, headers }: DeliveryHead): number {
  return method === "GET" ? 0 : Number(headerOf(headers, "content-length") ?? 0);
}

/** Whether a browser asks on the chance that somebody might look: nothing a provider would send. */
export function isPrefetch({ headers }: DeliveryHead): boolean {
  return ["purpose", "sec-purpose", "x-purpose", "x-moz"].some(
    (name) => headerOf(headers, name)?.toLowerCase().includes("prefetch") === true,
  );
}

/** Headers that proxies add, and those by which a browser tells that a page of another site asks. */
const foreignHeaders =
  /^(?:forwarded|via|x-forwarded-.*|x-real-ip|x-client-ip|x-original-.*|cf-connecting-ip|true-client-ip|origin)$/i;

/** Whether a request came from this machine, under its own name, neither through a proxy nor by a page of another site. */
export function isDirectLoopback({ remoteAddress = "", headers }: DeliveryHead): boolean {
  const isLoopback = /^(?:::ffff:)?127\.|^::1$/.test(remoteAddress);
  const host = headerOf(headers, "host") ?? "";
  const isOwnName = /^(?:localhost|127(?:\.\d+){3}|\[::1\])(?::\d+)?$/i.test(host);
  const names = headers.filter((_, index) => index % 2 === 0);
  return isLoopback && isOwnName && !names.some((name) => foreignHeaders.test(name));
}
