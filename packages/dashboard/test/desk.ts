/** A service with a broken handler, and the dashboard beside it. */

import type { RequestListener } from "node:http";
import { createInbox, systemClock, type Clock, type Inbox, type Store } from "@webhook-inbox/core";
import { mountNode, nodeHandler } from "@webhook-inbox/core/node";
import { audata } from "@webhook-inbox/core/providers/audata";
import { generic } from "@webhook-inbox/core/providers/generic";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { dashboard, type Access, type DashboardOptions } from "@webhook-inbox/dashboard";
import { ask, listen, type Answered, type Served } from "../../../tests/support/served.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";
import { onTestFinished } from "vitest";

export const everything: Access = { by: "ada", roles: ["payloads", "act", "erase"] };

const sources = {
  socialdata: socialData({ token: "t" }),
  audata: audata({ token: "t" }),
  shop: generic({ token: "t", id: "id", type: "type" }),
};

export interface Given extends Partial<DashboardOptions> {
  readonly store?: Store;
  readonly clock?: Clock;
}

/** The handler of finished jobs fails until it is mended. The dashboard is below `/admin`. */
export async function desk({
  store = sqlite(temporaryFile()),
  clock = systemClock,
  ...options
}: Given = {}) {
  let isMended = false;
  const handled: string[] = [];
  const signals: string[] = [];
  const inbox = createInbox({
    store,
    sources,
    clock,
    retry: { delaysMs: [] },
    logger: false,
    onSignal: ({ kind }) => void signals.push(kind),
  });
  inbox.on("socialdata", "job_finished", ({ id }) => {
    if (!isMended) throw new Error(`the CRM answered 500 for ${id}`);
    handled.push(id);
  });
  inbox.on("audata", "Listener.updated", ({ id }) => void handled.push(id));
  onTestFinished(() => inbox.close());
  const board = dashboard(inbox, { access: () => everything, ...options });
  const served = await listen(beside(inbox, mountNode(board)));
  const post = (path: string, body: unknown): Promise<Answered> =>
    ask(served, `/webhooks/${path}`, {
      body: typeof body === "string" ? body : JSON.stringify(body),
      headers: { "content-type": "application/json" },
    });
  return {
    inbox,
    board,
    served,
    handled,
    signals,
    url: `${served.url}/admin`,
    mend: () => void (isMended = true),
    post,
    /** Jobs that fail, and die at once. */
    fail: async (jobs: number) => {
      for (let job = 1; job <= jobs; job++) {
        const data = { job_id: job, status: "error", message: "Insufficient balance" };
        await post("socialdata/t", { event: "job_finished", data });
      }
      await inbox.idle();
    },
    keyOf: async (state: "dead" | "refused" | "done" | "quarantined" | "unhandled") =>
      (await inbox.list({ state })).events[0]?.key ?? "",
    get: (path: string, headers: Readonly<Record<string, string>> = {}) =>
      ask(served, `/admin${path}`, { headers }),
    send: (path: string, form: Form, headers: HeaderLines = {}) =>
      sendForm(served, path, form, headers),
  };
}

type Form = Readonly<Record<string, string>>;
type HeaderLines = Readonly<Record<string, string>>;

export const csrf = "a".repeat(64);

/** Sends a form as a browser does from a page of the dashboard. */
export function sendForm(
  served: Served,
  path: string,
  form: Form,
  headers: HeaderLines = {},
): Promise<Answered> {
  return ask(served, path.startsWith("/admin") ? path : `/admin${path}`, {
    body: new URLSearchParams({ csrf, ...form }).toString(),
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      host: `127.0.0.1:${served.port}`,
      origin: served.url,
      "sec-fetch-site": "same-origin",
      cookie: `webhook-inbox-csrf=${csrf}`,
      ...headers,
    },
  });
}

/** An application with the inbox, and the dashboard below `/admin`, as frameworks hand it on. */
function beside(inbox: Inbox<typeof sources>, board: RequestListener): RequestListener {
  const door = nodeHandler(inbox);
  return (req, res) => {
    const original = req.url ?? "/";
    if (!/^\/admin(?:[/?]|$)/.test(original)) return door(req, res);
    const below = original.slice("/admin".length);
    Object.assign(req, { originalUrl: original });
    req.url = below.startsWith("/") ? below : `/${below}`;
    board(req, res);
  };
}
