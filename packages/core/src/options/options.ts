/** The options of an inbox: their types, and the check that turns them into settings or says what to write instead. */

import { systemClock, type Clock } from "../contracts/clock.ts";
import type { ConfiguredSource, Sources } from "../contracts/source.ts";
import type { Store } from "../contracts/store.ts";
import { refuseUnknown, WebhookInboxError } from "../errors.ts";
import { consoleLogger, type Logger } from "../observe/logger.ts";
import type { Signal } from "../observe/signals.ts";
import { guarded, noTelemetry, type Telemetry } from "../observe/telemetry.ts";
import { defaultDelaysMs } from "../work/backoff.ts";
import type { HandlersOf } from "../work/handlers.ts";
import { delaysOf, functionOf, invalid, oneOf, wholeNumber } from "./checks.ts";
import { sourcesOf, type Environment } from "./sources.ts";

/** What an inbox is made of. Only `store` and `sources` must be given. */
export interface InboxOptions<Of extends Sources, Transaction = unknown> {
  /** Where events are kept, such as `sqlite("webhooks.sqlite")`. */
  readonly store: Store<Transaction>;
  /**
   * Where deliveries are kept while the store is away (down, too slow, full, read-only): a file on this machine's own disk,
   * such as `sqlite("/var/lib/app/spill.sqlite")`. They are answered 200, and go into the store by themselves once it is
   * back. Default: none; they are then answered 503.
   */
  readonly spill?: Store;
  /** Where to receive from, by name. The name is a segment of the URL and part of every event's key: keep it. */
  readonly sources: Of;
  /** Handlers by source and type; further ones are registered with `on`. */
  readonly handlers?: HandlersOf<NoInfer<Of>, NoInfer<Transaction>>;
  /** Where the inbox begins, below the adapter's mount point; `"/"` is the mount point itself. Default: `/webhooks`. */
  readonly path?: string;
  /**
   * How the world reaches the mount point: what stands before `path` in the URLs that you set at providers, such as
   * `https://hooks.example.com`. Needed for providers that sign the URL they call, and shown at the start.
   */
  readonly publicUrl?: string;
  /** Which events this instance works on. Default: `true`, those of all its sources; `false`: it only receives. */
  readonly work?: boolean | WorkOptions<NoInfer<Of>>;
  readonly retry?: {
    /**
     * Delays after the first, second, … failed attempt, in milliseconds, each spread by 20 %; after the last one the
     * event is dead. A source may have its own, and its types theirs. Default: 5 s, 30 s, 2 min, 10 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h.
     */
    readonly delaysMs?: readonly number[];
  };
  readonly limits?: {
    /** Largest body taken, in bytes; a larger one is answered 413. Default: 1,048,576 (1 MiB). */
    readonly bodyBytesMax?: number;
    /**
     * Bytes that deliveries may hold in memory together once a credential in their head is proved; beyond it they are
     * answered 503. What has to be read before it is proved, as where the body is signed, has a quarter of this beside it,
     * and what was refused a twentieth. Default: 67,108,864 (64 MiB).
     */
    readonly inFlightBytesMax?: number;
    /** Events whose handlers run at the same time. Default: 64. */
    readonly handlersMax?: number;
  };
  /**
   * What becomes of an event whose type neither the provider nor the source's `events` know, and that no handler of `"*"`
   * takes. Default: `unhandled`, which is forgotten after its retention; `quarantine` keeps it until a person decides.
   */
  readonly onUnknownType?: "unhandled" | "quarantine";
  /**
   * What becomes of an event whose data does not fit the schema of its type. Default: `quarantine`; `handle` gives it to
   * handlers as it came, with the note `data_invalid`: its type then promises too much.
   */
  readonly onInvalid?: "quarantine" | "handle";
  /**
   * When events that are over (done, unhandled, cancelled, erased) are forgotten, by the time since their receipt. What is
   * dead or quarantined stays until a person has decided. `false`: never.
   */
  readonly retention?:
    | false
    | {
        /** Age at which their deliveries go, with the bodies, in milliseconds. Default: 2,592,000,000 (30 days). */
        readonly payloadMs?: number;
        /**
         * Age at which all that is left of them goes, in milliseconds: the key, by which a further delivery is known as a
         * duplicate, and the history of attempts. Default: 7,776,000,000 (90 days).
         */
        readonly keyMs?: number;
      };
  /** Gets every signal, at once: for alerts and metrics of one's own. What it throws is ignored. */
  readonly onSignal?: (signal: Signal) => void;
  /** Traces and metrics, such as `openTelemetry()` of `@webhook-inbox/opentelemetry`. Default: none. */
  readonly telemetry?: Telemetry;
  /** Anything shaped like pino; `false` for none. Default: one line each on the console, without debugging. */
  readonly logger?: Logger | false;
  /** Fetches keys that providers publish, and answers handshakes that want it. Default: `globalThis.fetch`. */
  readonly fetch?: typeof globalThis.fetch;
  /** Time, for tests: with another clock than the machine's, leases last as long as handlers may run. Default: the machine's. */
  readonly clock?: Clock;
}

/** Which sources an instance works on, and when. */
export interface WorkOptions<Of extends Sources> {
  /** Default: all. */
  readonly sources?: readonly (keyof Of & string)[];
  /** How long a claim holds without a sign of life, in milliseconds. Default: 30,000. */
  readonly leaseMs?: number;
  /**
   * `drain`: only while `inbox.drain()` runs, for platforms that stop a process after its response; what it had in hand
   * then would count as crashed. Default: `always`.
   */
  readonly when?: "always" | "drain";
}

/** Options that have been checked and completed. */
export interface Settings {
  readonly store: Store;
  readonly spill: Store | undefined;
  readonly sources: ReadonlyMap<string, ConfiguredSource>;
  /** Without a slash at its end; empty for the mount point itself. */
  readonly path: string;
  /** Without a slash at its end; empty where nobody said. */
  readonly publicUrl: string;
  readonly fetch: typeof globalThis.fetch;
  readonly worked: readonly string[];
  readonly leaseMs: number;
  /** Whether it works only while it is asked to. */
  readonly worksOnDemand: boolean;
  readonly inFlightBytesMax: number;
  readonly handlersMax: number;
  readonly onUnknownType: "unhandled" | "quarantine";
  readonly onInvalid: "quarantine" | "handle";
  readonly retention: { readonly payloadMs: number; readonly keyMs: number };
  readonly onSignal: ((signal: Signal) => void) | undefined;
  readonly telemetry: Telemetry;
  readonly logger: Logger | undefined;
  readonly clock: Clock;
}

const known = {
  options: [
    "store",
    "spill",
    "sources",
    "handlers",
    "path",
    "publicUrl",
    "work",
    "retry",
    "limits",
    "retention",
    "onUnknownType",
    "onInvalid",
    "onSignal",
    "telemetry",
    "logger",
    "fetch",
    "clock",
  ],
  work: ["sources", "leaseMs", "when"],
  retry: ["delaysMs"],
  limits: ["bodyBytesMax", "inFlightBytesMax", "handlersMax"],
  retention: ["payloadMs", "keyMs"],
};
const dayMs = 86_400_000;
const bodyBytesMaxDefault = 1_048_576;
const pathPattern = /^(?:\/[A-Za-z0-9._~-]+)+$/;

/** Throws `WebhookInboxError` for the first thing that is wrong. */
export function settingsOf<Of extends Sources, Transaction>(
  options: InboxOptions<Of, Transaction>,
  environment: Environment,
): Settings {
  if (typeof options !== "object" || options === null) {
    throw invalid("createInbox needs options: at least { store, sources }.");
  }
  refuseUnknown("OPTION_INVALID", "createInbox", options, known.options);
  const { store, limits = {}, retry = {}, logger = consoleLogger, path = "/webhooks" } = options;
  refuseUnknown("OPTION_INVALID", "limits", limits, known.limits);
  refuseUnknown("OPTION_INVALID", "retry", retry, known.retry);
  if (typeof store?.take !== "function") {
    const what = store === undefined ? "is missing" : "is no store";
    throw invalid(`store ${what}. Give one, such as sqlite("webhooks.sqlite").`);
  }
  if (path !== "/" && !pathPattern.test(path)) {
    throw invalid(`path must look like "/webhooks" (or "/"), and is ${JSON.stringify(path)}.`);
  }
  const bodyBytesMax = wholeNumber("limits.bodyBytesMax", limits.bodyBytesMax, bodyBytesMaxDefault);
  const delaysMs = delaysOf("retry.delaysMs", retry.delaysMs) ?? defaultDelaysMs;
  const publicUrl = publicUrlOf(options.publicUrl);
  const sources = sourcesOf(options.sources, { bodyBytesMax, delaysMs, publicUrl }, environment);
  refuseLoss("store", store, sources);
  const spill = spillOf(options, sources);
  return {
    store,
    spill,
    sources,
    path: path === "/" ? "" : path,
    publicUrl,
    fetch: functionOf("fetch", options.fetch) ?? globalThis.fetch,
    ...workOf(options.work ?? true, sources),
    inFlightBytesMax: wholeNumber("limits.inFlightBytesMax", limits.inFlightBytesMax, 67_108_864),
    handlersMax: handlersMaxOf(limits.handlersMax),
    onUnknownType: oneOf("onUnknownType", options.onUnknownType, ["unhandled", "quarantine"]),
    onInvalid: oneOf("onInvalid", options.onInvalid, ["quarantine", "handle"]),
    retention: retentionOf(options.retention ?? {}),
    onSignal: functionOf("onSignal", options.onSignal),
    telemetry: telemetryOf(options.telemetry),
    logger: loggerOf(logger),
    clock: options.clock ?? systemClock,
  };
}

function telemetryOf(given: Telemetry | undefined): Telemetry {
  if (given === undefined) return noTelemetry;
  if (typeof given?.received === "function" && typeof given.attempted === "function")
    return guarded(given);
  throw invalid("telemetry must be one, such as openTelemetry() of @webhook-inbox/opentelemetry.");
}

/** Kept as it is written: it stands in what providers sign. */
function publicUrlOf(given: string | undefined): string {
  if (given === undefined) return "";
  const url = typeof given === "string" && URL.canParse(given) ? new URL(given) : undefined;
  const isPlain = url !== undefined && /^https?:$/.test(url.protocol) && !/[?#]/.test(given);
  if (isPlain) return given.replace(/\/$/, "");
  throw invalid(
    `publicUrl must look like "https://hooks.example.com", and is ${JSON.stringify(given)}.`,
  );
}

function spillOf(
  { store, spill }: { readonly store: unknown; readonly spill?: Store },
  sources: ReadonlyMap<string, ConfiguredSource>,
): Store | undefined {
  if (spill === undefined) return undefined;
  if (typeof spill?.take !== "function" || spill === store) {
    throw invalid(
      'spill must be a store beside the other one, such as sqlite("/var/lib/app/spill.sqlite").',
    );
  }
  refuseLoss("spill", spill, sources);
  if ((spill.isEncrypted === true) !== ((store as Store).isEncrypted === true)) {
    throw invalid(
      "of store and spill one is encrypted and the other is not: encrypted(…, { keys }) around both, or around neither.",
    );
  }
  return spill;
}

function refuseLoss(
  role: "store" | "spill",
  store: Store,
  sources: ReadonlyMap<string, ConfiguredSource>,
): void {
  if (store.supports.durability === "commit" || store.acceptsLoss === true) return;
  for (const { name, provider } of sources.values()) {
    if (provider.habits.redelivers === "automatic") continue;
    throw new WebhookInboxError(
      "STORE_LOSSY",
      `this ${role} loses what it holds when the process ends, and ${provider.name} (source "${name}") does not send again ` +
        'by itself. Use a durable store, such as sqlite("webhooks.sqlite"), or say that losing events is fine: ' +
        "memory({ acceptLoss: true }).",
    );
  }
}

function workOf<Of extends Sources>(
  work: boolean | WorkOptions<Of>,
  sources: ReadonlyMap<string, ConfiguredSource>,
): Pick<Settings, "worked" | "leaseMs" | "worksOnDemand"> {
  const options = typeof work === "boolean" ? {} : work;
  if (typeof options !== "object" || options === null) {
    throw invalid("work must be true, false, or { sources, leaseMs, when }.");
  }
  refuseUnknown("OPTION_INVALID", "work", options, known.work);
  const worked = options.sources ?? (work === false ? [] : [...sources.keys()]);
  const stranger = worked.find((name) => !sources.has(name));
  if (stranger !== undefined)
    throw invalid(`work.sources names "${stranger}", which is no source.`);
  return {
    worked,
    leaseMs: wholeNumber("work.leaseMs", options.leaseMs, 30_000),
    worksOnDemand: oneOf("work.when", options.when, ["always", "drain"]) === "drain",
  };
}

/** More at once than any process can hold in its hands. */
const handlersMaxMax = 10_000;

function handlersMaxOf(handlersMax: number | undefined): number {
  const checked = wholeNumber("limits.handlersMax", handlersMax, 64);
  if (checked <= handlersMaxMax) return checked;
  throw invalid(`limits.handlersMax is at most ${handlersMaxMax}, and is ${checked}.`);
}

const loggerLevels = ["debug", "info", "warn", "error"] as const;

function loggerOf(logger: Logger | false): Logger | undefined {
  if (logger === false) return undefined;
  if (loggerLevels.every((level) => typeof logger?.[level] === "function")) return logger;
  throw invalid(
    `logger must be false, or have the functions ${loggerLevels.join(", ")}, as pino has.`,
  );
}

function retentionOf(
  retention: false | { readonly payloadMs?: number; readonly keyMs?: number },
): Settings["retention"] {
  // Tallies are summed up all the same.
  if (retention === false) return { payloadMs: Infinity, keyMs: Infinity };
  if (typeof retention !== "object")
    throw invalid("retention must be false, or { payloadMs, keyMs }.");
  refuseUnknown("OPTION_INVALID", "retention", retention, known.retention);
  const payloadMs = wholeNumber("retention.payloadMs", retention.payloadMs, 30 * dayMs);
  const keyMs = wholeNumber("retention.keyMs", retention.keyMs, 90 * dayMs);
  if (keyMs >= payloadMs) return { payloadMs, keyMs };
  throw invalid(
    "retention.keyMs must be at least retention.payloadMs: a key outlives its delivery.",
  );
}
