/** What an SDK of OpenTelemetry collects from a real inbox: spans, their links, and metrics. */

import { context, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { createInbox, type Telemetry } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { observeInbox, openTelemetry } from "@webhook-inbox/opentelemetry";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { ask, serve } from "../../../tests/support/served.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";
import { collected } from "./collected.ts";

beforeEach(() => collected.reset());

const job = (id: number, more = ""): string =>
  `{"event":"job_finished","data":{"job_id":${id},"status":"error","message":"canary-body"${more}}}`;

async function desk(file = temporaryFile(), telemetry: Telemetry = openTelemetry()) {
  const inbox = createInbox({
    store: sqlite(file),
    sources: { jobs: socialData({ token: "t0ken-canary" }), calls: audata({ token: "t" }) },
    retry: { delaysMs: [0] },
    logger: false,
    telemetry,
  });
  const current: (string | undefined)[] = [];
  inbox.on("jobs", "job_finished", ({ data }, { attempt }) => {
    current.push(trace.getActiveSpan()?.spanContext().spanId);
    trace.getTracer("handler").startSpan("a query").end();
    if (data.job_id === 2 && attempt === 1) throw new TypeError("canary-message");
  });
  return { inbox, current, served: await serve(inbox) };
}

const spans = (name: string) => collected.spans().filter((span) => span.name === name);

/** All points of an instrument: its attributes, in one line, and its value. */
async function points(name: string): Promise<Readonly<Record<string, unknown>>> {
  const all = await collected.metrics();
  const found = all.find(({ descriptor }) => descriptor.name === name);
  return Object.fromEntries(
    (found?.dataPoints ?? []).map(({ attributes, value }) => [
      Object.values(attributes).join(" "),
      typeof value === "object" ? value.count : value,
    ]),
  );
}

test("a delivery is a span below the sender's, and each attempt a trace of its own that is linked to it", async () => {
  const { inbox, served, current } = await desk();
  const sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const headers = { traceparent: sent };
  await ask(served, "/webhooks/jobs/t0ken-canary", { body: job(2), headers });
  await inbox.idle();

  const [delivery] = spans("receive jobs");
  expect(delivery?.kind).toBe(SpanKind.PRODUCER);
  expect(delivery?.spanContext().traceId).toBe("0af7651916cd43dd8448eb211c80319c");
  expect(delivery?.parentSpanContext?.spanId).toBe("b7ad6b7169203331");
  const key = (await inbox.list()).events[0]?.key;
  expect(delivery?.attributes).toMatchObject({
    "messaging.destination.name": "jobs",
    "messaging.message.id": key,
    "http.response.status_code": 200,
    "webhook_inbox.receipt": "taken",
  });

  const attempts = spans("process jobs");
  expect(attempts.map(({ kind }) => kind)).toEqual([SpanKind.CONSUMER, SpanKind.CONSUMER]);
  for (const span of attempts) {
    expect(span.parentSpanContext).toBeUndefined();
    expect(span.links.map((link) => link.context.spanId)).toEqual([delivery?.spanContext().spanId]);
    expect(span.spanContext().traceId).not.toBe(delivery?.spanContext().traceId);
  }
  const [failed, done] = attempts;
  expect(failed?.attributes).toMatchObject({
    "webhook_inbox.attempt": 1,
    "webhook_inbox.outcome": "pending",
    "error.type": "TypeError",
  });
  expect(failed?.status.code).toBe(SpanStatusCode.ERROR);
  expect(done?.attributes).toMatchObject({
    "webhook_inbox.attempt": 2,
    "webhook_inbox.outcome": "done",
  });
  // Handlers run in the span of their attempt, and so does what they call.
  expect(current).toEqual(attempts.map((span) => span.spanContext().spanId));
  expect(spans("a query").map(({ parentSpanContext }) => parentSpanContext?.spanId)).toEqual(
    current,
  );

  const text = JSON.stringify(
    collected.spans().map(({ attributes, events, status }) => ({ attributes, events, status })),
  );
  expect(text).not.toContain("canary");
});

test("the link outlives the process that received the delivery", async () => {
  const file = temporaryFile();
  const receiver = createInbox({
    store: sqlite(file),
    sources: { jobs: socialData({ token: "t0ken-canary" }) },
    work: false,
    logger: false,
    telemetry: openTelemetry(),
  });
  const served = await serve(receiver);
  await ask(served, "/webhooks/jobs/t0ken-canary", { body: job(1) });
  await receiver.close();
  const { inbox } = await desk(file);
  await inbox.idle();
  const [delivery] = spans("receive jobs");
  expect(delivery?.parentSpanContext).toBeUndefined();
  const [attempt] = spans("process jobs");
  expect(attempt?.links.map((link) => link.context)).toMatchObject([
    { traceId: delivery?.spanContext().traceId, spanId: delivery?.spanContext().spanId },
  ]);
});

test("what should stay at zero is there from the start, so that its first increase is seen", async () => {
  const { inbox } = await desk();
  await inbox.start();
  expect(await points("webhook_inbox.possibly_lost")).toEqual({ jobs: 0, calls: 0 });
  expect(await points("webhook_inbox.fenced")).toEqual({ jobs: 0, calls: 0 });
  expect(await points("webhook_inbox.store.failures")).toMatchObject({ "store take": 0 });
});

test("a refusal says why, and a traceparent that is none is left alone", async () => {
  const { served } = await desk();
  const headers = { traceparent: "00-zip", "x-other": "1" };
  await ask(served, "/webhooks/jobs/wrong-canary", { body: "{}", headers });
  const [delivery] = spans("receive jobs");
  expect(delivery?.attributes).toMatchObject({
    "http.response.status_code": 401,
    "webhook_inbox.receipt": "refused",
    "webhook_inbox.reason": "mismatch",
  });
  expect(delivery?.parentSpanContext).toBeUndefined();
});

test("below the span of an HTTP server, it is that one's child", async () => {
  const { inbox } = await desk();
  onTestFinished(() => inbox.close());
  const server = trace.getTracer("http").startSpan("POST /webhooks");
  const headers = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
  const request = new Request("http://localhost/webhooks/jobs/t0ken-canary", {
    method: "POST",
    body: job(3),
    headers,
  });
  const active = trace.setSpan(context.active(), server);
  expect((await context.with(active, () => inbox.fetch(request))).status).toBe(200);
  await inbox.idle();
  expect(spans("receive jobs")[0]?.parentSpanContext?.spanId).toBe(server.spanContext().spanId);
  expect(spans("process jobs")[0]?.parentSpanContext).toBeUndefined();
});

test("metrics count deliveries, attempts and events, with labels that no sender can multiply", async () => {
  const { inbox, served } = await desk();
  onTestFinished(observeInbox(inbox));
  const send = (path: string, body: string) => ask(served, `/webhooks/${path}`, { body });
  await send("jobs/t0ken-canary", job(11));
  await send("jobs/t0ken-canary", job(11));
  await send("jobs/t0ken-canary", "{broken");
  await send("jobs/wrong", "{}");
  for (let n = 0; n < 150; n++) {
    await send("calls/t", `{"event":"Type${n}.created","webhookCallId":"${n}","sender_id":1}`);
  }
  await inbox.idle();
  expect(await points("webhook_inbox.deliveries")).toMatchObject({
    "jobs duplicate": 1,
    "jobs quarantined unparsable": 1,
    "jobs refused mismatch": expect.any(Number) as number,
    "calls taken": 150,
  });
  const attempts = Object.entries(await points("webhook_inbox.attempts"));
  const calls = attempts.filter(([labels]) => labels.startsWith("calls"));
  expect(calls).toHaveLength(101);
  expect(calls).toContainEqual(["calls _OTHER unhandled", 50]);
  expect(await points("webhook_inbox.receive.duration")).toMatchObject({ "calls 200": 150 });
  expect(await points("messaging.process.duration")).toMatchObject({
    "webhook_inbox process calls": 150,
  });
  expect(await points("webhook_inbox.events")).toMatchObject({
    "calls unhandled": 150,
    "jobs done": 1,
    "jobs quarantined": 1,
  });
  expect(await points("webhook_inbox.ready")).toEqual({ "": 1 });
  expect(await points("webhook_inbox.store.available")).toEqual({ "": 1 });
  expect(await points("webhook_inbox.oldest.age")).toEqual({ "": 0 });
});
