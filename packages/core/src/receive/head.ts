/** Sanity of a request's head, before anything is believed or read. */

import type { Answer } from "../contracts/door.ts";
import type { ConfiguredSource } from "../contracts/source.ts";
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
export function headFault(head: DeliveryHead, source: ConfiguredSource): Answer | undefined {
  const { headers } = head;
  if (headers.length > headerLinesMax * 2) return headersTooLarge;
  const seen = new Set<string>();
  for (let line = 0; line < headers.length; line += 2) {
    const name = headers[line]?.toLowerCase() ?? "";
    if (!singletons.has(name) && !source.secretHeaders.has(name)) continue;
    if (seen.has(name)) return badRequest;
    seen.add(name);
  }
  const transferEncoding = headerOf(headers, "transfer-encoding")?.trim().toLowerCase();
  return transferEncoding === undefined || transferEncoding === "chunked"
    ? undefined
    : notImplemented;
}

/** Bytes to reserve for a body: what is announced, or the most there may be. */
export function announcedBytes({ method, headers }: DeliveryHead, bodyBytesMax: number): number {
  if (method === "GET") return 0;
  const length = headerOf(headers, "content-length");
  return length === undefined ? bodyBytesMax : Number(length);
}

/** Whether a browser asks on the chance that somebody might look: nothing a provider would send. */
export function isPrefetch({ headers }: DeliveryHead): boolean {
  return ["purpose", "sec-purpose", "x-purpose", "x-moz"].some(
    (name) => headerOf(headers, name)?.toLowerCase().includes("prefetch") === true,
  );
}

const forwardingHeaders = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];

/** Whether a request came from this machine without passing a proxy. */
export function isDirectLoopback({ remoteAddress = "", headers }: DeliveryHead): boolean {
  const isLoopback = /^(?:::ffff:)?127\.|^::1$/.test(remoteAddress);
  return isLoopback && forwardingHeaders.every((name) => headerOf(headers, name) === undefined);
}
