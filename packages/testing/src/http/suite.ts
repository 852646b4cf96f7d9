/**
 * The specification of an adapter, as tests over real sockets: every status, header and byte of the inbox's answers,
 * bodies to the byte, at the root and below a prefix, before and after the framework's parser, beside other routes.
 *
 * @module @webhook-inbox/testing/http
 */

import { answerRows, plainRows } from "./answers.ts";
import { besideRows } from "./beside.ts";
import { bytesRows } from "./bytes.ts";
import { factoryTests } from "./factory.ts";
import { hostileRows } from "./hostile.ts";
import { parsedRows, type AfterParser } from "./parsed.ts";
import { inPlace, type Rows } from "./row.ts";
import { pages, type Serve, type Site } from "./site.ts";

export type { AfterParser } from "./parsed.ts";
export type { Given, Serve, Served, Site } from "./site.ts";

/** The adapter under test, and what its framework cannot have. */
export interface HttpSuiteOptions {
  /** The runner's function for a test, such as vitest's `test` or that of `node:test`. */
  readonly test: (name: string, body: () => Promise<void>) => void;
  /** Builds and starts an application with the inbox in it. */
  readonly serve: Serve;
  /** What the framework's parser leaves of a body when it stands before the inbox; without it there is no such parser. */
  readonly afterParser?: AfterParser;
  /** Whether `isFronted` makes a difference. */
  readonly hasFront: boolean;
  /**
   * Rows that a framework cannot have, by name, each with its reason. Each of them is a test that they fail: what has come
   * to hold is exempt no more.
   */
  readonly exempt?: Readonly<Record<string, string>>;
}

const root = { prefix: "", parser: "route", isFronted: false, pages } as const;

/** Registers one test for each promise of an adapter. */
export function httpSuite(options: HttpSuiteOptions): void {
  const { test, serve, afterParser, hasFront, exempt = {} } = options;
  const below = {
    prefix: "/api",
    parser: afterParser === undefined ? "route" : "after",
    isFronted: hasFront,
    pages,
  } as const;
  const after = { ...root, parser: "before" } as const;
  const all = { ...answerRows, ...bytesRows, ...besideRows };
  const groups: Readonly<Record<string, readonly [Site, Rows]>> = {
    "at the root": [root, { ...all, ...plainRows, ...hostileRows }],
    [hasFront ? "below a prefix, behind others" : "below a prefix"]: [below, all],
    ...(afterParser === undefined ? {} : { "after the parser": [after, parsedRows(afterParser)] }),
  };
  const unknown = new Set(Object.keys(exempt));
  for (const [group, [site, rows]] of Object.entries(groups)) {
    for (const [name, body] of Object.entries(rows)) {
      const reason = exempt[name];
      unknown.delete(name);
      if (reason === undefined) {
        test(`${group}: ${name}`, () => inPlace(serve, site, body));
      } else {
        test(`${group}, exempt: ${name} (${reason})`, () => inPlace(serve, site, failing(body)));
      }
    }
  }
  for (const [name, body] of Object.entries(factoryTests(serve))) test(name, body);
  if (unknown.size > 0) throw new Error(`exempt names no row: ${[...unknown].join(", ")}`);
}

/** Passes where the row fails. */
function failing(body: Rows[string]): Rows[string] {
  return async (place) => {
    let hasFailed = false;
    await body(place).catch(() => (hasFailed = true));
    if (!hasFailed) throw new Error("this row holds: it needs no exemption.");
  };
}
