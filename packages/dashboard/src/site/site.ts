/** Pages as a fetch handler: who may, which page, and the headers of every answer. */

import { isWebhookInboxError } from "@webhook-inbox/core";
import type { FetchHandler } from "@webhook-inbox/core/node";
import type { Access, AccessFunction } from "./access.ts";
import { html } from "./html.ts";
import { barePage, pageOf } from "./layout.ts";
import { FormToken, isFromHere, isKnownHost } from "./origin.ts";
import { assets, matchesOf, type Match, type Route } from "./routes.ts";
import { tell } from "./tell.ts";
import { formOf, may, Refusal, type Place, type Visit } from "./visit.ts";

/** How a site is reached, and who may. */
export interface SiteOptions {
  /** Says who may look, and do what. */
  readonly access: AccessFunction;
  /**
   * Names by which it is reached, without scheme and port, such as `ops.example.com`; others are answered 403. Default: those
   * of this machine, `localhost`, `127.0.0.1` and `[::1]`.
   */
  readonly hosts?: readonly string[];
  /** What stands in its head, to tell several apart. Default: `webhook-inbox`. */
  readonly title?: string;
}

const securityHeaders: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  // Forms of a page with `no-referrer` would be sent with the origin `null`.
  "referrer-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
};

interface Site<Own> extends SiteOptions {
  readonly routes: readonly Route<Visit & Own>[];
  readonly places: readonly Place[];
  /** What the pages need beside the visit. */
  readonly own: Own;
}

/**
 * Serves pages. No other site can read them or send what changes something: names are known, forms come from pages of this
 * site, and nothing of others is loaded.
 */
export function site<Own extends object>(given: Site<Own>): FetchHandler {
  const whole: Site<Own> = { ...given, routes: [...given.routes, ...assets] };
  return async (request, { path: base }) => {
    const url = new URL(request.url);
    const token = new FormToken(request);
    const answered = await answer(whole, { request, url, base, token });
    const headers = new Headers(answered.headers);
    for (const [name, value] of Object.entries(securityHeaders)) {
      if (!headers.has(name)) headers.set(name, value);
    }
    const cookie = token.cookie(url, base);
    if (cookie !== undefined) headers.append("set-cookie", cookie);
    return new Response(answered.body, { status: answered.status, headers });
  };
}

type Asked = Pick<Visit, "request" | "url" | "base" | "token">;

async function answer<Own extends object>(on: Site<Own>, asked: Asked): Promise<Response> {
  const { access: accessOf, hosts } = on;
  const { hostname } = asked.url;
  if (!isKnownHost(asked.url, hosts)) {
    return barePage(
      403,
      "Not by this name",
      `This is not reached by the name ${hostname}. If that is right, add it: hosts: [${JSON.stringify(hostname)}].`,
    );
  }
  let access: Access | Response | undefined;
  try {
    access = await accessOf(asked.request);
  } catch (error) {
    tell(error);
    const text = "It could not be found out who you are: see the log of the application.";
    return barePage(500, "The page failed", text);
  }
  if (access instanceof Response) return access;
  if (access === undefined) {
    return barePage(401, "Not signed in", "Sign in, and load this page again.");
  }
  try {
    return await pageFor(on, asked, access);
  } catch (error) {
    return failed(on, asked, access, error);
  }
}

async function pageFor<Own extends object>(
  on: Site<Own>,
  asked: Asked,
  access: Access,
): Promise<Response> {
  const { hosts, title = "webhook-inbox", places, own } = on;
  const { request, url, token } = asked;
  const { route, params } = matchFor(on, asked);
  if (route.role !== undefined && !may({ access }, route.role)) {
    const role = JSON.stringify(route.role);
    throw new Refusal(403, `This takes the role ${role}, which you do not have.`);
  }
  let form = new URLSearchParams();
  if (route.method === "POST") {
    if (!isFromHere(request, url, hosts)) {
      throw new Refusal(403, "This was not sent by a page of this site.");
    }
    form = await formOf(request);
    if (!token.matches(form.get("csrf"))) {
      throw new Refusal(403, "The page that sent this is too old. Load it again.");
    }
  }
  return await route.answer({ ...own, ...asked, access, params, form, title, places });
}

function matchFor<Own extends object>(
  { routes }: Site<Own>,
  { request: { method }, url, base }: Asked,
): Match<Visit & Own> {
  const found = matchesOf(routes, url.pathname.slice(base.length) || "/");
  if (found.length === 0) throw new Refusal(404, "There is no such page.");
  const asked = method === "HEAD" ? "GET" : method;
  const match = found.find(({ route }) => route.method === asked);
  if (match !== undefined) return match;
  const allow = found.map(({ route }) => route.method).join(", ");
  throw new Refusal(405, `This page answers to ${allow}.`, { allow });
}

/** Says what happened, without a word of what senders wrote. */
function failed(
  { title = "webhook-inbox", places }: Pick<Site<unknown>, "title" | "places">,
  { base }: Asked,
  access: Access,
  error: unknown,
): Response {
  const { status, heading, text, headers = {} } = wordsFor(error);
  const body = html`<p role="alert">${text}</p>`;
  const page = pageOf({ base, access, title, places }, { heading, status, body });
  for (const [name, value] of Object.entries(headers)) page.headers.set(name, value);
  return page;
}

interface Words {
  readonly status: number;
  readonly heading: string;
  readonly text: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const headings: Readonly<Record<number, string>> = {
  400: "That cannot be",
  403: "Not allowed",
  404: "Not found",
  405: "Not this way",
};

function wordsFor(error: unknown): Words {
  if (error instanceof Refusal) {
    const { status, message, headers } = error;
    return { status, heading: headings[status] ?? "That did not work", text: message, headers };
  }
  if (isWebhookInboxError(error)) {
    const status = error.code === "SELECTION_INVALID" ? 400 : 503;
    const heading = status === 400 ? "That cannot be" : "The inbox cannot be used now";
    return { status, heading, text: error.message };
  }
  tell(error);
  const name = error instanceof Error ? error.name : "something that is no error";
  const text = `It met ${name}, which the log of the application says more of.`;
  return { status: 500, heading: "The page failed", text };
}
