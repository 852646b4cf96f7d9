/** The SDK of OpenTelemetry, started before anything else: metrics for Prometheus to collect. */

import { metrics } from "@opentelemetry/api";
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";

const port = Number(process.env.METRICS_PORT ?? 9464);
const exporter = new PrometheusExporter({ port, host: "127.0.0.1" });
metrics.setGlobalMeterProvider(new MeterProvider({ readers: [exporter] }));
