/** An SDK of OpenTelemetry that keeps what it is given, for one process. */

import { context, metrics, propagation, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
  type MetricData,
} from "@opentelemetry/sdk-metrics";
import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
} from "@opentelemetry/sdk-trace";

const exporter = new InMemorySpanExporter();
const measured = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter: measured, exportIntervalMillis: 1e9 });

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());
trace.setGlobalTracerProvider(
  new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }),
);
metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));

export const collected = {
  reset: (): void => exporter.reset(),
  spans: (): ReturnType<InMemorySpanExporter["getFinishedSpans"]> => exporter.getFinishedSpans(),
  /** As they are now. */
  async metrics(): Promise<readonly MetricData[]> {
    await reader.forceFlush();
    const all = measured.getMetrics().at(-1)?.scopeMetrics ?? [];
    return all.flatMap((one) => one.metrics);
  },
};
