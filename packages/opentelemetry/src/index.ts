/**
 * Traces and metrics of an inbox, by the OpenTelemetry API alone: without an SDK nothing is made, and nothing is slower.
 *
 * @module @webhook-inbox/opentelemetry
 */

export { observeInbox, type ObservedInbox } from "./gauges.ts";
export { openTelemetry } from "./open-telemetry.ts";
