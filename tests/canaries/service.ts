/**
 * A service in which everything says something that must not be said again: credentials, contents, errors of handlers, of the
 * database and of its network. It serves, and tells on stdout all that it logs, signals, traces, measures, and shows to whoever
 * may look but not read payloads.
 *
 * node service.ts --store URL --spill FILE
 */

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";
import { createInbox, type Logger } from "@webhook-inbox/core";
import { nodeHandler } from "@webhook-inbox/core/node";
import { audata } from "@webhook-inbox/core/providers/audata";
import { captainData } from "@webhook-inbox/core/providers/captain-data";
import { generic } from "@webhook-inbox/core/providers/generic";
import { github } from "@webhook-inbox/core/providers/github";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { dashboard } from "../../packages/dashboard/src/index.ts";
import { openTelemetry, observeInbox } from "../../packages/opentelemetry/src/index.ts";
import { collected } from "../../packages/opentelemetry/test/collected.ts";
import { secrets } from "./secrets.ts";
import { awayFrom, keptAt } from "./stores.ts";

const { values } = parseArgs({
  options: { store: { type: "string", default: "" }, spill: { type: "string", default: "" } },
});
const say = (what: string, told: unknown): void =>
  console.log(`${what} ${typeof told === "string" ? told : JSON.stringify(told)}`);
const log =
  (level: string) =>
  (fields: object, message: string): void =>
    say(`log ${level}`, [fields, message]);
const logger: Logger = {
  debug: log("debug"),
  info: log("info"),
  warn: log("warn"),
  error: log("error"),
};

const kept = keptAt(values.store);
const inbox = createInbox({
  store: kept.store,
  spill: sqlite(values.spill),
  sources: {
    socialdata: socialData({ token: secrets.path }),
    audata: audata({ token: secrets.query }),
    "captain-data": captainData({ bearer: secrets.bearer }),
    code: github({ secret: secrets.signing }),
    basic: generic({ basic: { user: "user", password: secrets.password }, id: "id" }),
    keyed: generic({ headers: { "x-api-key": secrets.header }, id: "id" }),
  },
  retry: { delaysMs: [10] },
  telemetry: openTelemetry(),
  logger,
  onSignal: (signal) => say("signal", signal),
});
observeInbox(inbox);

const errors: readonly (() => unknown)[] = [
  () => Object.assign(new Error("canary-error"), { code: "canary code", detail: "canary-detail" }),
  () => new TypeError("canary-type", { cause: new Error("canary-cause") }),
  () => new AggregateError([new Error("canary-inner")], "canary-aggregate"),
  () => "canary-text",
  () => ({ message: "canary-object", toString: () => "canary-string" }),
  () => Object.assign(new Error("x"), { name: "canary name", stack: "canary-stack" }),
];
let failures = 0;
for (const source of ["socialdata", "audata", "captain-data", "code", "basic", "keyed"] as const) {
  inbox.on(source, "*", () => {
    throw errors[failures++ % errors.length]?.();
  });
}
await inbox.start();
await kept.trouble();
const server = createServer(nodeHandler(inbox)).listen(0, "127.0.0.1");
await once(server, "listening");
console.log(`port ${(server.address() as AddressInfo).port}`);

process.once("SIGTERM", () => void end());

async function end(): Promise<void> {
  await inbox.idle();
  const board = dashboard(inbox, { access: () => ({ by: "viewer" }) });
  const { events } = await inbox.list();
  const keys = events.map(({ key }) => `/events/${key}`);
  for (const path of ["/", "/events", "/refused", ...keys]) {
    const answer = await board(new Request(`http://127.0.0.1${path}`), { path: "" });
    say(`page ${path} ${answer.status}`, await answer.text());
  }
  say(
    "spans",
    collected.spans().map(({ name, attributes, events: told, status, links }) => ({
      name,
      attributes,
      told,
      status,
      links: links.length,
    })),
  );
  say("metrics", await collected.metrics());
  await inbox.close();
  await kept.remove();
  // The network's own words: a password is in the URL.
  const away = awayFrom(values.store, secrets.database);
  const lost = createInbox({
    store: away.store,
    sources: { s: socialData({ token: secrets.path }) },
    logger,
  });
  await lost.start().catch((error: unknown) => say("error", String(error)));
  say("health", await lost.health());
  await lost.close();
  await away.end();
  console.log("over");
  process.exit(0);
}
