/** An SDK that fails at everything: nothing of it may become a failure of the inbox. */

import { metrics, trace, type Meter, type Span, type Tracer } from "@opentelemetry/api";
import { createInbox } from "@webhook-inbox/core";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { openTelemetry } from "@webhook-inbox/opentelemetry";
import { expect, test } from "vitest";
import { ask, serve } from "../../../tests/support/served.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";

let failures = 0;

/** Whatever is asked of it, it throws; `but` says what it answers all the same. */
function failing(but: Readonly<Record<string, unknown>> = {}): object {
  const fail = (): never => {
    failures += 1;
    throw new Error("the SDK is broken");
  };
  return new Proxy({}, { get: (_, name) => but[String(name)] ?? fail });
}

async function handledOnce(): Promise<void> {
  const inbox = createInbox({
    store: sqlite(temporaryFile()),
    sources: { jobs: socialData({ token: "t" }) },
    logger: false,
    telemetry: openTelemetry(),
  });
  const handled: string[] = [];
  inbox.on("jobs", "job_finished", ({ id }) => void handled.push(id));
  const body = '{"event":"job_finished","data":{"job_id":1,"status":"error","message":"x"}}';
  const { status } = await ask(await serve(inbox), "/webhooks/jobs/t", { body });
  await inbox.idle();
  expect([status, handled]).toEqual([200, ["job:1:error"]]);
}

test("what a tracer, a span or a meter throws is swallowed, and everything is handled once", async () => {
  const meter = failing() as Meter;
  metrics.setGlobalMeterProvider({ getMeter: () => meter });
  let tracer = failing() as Tracer;
  const startSpan: Tracer["startSpan"] = (...given) => tracer.startSpan(...given);
  trace.setGlobalTracerProvider({ getTracer: () => failing({ startSpan }) as Tracer });
  await handledOnce();
  tracer = failing({ startSpan: (): Span => failing() as Span }) as Tracer;
  await handledOnce();
  expect(failures).toBeGreaterThan(8);
});
