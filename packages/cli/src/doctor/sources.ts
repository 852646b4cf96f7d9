/** Whether deliveries get in: the sources, the way from the world to them, and what was refused lately. */

import {
  diagnosisText,
  visible,
  type Diagnosis,
  type Inbox,
  type SourceSummary,
} from "@webhook-inbox/core";
import { duration } from "../text.ts";
import { failure, ok, warning, type Check } from "./check.ts";

export function sourceChecks(sources: readonly SourceSummary[]): readonly Check[] {
  return sources.map(({ name, path, credential }) => {
    if (credential === "required") return ok("configuration", `${name} receives at ${path}`);
    const what =
      credential === "none"
        ? 'takes deliveries from anybody (auth: "none")'
        : "has no credential, so it answers this machine alone";
    return warning("configuration", `${name} ${what}`);
  });
}

const timeoutMs = 10_000;
const skewMsMax = 5000;

/**
 * Asks for each source's path with a method that no provider uses: nothing is kept of it, and the answer of an inbox, 405 with
 * the methods that there are, is like no other.
 */
export async function urlChecks(
  sources: readonly SourceSummary[],
  given: string | undefined,
): Promise<readonly Check[]> {
  const bases = new Set(sources.map(({ publicUrl }) => given ?? publicUrl));
  if (bases.size === 0 || (bases.size === 1 && bases.has(""))) {
    return [
      warning("public URL", "nobody said how the world reaches it: set publicUrl, or give --url"),
    ];
  }
  return (
    await Promise.all(sources.map((source) => urlCheck(source, given ?? source.publicUrl)))
  ).flat();
}

async function urlCheck(
  { name, path, methods }: SourceSummary,
  base: string,
): Promise<readonly Check[]> {
  const url = base + path.replace("***", "doctor").replace("<account>", "doctor");
  const checks: Check[] = [];
  if (!base.startsWith("https:") && !/^http:\/\/(?:localhost|127\.|\[::1\])/.test(base)) {
    checks.push(
      warning("public URL", `${name}: ${base} has no TLS, so credentials can be read on the way`),
    );
  }
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    const answer = await fetch(url, { method: "PUT", redirect: "manual", signal });
    await answer.body?.cancel();
    checks.push(reached(name, methods, answer), ...timeOf(name, answer));
  } catch (error) {
    const { cause } = error as { readonly cause?: { readonly code?: string } };
    const why = cause?.code ?? (error as Error).name;
    checks.push(failure("public URL", `${name}: ${base} does not answer (${why})`));
  }
  return checks;
}

function reached(name: string, methods: readonly string[], { status, headers }: Response): Check {
  const allow = (headers.get("allow") ?? "").split(/,\s*/);
  if (status === 405 && methods.every((method) => allow.includes(method))) {
    return ok("public URL", `${name} is reached`);
  }
  if (status >= 300 && status < 400) {
    const where = headers.get("location") ?? "nowhere";
    return failure(
      "public URL",
      `${name}: it is redirected to ${visible(where)}, and providers do not follow`,
    );
  }
  const hint =
    status === 404
      ? "the path leads elsewhere: does a proxy take a part of it away, or is the inbox mounted below another?"
      : "something else answers before the inbox";
  return failure("public URL", `${name}: it is answered ${status}; ${hint}`);
}

/** Of whatever stands in front of it. */
function timeOf(name: string, { headers }: Response): readonly Check[] {
  const at = Date.parse(headers.get("date") ?? "");
  const skewMs = Math.abs(at - Date.now());
  if (Number.isNaN(at) || skewMs <= skewMsMax) return [];
  return [warning("clock", `${name}: the clock there is ${duration(skewMs)} off this machine's`)];
}

const refusedMax = 20;

/** What the secrets have matched before, this process does not know. */
function withoutPast(diagnosis: Diagnosis): Diagnosis {
  const { matchedBefore: _, ...known } = diagnosis;
  return known;
}

/** The last ones, by what verifying them says now. */
export async function refusalChecks(inbox: Inbox): Promise<readonly Check[]> {
  const { events, cursor } = await inbox.list({ state: "refused", limit: refusedMax });
  if (events.length === 0) return [ok("refusals", "no delivery was refused lately")];
  const found = new Map<string, { count: number; lastAt: number; isGood: boolean }>();
  for (const { key, source, reason, receivedAt } of events) {
    const verdict = (await inbox.view(key))?.verdict;
    const what =
      verdict === undefined
        ? `${source}: ${reason ?? ""}`
        : verdict.ok
          ? `${source}: authentic by the secrets of now; webhook-inbox verify-again takes them`
          : `${source}: ${diagnosisText(withoutPast(verdict.diagnosis))}`;
    const one = found.get(what) ?? { count: 0, lastAt: receivedAt, isGood: verdict?.ok === true };
    found.set(what, { ...one, count: one.count + 1 });
  }
  const more = cursor === undefined ? "" : ", of the last twenty";
  return [...found].map(([what, { count, lastAt }]) => {
    const ago = duration(Math.max(0, Date.now() - lastAt));
    return warning("refusals", `${what} (${count}${more}, the last one ${ago} ago)`);
  });
}
