/** From the raw path to the source it names. No decoding and no normalising: only the exact path is ours. */

import type { ConfiguredSource } from "../contracts/source.ts";

export type Route =
  /** Not below the inbox's path: somebody else's request. */
  | { readonly kind: "elsewhere" }
  /** Below the inbox's path, but no source. */
  | { readonly kind: "unknown" }
  | {
      readonly kind: "source";
      readonly source: ConfiguredSource;
      readonly token: string | undefined;
      readonly segment: string | undefined;
      /** The target with its token replaced by `***`. */
      readonly target: string;
    };

/** `path` is where the inbox begins, such as `/webhooks`; empty for the mount point itself. */
export function routeOf(
  sources: ReadonlyMap<string, ConfiguredSource>,
  path: string,
  target: string,
): Route {
  const mark = target.indexOf("?");
  const pathname = mark === -1 ? target : target.slice(0, mark);
  if (!pathname.startsWith(`${path}/`)) return { kind: "elsewhere" };
  const [name = "", ...rest] = pathname.slice(path.length + 1).split("/");
  const source = sources.get(name);
  if (source === undefined) return { kind: "unknown" };
  const token = source.hasToken ? rest.shift() : undefined;
  const segment = rest.shift();
  const isKnown = segment === undefined || source.provider.segments?.includes(segment) === true;
  if (!isKnown || rest.length > 0) return { kind: "unknown" };
  const query = mark === -1 ? "" : target.slice(mark);
  const mayBeInQuery = source.hasToken && source.provider.tokenInQuery === true;
  if (token === undefined && mayBeInQuery) {
    return {
      kind: "source",
      source,
      segment,
      token: tokenOf(query),
      target: pathname + masked(query),
    };
  }
  const shown = [name, ...(token === undefined ? [] : ["***"]), segment ?? []].flat().join("/");
  return {
    kind: "source",
    source,
    token,
    segment,
    target: `${path}/${shown}${mayBeInQuery ? masked(query) : query}`,
  };
}

/**
 * `?token=…`; a second `?` ends it, as happens when a sender appends its own query to a URL that has one. A token that
 * repeats is none.
 */
function tokenOf(query: string): string | undefined {
  const tokens = [...query.matchAll(/[?&]token=([^&?]*)/g)].map((match) => match[1]);
  return tokens.length === 1 ? tokens[0] : undefined;
}

function masked(query: string): string {
  return query.replaceAll(/([?&]token=)[^&?]*/g, "$1***");
}
