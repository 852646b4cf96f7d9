/** One attempt: reads an event's data, runs its unfinished handlers, and says what was found. Decides nothing. */

import type { ConfiguredSource } from "../contracts/source.ts";
import type { Claim } from "../contracts/store.ts";
import { undecryptedError } from "../errors.ts";
import type { Undecrypted } from "../model/delivery.ts";
import type { AttemptRecord, HandlerFailure } from "../model/event.ts";
import type { Settlement } from "../model/settlement.ts";
import { summaryOf } from "../observe/redact.ts";
import type { FailureSummary } from "../observe/signals.ts";
import type { Identify } from "./data.ts";
import { pollName, type Expectations } from "./expectations.ts";
import { isExpectation } from "./expected.ts";
import type { Registered } from "./handlers.ts";
import { crashesMax, type Finding } from "./lifecycle.ts";
import { runHandler, type HandlerEnd, type HandlerNeeds, type InHand } from "./run-handler.ts";

/** What an attempt found, and what is to be kept of it beside what each handler told as it ended. */
export interface AttemptReport extends Pick<Settlement, "history"> {
  readonly finding: Finding;
  /** For signals: without messages, which may quote the payload. */
  readonly failures: readonly FailureSummary[];
}

export interface AttemptNeeds extends HandlerNeeds {
  readonly identify: Identify;
  readonly expectations: Pick<Expectations, "fulfil">;
}

/** What there is of one attempt. */
interface AttemptInHand extends InHand {
  readonly handlers: readonly Registered[];
  /** Told of each handler that need not run again, as it ends: what others still do must not change that. */
  readonly onEnd: (how: "finished" | "gaveUp", handler: string) => void;
}

/** An answer is no error: it has no code, place or message of its own. */
const unsaid = { code: undefined, message: undefined, at: undefined };
const attemptsKept = 20;
const messageCharactersMax = 2000;

/** Never rejects. */
export async function attempt(
  claim: Claim,
  needs: AttemptNeeds,
  inHand: AttemptInHand,
): Promise<AttemptReport> {
  const { event } = claim;
  const { source, handlers, abort } = inHand;
  // It has waited for its next attempt, and others of its lane may run meanwhile: it takes its turn with them.
  if (event.lane?.isHead === false) return reportOf(claim, { kind: "interrupted" });
  if (abort.isAborted) return reportOf(claim, { kind: "interrupted" });
  if (event.crashes >= crashesMax) return reportOf(claim, { kind: "poison" });
  const { undecrypted } = claim.delivery;
  if (undecrypted?.kind === "key_missing") return withoutKey(claim, undecrypted, needs.clock.now());
  const startedAt = needs.clock.now();
  const record = (failures: readonly HandlerFailure[]): AttemptRecord => ({
    startedAt,
    durationMs: needs.clock.now() - startedAt,
    failures,
  });
  if (undecrypted !== undefined) {
    const failed = [{ handler: "(decrypt)", error: undecryptedError(undecrypted) }];
    const finding = { kind: "unreadable", reason: "encrypted" } as const;
    return reportOf(claim, finding, [record(failed.map(failureOf))], failed);
  }
  if (isExpectation(claim)) {
    const { finding, failure } = await needs.expectations.fulfil(claim, source, abort.signal);
    const failures = failure === undefined ? [] : [unfulfilled(failure)];
    const records = finding.kind === "ran" || finding.kind === "became" ? [record(failures)] : [];
    const told = failures.map(({ handler, name }) => ({ handler, name, ...unsaid }));
    return reportOf(claim, finding, records, [], told);
  }
  if (!event.identified) {
    const finding = identified(claim, needs, source);
    const isRead = finding.kind === "became";
    return reportOf(claim, finding, [record(isRead ? [] : [unidentified])]);
  }
  if (handlers.length === 0) {
    const isKnown = Object.hasOwn(source.events, event.type);
    return reportOf(claim, { kind: "unhandled", isKnown });
  }

  const { finished, gaveUp } = event;
  const due = handlers.filter(({ name }) => !finished.includes(name) && !gaveUp.includes(name));
  const run = async (handler: Registered): Promise<HandlerEnd> => {
    const end = await runHandler(claim, handler, needs, inHand);
    if (hasSucceeded(end)) inHand.onEnd("finished", handler.name);
    if (hasGivenUp(end)) inHand.onEnd("gaveUp", handler.name);
    return end;
  };
  const ends = await Promise.all(due.map(run));
  return ranReport(claim, ends, record);
}

/** Until an event whose key is missing is looked at again: what has waited for long can wait for longer. */
const keyMsMin = 60_000;
const keyMsMax = 3_600_000;

/** Nothing was attempted: it waits until somebody has put the key there. */
function withoutKey(claim: Claim, why: Undecrypted, now: number): AttemptReport {
  const waited = now - claim.event.receivedAt;
  const afterMs = Math.min(Math.max(waited / 4, keyMsMin), keyMsMax);
  const failed = [{ handler: "(decrypt)", error: undecryptedError(why) }];
  return reportOf(claim, { kind: "postponed", afterMs }, [], failed);
}

/** `record` makes what is kept of the attempt. */
function ranReport(
  claim: Claim,
  ends: readonly HandlerEnd[],
  record: (failures: readonly HandlerFailure[]) => AttemptRecord,
): AttemptReport {
  const { gaveUp } = claim.event;
  if (ends.every(({ kind }) => kind === "succeeded")) {
    return reportOf(claim, { ...allRan, hasGivenUp: gaveUp.length > 0 }, [record([])]);
  }
  const unreadable = ends.find((end) => end.kind === "unreadable");
  if (unreadable !== undefined) {
    const { reason, error } = unreadable;
    const failed = [{ handler: "(data)", error }];
    const attempted = record(failed.map(failureOf));
    return reportOf(claim, { kind: "unreadable", reason }, [attempted], failed);
  }
  const failed = ends.flatMap((end) => (end.kind === "failed" ? [end] : []));
  const answers = ends.flatMap((end) => (end.kind === "answered" ? [end] : []));
  const delays = answers.flatMap(({ answer }) => (answer.kind === "retry" ? [answer.afterMs] : []));
  const retried = answers.filter(({ answer }) => answer.kind === "retry").map(nameOf);
  return reportOf(
    claim,
    {
      kind: "ran",
      // What a transaction committed has succeeded, whatever its handler did afterwards.
      unfinished: [...failed.filter(({ hasCommitted }) => !hasCommitted).map(nameOf), ...retried],
      retryAfterMs: delays.length === 0 ? undefined : Math.max(...delays),
      hasFailed: failed.some(({ hasCommitted }) => !hasCommitted),
      hasGivenUp: gaveUp.length > 0 || ends.some(hasGivenUp),
    },
    [record([...failed.map(failureOf), ...answers.map(answerOf)])],
    failed,
    answers.map(({ handler, answer }) => ({ handler, name: answer.kind, ...unsaid })),
  );
}

const allRan = {
  kind: "ran",
  unfinished: [],
  retryAfterMs: undefined,
  hasFailed: false,
} as const;

const nameOf = ({ handler }: { readonly handler: string }): string => handler;

function hasSucceeded(end: HandlerEnd): boolean {
  return end.kind === "succeeded" || (end.kind === "failed" && end.hasCommitted);
}

function hasGivenUp(end: HandlerEnd): boolean {
  return end.kind === "answered" && end.answer.kind === "dead";
}

const unidentified: HandlerFailure = {
  handler: "(identify)",
  name: "Unidentified",
  message: "the provider cannot say which events this delivery holds",
};

function unfulfilled(message: string): HandlerFailure {
  return { handler: pollName, name: "Unfulfilled", message: textOf(message) };
}

function identified(
  { delivery }: Claim,
  { identify }: AttemptNeeds,
  source: ConfiguredSource,
): Finding {
  const found = identify(source, delivery);
  if (found.kind === "events") return { kind: "became", events: found.events };
  if (found.kind === "nothing") return { kind: "became", events: [] };
  return { kind: "unreadable", reason: found.event.quarantine ?? "unidentified" };
}

function reportOf(
  { event }: Claim,
  finding: Finding,
  records: readonly AttemptRecord[] = [],
  failed: readonly { readonly handler: string; readonly error: unknown }[] = [],
  answered: readonly FailureSummary[] = [],
): AttemptReport {
  return {
    finding,
    history: [...event.history, ...records].slice(-attemptsKept),
    failures: [
      ...failed.map(({ handler, error }) => ({ handler, ...summaryOf(error) })),
      ...answered,
    ],
  };
}

function answerOf({ handler, answer }: Extract<HandlerEnd, { kind: "answered" }>): HandlerFailure {
  return answer.kind === "dead"
    ? { handler, name: "dead", message: textOf(answer.reason) }
    : { handler, name: "retry", message: `asked to run again after ${answer.afterMs} ms` };
}

/** Total: whatever was thrown, also objects whose getters throw. */
function failureOf({
  handler,
  error,
}: {
  readonly handler: string;
  readonly error: unknown;
}): HandlerFailure {
  try {
    if (!(error instanceof Error)) return { handler, name: typeof error, message: textOf(error) };
    // A name and a message can be anything at run time.
    const { name, message }: { readonly name: unknown; readonly message: unknown } = error;
    return { handler, name: textOf(name), message: textOf(message) };
  } catch {
    return { handler, name: "unreadable error", message: "" };
  }
}

function textOf(value: unknown): string {
  return String(value).slice(0, messageCharactersMax).replaceAll("\0", "\uFFFD").toWellFormed();
}
