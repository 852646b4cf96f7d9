/** Names of attributes and instruments: OpenTelemetry's where it has some, else ours, below `webhook_inbox`. */

export const scope = "@webhook-inbox/opentelemetry";

export const key = {
  system: "messaging.system",
  destination: "messaging.destination.name",
  message: "messaging.message.id",
  operation: "messaging.operation.name",
  operationType: "messaging.operation.type",
  status: "http.response.status_code",
  error: "error.type",
  source: "webhook_inbox.source",
  type: "webhook_inbox.type",
  receipt: "webhook_inbox.receipt",
  reason: "webhook_inbox.reason",
  outcome: "webhook_inbox.outcome",
  state: "webhook_inbox.state",
  attempt: "webhook_inbox.attempt",
  act: "webhook_inbox.act",
  store: "webhook_inbox.store",
  verb: "webhook_inbox.verb",
} as const;

export const system = "webhook_inbox";

/** Boundaries of lengths of time, in seconds: what answers take, and what handlers do. */
export const secondsBoundaries: number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

const typesMax = 100;
const other = "_OTHER";

/** Types are words of senders: the first hundred of each source have a name of their own. */
export class TypeNames {
  readonly #known = new Map<string, Set<string>>();

  of(source: string, type: string): string {
    const known = this.#known.get(source) ?? new Set<string>();
    this.#known.set(source, known);
    if (known.has(type)) return type;
    if (known.size >= typesMax) return other;
    known.add(type);
    return type;
  }
}
