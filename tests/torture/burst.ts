/** A burst: connections that all come at once, each with one delivery. */

import { mkdtempSync, rmSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bodyOf } from "./body.ts";
import { started, stopped, within } from "./children.ts";
import type { Place } from "./places.ts";
import { quantile } from "./rate.ts";
import { eventsAt } from "./stores.ts";
import { freePort } from "../services/server.ts";

export interface BurstReport {
  readonly connections: number;
  /** Whether the next delivery was answered 200. */
  readonly recovered: boolean;
  readonly answered_200: number;
  /** With `Retry-After`. */
  readonly answered_503: number;
  readonly answered_else: number;
  /** Reset, or left without an answer. */
  readonly unanswered: number;
  /** Answered 200, and not in the store. */
  readonly lost: number;
  readonly p99_ms: number;
  readonly max_ms: number;
}

interface Answered {
  readonly id: string;
  readonly status: number | undefined;
  readonly isPatient: boolean;
  readonly ms: number;
}

export async function burstRun(
  place: Place,
  connections: number,
  descriptors?: number,
): Promise<BurstReport> {
  const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-burst-"));
  const store = place.url === "" ? join(directory, "inbox.sqlite") : place.url;
  const port = await freePort();
  const effects = join(directory, "effects.jsonl");
  const given = { port, store, effects, role: "receive" };
  const inside = descriptors === undefined ? [] : within.descriptors(descriptors);
  const receiver = await started("receiver.ts", given, inside);
  const agent = new Agent({ keepAlive: false });
  try {
    const answers = await Promise.all(
      Array.from({ length: connections }, (_, n) => deliver(port, agent, `burst-${n}`)),
    );
    const after = await deliver(port, agent, "after the burst");
    const stored = new Set((await eventsAt(store)).map(({ id }) => id));
    const taken = answers.filter(({ status }) => status === 200);
    const later = answers.filter(({ status, isPatient }) => status === 503 && isPatient);
    const unanswered = answers.filter(({ status }) => status === undefined);
    const times = answers.map(({ ms }) => ms);
    return {
      connections,
      recovered: after.status === 200,
      answered_200: taken.length,
      answered_503: later.length,
      answered_else: connections - taken.length - later.length - unanswered.length,
      unanswered: unanswered.length,
      lost: taken.filter(({ id }) => !stored.has(id)).length,
      p99_ms: quantile(times, 0.99),
      max_ms: quantile(times, 1),
    };
  } finally {
    await stopped(receiver, "SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  }
}

function deliver(port: number, agent: Agent, id: string): Promise<Answered> {
  return new Promise((resolve) => {
    const began = performance.now();
    const end = (status: number | undefined, isPatient = false): void =>
      resolve({ id, status, isPatient, ms: performance.now() - began });
    const headers = { "content-type": "application/json" };
    const path = "/webhooks/audata/t";
    const options = { host: "127.0.0.1", port, path, method: "POST", headers, agent };
    const outgoing = request(options, (response) => {
      response.resume();
      response.once("end", () => end(response.statusCode, "retry-after" in response.headers));
      response.once("error", () => end(undefined));
    });
    outgoing.once("error", () => end(undefined));
    outgoing.end(bodyOf(id));
  });
}
