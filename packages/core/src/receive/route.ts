/** From the raw path to the source it names. No decoding and no normalising: only the exact path is ours. */

import type { ConfiguredSource, Gate } from "../contracts/source.ts";

export type Route =
  /** Not below the inbox's path: somebody else's request. */
  | { readonly kind: "elsewhere" }
  /** Below the inbox's path, but no source. */
  | { readonly kind: "unknown" }
  | {
      readonly kind: "source";
      readonly source: ConfiguredSource;
      /** Whose deliveries come here, where a source has accounts. */
      readonly account: string | undefined;
      /** What follows in the path. */
      readonly rest: readonly string[];
      /** With its question mark; empty when there is none. */
      readonly query: string;
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
  const account = source.gate === undefined ? rest.shift() : undefined;
  if (source.gate === undefined && !isAccount(account ?? "")) return { kind: "unknown" };
  const query = mark === -1 ? "" : target.slice(mark);
  return { kind: "source", source, account, rest, query };
}

const accountPattern = /^[A-Za-z0-9._~-]{1,100}$/;

/** What every object has (`constructor`, `__proto__`) is no account, also for those who look into a plain one. */
function isAccount(name: string): boolean {
  return accountPattern.test(name) && !/^\.+$/.test(name) && !(name in Object.prototype);
}

/** Where in a source a request goes: what its gate knows of the path. */
export interface Place {
  readonly token: string | undefined;
  readonly segment: string | undefined;
  /** The target with its token replaced by `***`. */
  readonly target: string;
}

/** Undefined for a path that is none of the source's. */
export function placeOf(
  path: string,
  { source, account, rest: [...rest], query }: Extract<Route, { kind: "source" }>,
  { hasToken }: Gate,
): Place | undefined {
  const inPath = hasToken ? rest.shift() : undefined;
  const segment = rest.shift();
  const isKnown = segment === undefined || source.provider.segments?.includes(segment) === true;
  if (!isKnown || rest.length > 0) return undefined;
  const mayBeInQuery = hasToken && source.provider.tokenInQuery === true;
  const shown = [
    source.name,
    ...(account === undefined ? [] : [account]),
    ...(inPath === undefined ? [] : ["***"]),
    ...(segment === undefined ? [] : [segment]),
  ].join("/");
  return {
    token: inPath ?? (mayBeInQuery ? tokenOf(query) : undefined),
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
