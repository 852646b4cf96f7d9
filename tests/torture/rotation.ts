/**
 * A rotation under load: some senders still sign with the old secret when others sign with the new one, until the old one's
 * time is over.
 */

import { createHmac } from "node:crypto";
import { once } from "node:events";
import { Agent, createServer, request, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { createInbox, hmac } from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { nodeHandler } from "@webhook-inbox/core/node";
import { generic } from "@webhook-inbox/core/providers/generic";

export interface RotationOptions {
  /** How long both secrets hold, and how long it goes on with the new one alone. */
  readonly bothMs: number;
  readonly afterMs: number;
}

export interface RotationReport {
  readonly sent: number;
  /** Signed with a secret that held, and not answered 200. */
  readonly valid_refused: number;
  /** Signed with the old one after its time, and those of them that were not answered 401. */
  readonly late: number;
  readonly late_taken: number;
}

const header = "x-signature";
const senders = 8;
const pauseMs = 4;
/** What is under way at that moment may be judged on either side of it. */
const marginMs = 100;

export async function rotationRun({ bothMs, afterMs }: RotationOptions): Promise<RotationReport> {
  const endsAt = Date.now() + bothMs;
  const inbox = createInbox({
    store: memory({ acceptLoss: true }),
    sources: {
      signed: generic({
        id: "id",
        signature: hmac({ algorithm: "sha256", encoding: "hex", header }),
        secret: [{ value: "old", notAfter: new Date(endsAt) }, "new"],
      }),
    },
    work: false,
    logger: false,
  });
  const server = createServer(nodeHandler(inbox)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const agent = new Agent({ keepAlive: true });
  const sums = { sent: 0, valid_refused: 0, late: 0, late_taken: 0 };

  async function send(secret: string): Promise<void> {
    const body = `{"id":"${sums.sent++}"}`;
    const signature = createHmac("sha256", secret).update(body).digest("hex");
    const headers = { "content-type": "application/json", [header]: signature };
    const path = "/webhooks/signed";
    const sentAt = Date.now();
    const outgoing = request({ port, host: "127.0.0.1", path, method: "POST", headers, agent });
    const answered = once(outgoing, "response");
    outgoing.end(body);
    const [response] = (await answered) as [IncomingMessage];
    response.resume();
    await once(response, "end");
    const isTaken = response.statusCode === 200;
    if (secret === "new" || Date.now() < endsAt) sums.valid_refused += isTaken ? 0 : 1;
    else if (sentAt > endsAt + marginMs) {
      sums.late += 1;
      sums.late_taken += response.statusCode === 401 ? 0 : 1;
    }
  }

  try {
    await Promise.all(
      Array.from({ length: senders }, async (_, n) => {
        while (Date.now() < endsAt + afterMs) {
          await send(n % 2 === 0 ? "old" : "new");
          await pause(pauseMs);
        }
      }),
    );
    return sums;
  } finally {
    agent.destroy();
    server.close();
    await inbox.close();
  }
}
