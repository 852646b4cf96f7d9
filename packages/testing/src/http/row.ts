/** What a row of the suite is, and what rows ask most. */

import { strict as assert } from "node:assert";
import type { Inbox, Kept } from "@webhook-inbox/core";
import { exchange, type Incoming, type Outgoing } from "./exchange.ts";
import { newInbox, token, type Given, type InboxUnderTest, type Site } from "./site.ts";

/** An application in its place, for one row. */
export interface Place extends InboxUnderTest {
  readonly port: number;
  readonly prefix: string;
  /** Sends a request below the prefix. */
  readonly send: (outgoing: Outgoing) => Promise<Incoming>;
  /** Everything that is kept, newest first. */
  readonly kept: () => Promise<readonly Kept[]>;
}

/** Rows by their names, which are sentences about behaviour. */
export type Rows = Readonly<Record<string, (place: Place) => Promise<void>>>;

/** Serves, runs one row, and cleans up. */
export async function inPlace(
  serve: (given: Given, site: Site) => Promise<{ port: number; close(): Promise<void> }>,
  site: Site,
  body: (place: Place) => Promise<void>,
): Promise<void> {
  const underTest = newInbox();
  const { inbox } = underTest;
  const { prefix } = site;
  const served = await serve(inbox, site);
  const { port } = served;
  try {
    await body({
      ...underTest,
      port,
      prefix,
      send: (outgoing) => exchange(port, { ...outgoing, path: prefix + outgoing.path }),
      kept: () => allKept(inbox),
    });
  } finally {
    await served.close();
    await inbox.close();
  }
}

async function allKept(inbox: Inbox): Promise<readonly Kept[]> {
  const { events } = await inbox.list();
  const kept = await Promise.all(events.map(({ key }) => inbox.get(key)));
  return kept.filter((one) => one !== undefined);
}

/** A job that SocialData has finished, as it sends it. */
export function job(id: number | string, more = ""): string {
  return `{"event":"job_finished","data":{"job_id":${id},"status":"error","note":"é😀${more}"}}`;
}

export const jobs: string = `/webhooks/jobs/${token}`;
export const radio: string = `/webhooks/radio/${token}`;
export const json: readonly [string, string] = ["content-type", "application/json"];

const texts: Readonly<Record<number, string>> = {
  200: "ok",
  400: "bad request",
  401: "unauthorized",
  404: "not found",
  405: "method not allowed",
  408: "request timeout",
  413: "payload too large",
  431: "request header fields too large",
  500: "error",
  501: "not implemented",
  503: "unavailable",
};

/** Our answer, to the byte: its status, its own headers, each exactly once, and its body. */
export function expectAnswer(
  { status, headers, body }: Incoming,
  expected: number,
  more: Readonly<Record<string, string>> = {},
): void {
  const text = texts[expected] ?? "";
  const own = {
    "content-type": "text/plain",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...more,
  };
  const seen = Object.fromEntries(
    Object.keys(own).map((name) => [name, headers.get(name)?.join(" and ")]),
  );
  assert.deepEqual({ status, body, ...seen }, { status: expected, body: text, ...own });
}
