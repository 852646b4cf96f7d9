/** Deliveries at a fixed rate, and what their answers take. */

import { Agent, request } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { bodyOf } from "./body.ts";

export interface Rate {
  readonly roundMs: number;
  readonly perSecond: number;
}

/** Asks at a fixed rate whatever the answers take, so that a slow one is seen by those behind it. */
export async function askAtRate(port: number, round: number, { roundMs, perSecond }: Rate) {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const began = performance.now();
  const asked: Promise<{ readonly status: number; readonly ms: number }>[] = [];
  const count = (roundMs / 1000) * perSecond;
  while (asked.length < count) {
    const dueAt = began + (asked.length * 1000) / perSecond;
    if (performance.now() < dueAt) await pause(Math.max(0, dueAt - performance.now()));
    const id = `live-${port}-${round}-${asked.length}`;
    const sentAt = performance.now();
    asked.push(
      ask(port, agent, "/webhooks/live/t", bodyOf(id)).then(({ status }) => ({
        status,
        ms: performance.now() - sentAt,
      })),
    );
  }
  const answers = await Promise.all(asked);
  agent.destroy();
  return {
    times: answers.map(({ ms }) => ms),
    refused: answers.filter(({ status }) => status !== 200).length,
  };
}

export function ask(
  port: number,
  agent: Agent,
  path: string,
  body?: string,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const method = body === undefined ? "GET" : "POST";
    const headers = { "content-type": "application/json" };
    const outgoing = request(
      { host: "127.0.0.1", port, path, method, headers, agent },
      (response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => (text += chunk.toString()));
        response.once("end", () => resolve({ status: response.statusCode ?? 0, text }));
      },
    );
    outgoing.once("error", reject);
    outgoing.end(body);
  });
}

export function quantile(times: readonly number[], share: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return rounded(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
}

export const rounded = (value: number): number => Math.round(value * 100) / 100;
