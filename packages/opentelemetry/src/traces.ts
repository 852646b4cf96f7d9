/** Spans: one for each delivery, and one for each attempt, which is linked to the delivery's. */

import {
  context,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Link,
  type Span,
  type SpanContext,
  type TextMapGetter,
} from "@opentelemetry/api";
import type { Attempted, AttemptedOf, Received, ReceivedOf, Telemetry } from "@webhook-inbox/core";
import { key, scope, system } from "./names.ts";

const tracer = trace.getTracer(scope);

/** Header lines, flat: name, value, name, value. */
const lines: TextMapGetter<readonly string[]> = {
  keys: (headers) => headers.filter((_, index) => index % 2 === 0),
  get: (headers, name) => {
    const at = headers.findIndex((text, index) => index % 2 === 0 && text.toLowerCase() === name);
    return at === -1 ? undefined : headers[at + 1];
  },
};

/**
 * Below the span that is current, such as that of the HTTP server; else below the sender's, if it sent one and a propagator
 * is registered.
 */
function parentOf(headers: readonly string[]): Context {
  const active = context.active();
  return trace.getSpan(active) === undefined ? propagation.extract(active, headers, lines) : active;
}

export const received: Telemetry["received"] = async (of, run) => {
  const parent = tried(() => parentOf(of.headers)) ?? ROOT_CONTEXT;
  return await spanned(
    () => tracer.startSpan(`receive ${of.source}`, receiveOptions(of), parent),
    parent,
    (span) => run(span && tried(() => traceparentOf(span.spanContext()))),
    describeReceived,
  );
};

const receiveOptions = ({ source }: ReceivedOf): { kind: SpanKind; attributes: Attributes } => ({
  // What is kept here is what attempts are linked to: the inbox is the queue between the two.
  kind: SpanKind.PRODUCER,
  attributes: {
    [key.system]: system,
    [key.operation]: "receive",
    [key.operationType]: "send",
    [key.destination]: source,
  },
});

function describeReceived(span: Span, { answer: { status }, receipts }: Received): void {
  const kinds = [...new Set(receipts.map(({ kind }) => kind))].join(" ");
  span.setAttributes({ [key.status]: status, [key.receipt]: kinds });
  for (const receipt of receipts) {
    if ("key" in receipt && receipts.length === 1) span.setAttribute(key.message, receipt.key);
    if (receipt.kind === "quarantined") span.setAttribute(key.reason, receipt.reason);
    if (receipt.kind === "refused" && receipt.diagnosis !== undefined) {
      span.setAttribute(key.reason, receipt.diagnosis.code);
    }
  }
  if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
}

/** Not below what was current when its event was taken: an attempt may come days later, and is a trace of its own. */
export const attempted: Telemetry["attempted"] = async (of, run) =>
  await spanned(
    () => tracer.startSpan(`process ${of.event.source}`, processOptions(of), ROOT_CONTEXT),
    ROOT_CONTEXT,
    run,
    (span, ended) => describeAttempted(span, ended),
  );

function processOptions({ event, attempt, trace: of }: AttemptedOf): {
  kind: SpanKind;
  links: Link[];
  attributes: Attributes;
} {
  const linked = spanContextOf(of);
  return {
    kind: SpanKind.CONSUMER,
    links: linked === undefined ? [] : [{ context: linked }],
    attributes: {
      [key.system]: system,
      [key.operation]: "process",
      [key.operationType]: "process",
      [key.destination]: event.source,
      [key.message]: event.key,
      [key.type]: event.type,
      [key.attempt]: attempt,
    },
  };
}

function describeAttempted(span: Span, ended: Attempted | undefined): void {
  if (ended === undefined) return void span.setAttribute(key.outcome, "fenced");
  const { outcome, failures } = ended;
  span.setAttribute(key.outcome, outcome.state);
  for (const { handler, name, at } of failures) {
    span.addEvent("exception", {
      "exception.type": name,
      "webhook_inbox.handler": handler,
      ...(at === undefined ? {} : { "exception.stacktrace": at }),
    });
  }
  const [first] = failures;
  if (first === undefined) return;
  span.setAttribute(key.error, first.code ?? first.name);
  span.setStatus({ code: SpanStatusCode.ERROR });
}

/** Runs in a span. What OpenTelemetry itself throws is no failure of the inbox: `run` is called once, whatever happens. */
async function spanned<T>(
  start: () => Span,
  below: Context,
  run: (span: Span | undefined) => Promise<T>,
  describe: (span: Span, end: T) => void,
): Promise<T> {
  const span = tried(start);
  if (span === undefined) return await run(undefined);
  let running: Promise<T> | undefined;
  tried(() => context.with(trace.setSpan(below, span), () => void (running = run(span))));
  try {
    const end = await (running ?? run(span));
    tried(() => describe(span, end));
    return end;
  } catch (error) {
    tried(() => span.setStatus({ code: SpanStatusCode.ERROR }));
    throw error;
  } finally {
    tried(() => span.end());
  }
}

function tried<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}

const traceparentPattern = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

function traceparentOf(span: SpanContext): string | undefined {
  if (!isSpanContextValid(span)) return undefined;
  const flags = span.traceFlags.toString(16).padStart(2, "0");
  return `00-${span.traceId}-${span.spanId}-${flags}`;
}

function spanContextOf(traceparent: string | undefined): SpanContext | undefined {
  const [, traceId, spanId, flags] = traceparentPattern.exec(traceparent ?? "") ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
}
