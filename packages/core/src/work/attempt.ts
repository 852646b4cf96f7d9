/** One attempt: reads an event's data, runs its unfinished handlers, and says what was found. Decides nothing. */

import type { Clock } from "../contracts/clock.ts";
import type { ConfiguredSource } from "../contracts/source.ts";
import type { Claim } from "../contracts/store.ts";
import { sha256 } from "../hash.ts";
import type { Delivery } from "../model/delivery.ts";
import type { AttemptRecord, HandlerFailure } from "../model/event.ts";
import type { Settlement } from "../model/settlement.ts";
import { summaryOf } from "../observe/redact.ts";
import type { FailureSummary } from "../observe/signals.ts";
import { readData, type Unreadable } from "./data.ts";
import type { HandlerContext, Registered, WebhookEvent } from "./handlers.ts";
import { crashesMax, type Finding } from "./lifecycle.ts";

/** What an attempt found, and what is to be kept of it. */
export interface AttemptReport extends Pick<Settlement, "finished" | "history"> {
  readonly finding: Finding;
  /** For signals: without messages, which may quote the payload. */
  readonly failures: readonly FailureSummary[];
}

export interface AttemptNeeds {
  readonly source: ConfiguredSource;
  readonly handlers: readonly Registered[];
  readonly clock: Clock;
  /** Aborted when the inbox closes or the claim is lost. */
  readonly signal: AbortSignal;
}

type HandlerEnd =
  | { readonly kind: "succeeded"; readonly handler: string }
  | { readonly kind: "failed"; readonly handler: string; readonly error: unknown }
  | Unreadable;

const attemptsKept = 20;
const messageCharactersMax = 2000;

/** Never rejects. */
export async function attempt(claim: Claim, needs: AttemptNeeds): Promise<AttemptReport> {
  const { event } = claim;
  const found = (finding: Finding): AttemptReport => ({
    finding,
    finished: event.finished,
    history: event.history,
    failures: [],
  });
  if (needs.signal.aborted) return found({ kind: "interrupted" });
  if (event.crashes >= crashesMax) return found({ kind: "poison" });
  if (needs.handlers.length === 0) return found({ kind: "unhandled" });

  const startedAt = needs.clock.now();
  const due = needs.handlers.filter(({ name }) => !event.finished.includes(name));
  const ends = await Promise.all(due.map((handler) => runHandler(claim, handler, needs)));
  const succeeded = ends.flatMap((end) => (end.kind === "succeeded" ? [end.handler] : []));
  const finished = [...event.finished, ...succeeded];
  const unreadable = ends.find((end) => end.kind === "unreadable");
  const failed =
    unreadable === undefined
      ? ends.flatMap((end) => (end.kind === "failed" ? [end] : []))
      : [{ handler: "(data)", error: unreadable.error }];
  const record: AttemptRecord = {
    startedAt,
    durationMs: needs.clock.now() - startedAt,
    failures: failed.map(({ handler, error }) => failureOf(handler, error)),
  };
  return {
    finding:
      unreadable === undefined
        ? { kind: "ran", unfinished: failed.map(({ handler }) => handler) }
        : { kind: "unreadable", reason: unreadable.reason },
    finished,
    history: [...event.history, record].slice(-attemptsKept),
    failures: failed.map(({ handler, error }) => ({ handler, ...summaryOf(error) })),
  };
}

async function runHandler(
  claim: Claim,
  handler: Registered,
  needs: AttemptNeeds,
): Promise<HandlerEnd> {
  const { event, delivery } = claim;
  const read = await readData(claim, needs.source);
  if (read.kind !== "valid") return read;
  const deadline = new AbortController();
  let signal: AbortSignal | undefined;
  let copied: Delivery | undefined;
  const ctx: HandlerContext = {
    get signal() {
      // Most handlers never ask for it.
      return (signal ??= AbortSignal.any([needs.signal, deadline.signal]));
    },
    attempt: event.attempts,
    get idempotencyKey() {
      return idempotencyKey(event.key, handler.name);
    },
    get delivery() {
      // Not `slice`: a Buffer's shares its memory.
      return (copied ??= {
        ...delivery,
        headers: [...delivery.headers],
        body: new Uint8Array(delivery.body),
      });
    },
  };
  const { key, source, type, id, occurredAt, receivedAt, notes } = event;
  const own: WebhookEvent = {
    key,
    source,
    type,
    id,
    data: read.data,
    occurredAt,
    receivedAt,
    notes: [...notes],
  };
  try {
    await withDeadline(() => handler.run(own, ctx), handler.timeoutMs, deadline, needs.clock);
    return { kind: "succeeded", handler: handler.name };
  } catch (error) {
    return { kind: "failed", handler: handler.name, error };
  }
}

/** Rejects at the deadline even if the handler ignores its signal: JavaScript cannot stop it, but its slot is free. */
function withDeadline(
  run: () => unknown,
  timeoutMs: number,
  deadline: AbortController,
  clock: Clock,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(timeoutMs, () => {
      const error = new Error(`the handler did not end within ${timeoutMs} ms`);
      error.name = "TimeoutError";
      deadline.abort(error);
      reject(error);
    });
    const ended = async (): Promise<unknown> => await run();
    ended().then(resolve, reject).finally(cancel);
  });
}

function idempotencyKey(eventKey: string, handler: string): string {
  return sha256(`${eventKey}\0${handler}`).toString("base64url");
}

/** Total: whatever was thrown, also objects whose getters throw. */
function failureOf(handler: string, error: unknown): HandlerFailure {
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
