/** Routes as data, and which of them a path belongs to. */

import type { Role } from "./access.ts";
import { script } from "./script.ts";
import { style } from "./style.ts";
import type { Visit } from "./visit.ts";

/** `Call` is a visit, with what the site's own pages need. */
export interface Route<Call extends Visit = Visit> {
  readonly method: "GET" | "POST";
  /** Below the mount point; `:name` stands for one segment. */
  readonly path: string;
  /** What it takes beside access. */
  readonly role?: Role;
  readonly answer: (call: Call) => Response | Promise<Response>;
}

const asset = (type: string, text: string) => (): Response =>
  new Response(text, { headers: { "content-type": `${type}; charset=utf-8` } });

/** What every page of a site asks for. */
export const assets: readonly Route[] = [
  { method: "GET", path: "/style.css", answer: asset("text/css", style) },
  { method: "GET", path: "/script.js", answer: asset("text/javascript", script) },
];

export interface Match<Call extends Visit> {
  readonly route: Route<Call>;
  readonly params: Readonly<Record<string, string>>;
}

/** The routes of a path, whatever their method. */
export function matchesOf<Call extends Visit>(
  routes: readonly Route<Call>[],
  path: string,
): readonly Match<Call>[] {
  const segments = path.split("/");
  return routes.flatMap((route) => {
    const params = paramsOf(route.path.split("/"), segments);
    return params === undefined ? [] : [{ route, params }];
  });
}

const segmentPattern = /^[A-Za-z0-9-]{1,64}$/;

function paramsOf(
  pattern: readonly string[],
  segments: readonly string[],
): Readonly<Record<string, string>> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index] ?? "";
    if (!part.startsWith(":")) {
      if (part !== segment) return undefined;
    } else if (segmentPattern.test(segment)) params[part.slice(1)] = segment;
    else return undefined;
  }
  return params;
}
