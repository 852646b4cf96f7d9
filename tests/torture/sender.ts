/**
 * The sender, in its own process: plays Audata over several connections, sends nothing twice but on purpose, and writes
 * each answer to its ledger before it counts. Ends at SIGTERM, when everything under way has been answered.
 *
 * node sender.ts --port N --ledger FILE --seed N [--connections N] [--pauseMs N] [--insists]
 */

import { Agent, request } from "node:http";
import { parseArgs } from "node:util";
import { bodyOf } from "./body.ts";
import { openLedger } from "./ledger.ts";
import { seeded } from "../support/random.ts";

const { values } = parseArgs({
  options: {
    port: { type: "string" },
    ledger: { type: "string" },
    seed: { type: "string" },
    connections: { type: "string", default: "16" },
    pauseMs: { type: "string", default: "4" },
    /** Sends again what was not answered, as providers do that send again. */
    insists: { type: "boolean", default: false },
  },
});

const connections = Number(values.connections);
const pauseMs = Number(values.pauseMs);
const random = seeded(Number(values.seed));
const ledger = openLedger(values.ledger ?? "");
const agent = new Agent({ keepAlive: true, maxSockets: connections });
/** Share of deliveries that repeat an earlier one, byte for byte. */
const duplicates = 0.05;

const ending = new AbortController();
let sent = 0;
process.once("SIGTERM", () => ending.abort());

function nextId(): string {
  if (sent > 0 && random() < duplicates) return `call-${Math.floor(random() * sent)}`;
  sent += 1;
  return `call-${sent - 1}`;
}

/** The status of the answer; undefined when there was none. */
function post(body: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const headers = {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
    };
    const outgoing = request(
      {
        host: "127.0.0.1",
        port: values.port,
        path: "/webhooks/audata/t",
        method: "POST",
        headers,
        agent,
      },
      (response) => {
        response.resume();
        response.once("end", () => resolve(response.statusCode));
        response.once("error", () => resolve(undefined));
      },
    );
    outgoing.once("error", () => resolve(undefined));
    outgoing.end(body);
  });
}

async function connection(): Promise<void> {
  let unanswered: string | undefined;
  while (!ending.signal.aborted || unanswered !== undefined) {
    const id: string = unanswered ?? nextId();
    const sentAt = Date.now();
    const status = await post(bodyOf(id));
    await ledger.add({ id, sentAt, status, answeredAt: Date.now() });
    unanswered = values.insists && status === undefined ? id : undefined;
    // A provider does not wait for the dead, nor does it hammer them.
    await new Promise((resolve) => setTimeout(resolve, status === undefined ? 20 : pauseMs));
  }
}

await Promise.all(Array.from({ length: connections }, connection));
agent.destroy();
