/** The trials of the torture run: what is done to whom, how often by profile, and the bar that it is held to. */

import { cut, cutControl, died, fleet, killControl, killed, recovered } from "./crash-trials.ts";
import { outages } from "./outages.ts";
import { names, servers, type Trial } from "./trial.ts";
import { backlog, burst, exhausted, neighbours, soaked, timed } from "./load-trials.ts";
import {
  away,
  copied,
  failedSync,
  fullSpill,
  fuzzed,
  orderControl,
  ordered,
  restored,
  rotated,
  simulated,
  tested,
} from "./trouble-trials.ts";

/** Programs of this directory. */
const programs: readonly Trial[] = [
  killed("K1", "postgres", { aliveMsMax: 2000 }, [10, 300], [0, 60_000]),
  killed("K2", "sqlite", { aliveMsMax: 2000 }, [10, 300], [0, 60_000]),
  killControl,
  killed("K3", "redis", { aliveMsMax: 2000 }, [10, 300], [0, 60_000]),
  ...names.map((name) =>
    killed("K4", name, { victim: "receiver after commit", aliveMsMax: 0 }, [5, 100], [0, 2000]),
  ),
  ...names.map(died),
  ...servers.map((name) => recovered(name)),
  ...servers.map((name) => killed("K7", name, { victim: "store", aliveMsMax: 2000 }, [5, 50])),
  ...servers.map((name) => killed("K8", name, { victim: "both", aliveMsMax: 2000 }, [5, 50])),
  cut("store"),
  cut("spill"),
  cutControl,
  ...names.map((name) => fleet("K10", "restarted", name)),
  ...names.map((name) => fleet("K1", "killed", name)),
  ...names.map((name) => fleet("L1", "paused", name)),
  ...servers.map((name) => fleet("N4", "partitioned", name)),
  // A file has one machine, whose processes share its clock.
  ...servers.map((name) => fleet("C1", "off by hours", name)),
  ...Object.entries(outages).map(([name, make]) => away(name, make)),
  fullSpill,
  failedSync(false),
  failedSync(true),
  ...(["D1", "D4", "N7"] as const).flatMap((id) => names.map((name) => copied(id, name))),
  ...names.map(ordered),
  orderControl,
  backlog,
  neighbours("B4"),
  neighbours("L9"),
  ...names.map(burst),
  ...names.map(exhausted),
  simulated,
  restored,
  rotated,
  ...names.map(soaked),
  timed,
  ...servers.map((name) =>
    killed("N1", name, { victim: "connections", aliveMsMax: 150 }, [50, 500]),
  ),
];

/** Tests of the suite. */
const tests: readonly Trial[] = [
  tested("K11", "a handler that does not end at shutdown", ["core/claims"], "ignores the closing"),
  tested(
    "K6",
    "what a killed process held in a file",
    ["core/sqlite.test"],
    "what a killed process held",
  ),
  tested("N3", "wake-ups that arrive no more", ["postgres/wakeups"], "wake-ups go on"),
  tested("S1", "an error at every call of the store", ["core/faults"], "the Nth call"),
  tested(
    "S9",
    "settings that may lose events",
    ["core/sqlite.test", "postgres/postgres.test", "redis/redis.test"],
    "is refused|noticed when they are read back",
  ),
  tested("S8", "Redis out of memory", ["redis/outages"], "out of memory"),
  tested("S10", "errors of a troubled PostgreSQL, by their codes", ["postgres/troubles"], ""),
  tested(
    "S12",
    "stores that are slow",
    ["postgres/outages", "redis/outages", "core/spill-edges"],
    "slow",
  ),
  tested(
    "S13",
    "what a later version has changed",
    ["core/sqlite.test", "postgres/postgres", "redis/redis"],
    "later version",
  ),
  tested("S11", "a file that is taken away", ["core/sqlite.test"], "taken away"),
  tested("L1", "a handler that sleeps through its lease", ["core/leases"], "a zombie"),
  tested(
    "L2",
    "a handler that blocks the event loop",
    ["core/leases", "postgres/heartbeat"],
    "blocks the event loop",
  ),
  tested(
    "L3",
    "a handler that never gives the event loop back",
    ["core/leases"],
    "never gives|hangs three workers",
  ),
  tested("L7", "a handler that is late", ["core/work"], "given up at its deadline"),
  tested("L6", "whatever else a handler does", ["core/work"], "whatever a handler does"),
  tested(
    "K12",
    "an event that kills its process",
    ["core/process"],
    "kills its process three times",
  ),
  tested("D2", "copies in the spill and in the store", ["core/spill.test"], "copies in the spill"),
  tested(
    "C3",
    "signed times that are off are refused, and the diagnosis says by how much",
    ["testing/verification"],
    "of a skew",
  ),
  tested(
    "D5",
    "ids of any kind",
    ["testing/stores", "testing/providers.test", "postgres/store", "redis/store"],
    "ids and types of any text|two jobs whose numbers|the digits are|as text is the same",
  ),
  tested("R2", "replays of what runs, and of what is done", ["core/interventions"], "^replay "),
  tested("R4", "secrets that cannot be fetched", ["testing/verification"], "holds for a day"),
  tested("D3", "copies that come late", ["core/retention"], "deliveries go after 30 days"),
  tested(
    "N5",
    "senders that leave in the middle",
    ["express/http", "koa/http"],
    "leaves in the middle",
  ),
  tested("N6", "senders that drip", ["core/hostile"], "keep nobody out|slower than"),
  tested("B2", "handlers that all hang", ["core/work"], "handlers all hang"),
  tested("B7", "bodies that are large together", ["core/hostile"], "hold together is bounded"),
  tested(
    "SIM2",
    "each store against a model of one",
    ["testing/stores", "postgres/store", "redis/store"],
    "model",
  ),
  tested("CONF2", "published vectors of the providers", ["testing/vectors", "testing/oracles"], ""),
  fuzzed,
  tested(
    "X3",
    "hostile requests, on every adapter",
    ["express/http", "koa/http", "fastify/http", "nestjs/http", "nestjs-11/http", "testing/fetch"],
    "framing: |content: |medium: |credential: |query: |queries are kept",
  ),
  tested("X4", "a flood of refused deliveries", ["core/refusals"], "a flood of refused"),
  tested(
    "X5",
    "canaries in logs, signals, traces, metrics, errors and pages",
    ["tests/canaries", "core/logs", "opentelemetry/telemetry"],
    "canaries come out|no secret, payload|trace of its own",
  ),
  tested(
    "X6",
    "what was erased, in every file",
    ["core/spill-edges", "core/interventions"],
    "leaves nothing",
  ),
  tested("X7", "markup of senders, in a browser", ["dashboard/browser"], "markup of senders"),
  tested("X8", "forms of other pages, other names", ["dashboard/dashboard"], "what is refused"),
  tested(
    "X9",
    "every route and role of the dashboard",
    ["dashboard/dashboard"],
    "asks for its role",
  ),
  tested(
    "X10",
    "addresses in what a sender says",
    ["testing/exploits", "testing/handshakes"],
    "is none of this topic's region|without redirects|is not fetched from",
  ),
  tested("X11", "what steers terminals", ["cli/cli"], "steers no terminal"),
];

/** In the order in which they run. */
export const trials = { programs, tests };
