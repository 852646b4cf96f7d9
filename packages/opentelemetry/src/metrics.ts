/** Counters and lengths of time, from the signals of an inbox. */

import { metrics, type Counter, type Histogram } from "@opentelemetry/api";
import type { Attempted, Receipt, Received, Signal } from "@webhook-inbox/core";
import { key, scope, secondsBoundaries, system, TypeNames } from "./names.ts";

type SignalOf<Kind extends Signal["kind"]> = Extract<Signal, { kind: Kind }>;

export class Metrics {
  readonly #types = new TypeNames();
  readonly #deliveries: Counter;
  readonly #attempts: Counter;
  readonly #lost: Counter;
  readonly #drained: Counter;
  readonly #storeFailures: Counter;
  readonly #fenced: Counter;
  readonly #interventions: Counter;
  readonly #receiveSeconds: Histogram;
  readonly #processSeconds: Histogram;

  constructor() {
    const meter = metrics.getMeter(scope);
    const counter = (name: string, unit: string, description: string): Counter =>
      meter.createCounter(`webhook_inbox.${name}`, { unit, description });
    const seconds = (name: string, description: string): Histogram =>
      meter.createHistogram(name, {
        unit: "s",
        description,
        advice: { explicitBucketBoundaries: secondsBoundaries },
      });
    this.#deliveries = counter("deliveries", "{delivery}", "Deliveries, by what became of them.");
    this.#attempts = counter("attempts", "{attempt}", "Attempts, by their outcome.");
    this.#lost = counter(
      "possibly_lost",
      "{delivery}",
      "Authentic deliveries that could not be kept, of providers that do not send again.",
    );
    this.#drained = counter(
      "drained",
      "{delivery}",
      "Deliveries that the store took over from the spill.",
    );
    this.#storeFailures = counter(
      "store.failures",
      "{call}",
      "Calls of the store or the spill that failed.",
    );
    this.#fenced = counter(
      "fenced",
      "{attempt}",
      "Results discarded because somebody else had the event.",
    );
    this.#interventions = counter("interventions", "{event}", "Events that people acted on.");
    this.#receiveSeconds = seconds(
      "webhook_inbox.receive.duration",
      "From a delivery to its answer.",
    );
    this.#processSeconds = seconds(
      "messaging.process.duration",
      "From the beginning of an attempt to its end.",
    );
  }

  /** What is counted; other signals are for the log. */
  readonly #counted: { readonly [Kind in Signal["kind"]]?: (signal: SignalOf<Kind>) => void } = {
    // What should stay at zero begins there: an increase is seen only from a point on.
    started: ({ sources }) => {
      for (const { name } of sources) {
        this.#lost.add(0, { [key.source]: name });
        this.#fenced.add(0, { [key.source]: name });
      }
      for (const verb of ["take", "claim", "extend", "settle", "prune"]) {
        this.#storeFailures.add(0, { [key.store]: "store", [key.verb]: verb });
      }
    },
    received: (signal) => this.#deliveries.add(1, deliveryLabels(signal)),
    settled: (signal) => this.#attempts.add(1, this.#attemptLabels(signal)),
    possibly_lost: ({ source }) => this.#lost.add(1, { [key.source]: source }),
    spill_drained: ({ deliveries }) => this.#drained.add(deliveries),
    store_failed: ({ of, verb }) =>
      this.#storeFailures.add(1, { [key.store]: of, [key.verb]: verb }),
    fenced: ({ event }) => this.#fenced.add(1, { [key.source]: event.source }),
    intervened: ({ act, count }) => this.#interventions.add(count, { [key.act]: act }),
  };

  count(signal: Signal): void {
    const count = this.#counted[signal.kind] as ((signal: Signal) => void) | undefined;
    count?.(signal);
  }

  received(source: string, { answer: { status } }: Received, seconds: number): void {
    this.#receiveSeconds.record(seconds, { [key.source]: source, [key.status]: status });
  }

  attempted(source: string, ended: Attempted | undefined, seconds: number): void {
    const [failure] = ended?.failures ?? [];
    this.#processSeconds.record(seconds, {
      [key.system]: system,
      [key.operation]: "process",
      [key.destination]: source,
      ...(failure === undefined ? {} : { [key.error]: this.#types.of("error", failure.name) }),
    });
  }

  #attemptLabels({
    event: { source, type },
    outcome,
  }: SignalOf<"settled">): Record<string, string> {
    const reason = "reason" in outcome ? { [key.reason]: outcome.reason } : {};
    return {
      [key.source]: source,
      [key.type]: this.#types.of(source, type),
      [key.outcome]: outcome.state === "pending" ? "retry" : outcome.state,
      ...reason,
    };
  }
}

function deliveryLabels({ source, receipt }: SignalOf<"received">): Record<string, string> {
  const reason = reasonOf(receipt);
  return {
    [key.source]: source,
    [key.receipt]: receipt.kind,
    ...(reason === undefined ? {} : { [key.reason]: reason }),
  };
}

function reasonOf(receipt: Receipt): string | undefined {
  if (receipt.kind === "quarantined") return receipt.reason;
  return receipt.kind === "refused"
    ? (receipt.diagnosis?.code ?? `status ${receipt.status}`)
    : undefined;
}
