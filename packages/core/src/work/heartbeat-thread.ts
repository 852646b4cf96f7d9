/**
 * The heartbeat thread: knows what the main thread has in hand, and extends the leases of it while that one is silent.
 * Entry of a worker thread; nothing else imports it but its types.
 */

import { parentPort, workerData } from "node:worker_threads";
import type { ConnectHeartbeat, Hold } from "../contracts/store.ts";

export interface HeartbeatSetup {
  readonly module: string;
  readonly options: unknown;
  readonly leaseMs: number;
}

/** A claim in hand. */
export interface ThreadHold extends Hold {
  /** When its lease is no longer to be extended, in milliseconds since 1970. */
  readonly until: number;
}

export interface HeartbeatMessage {
  readonly holds?: readonly ThreadHold[];
  readonly drops?: readonly string[];
  /** The main thread has extended everything itself. */
  readonly isAlive?: boolean;
}

const held = new Map<string, ThreadHold>();
let aliveAt = Date.now();

parentPort?.on("message", ({ holds = [], drops = [], isAlive = false }: HeartbeatMessage) => {
  for (const hold of holds) held.set(hold.key, hold);
  for (const key of drops) held.delete(key);
  if (isAlive) aliveAt = Date.now();
});

const { module, options, leaseMs } = workerData as HeartbeatSetup;
const { connectHeartbeat } = (await import(module)) as {
  readonly connectHeartbeat: ConnectHeartbeat;
};
let connection: Awaited<ReturnType<ConnectHeartbeat>> | undefined;

/** A store that is away is asked again at the next beat: by then the main thread may be back as well. */
async function beat(): Promise<void> {
  const now = Date.now();
  const holds = [...held.values()].filter(({ until }) => until > now);
  if (now - aliveAt < leaseMs / 2 || holds.length === 0) return;
  try {
    connection ??= await connectHeartbeat(options);
    await connection.extend(holds, leaseMs);
  } catch {
    await connection?.close().catch(() => undefined);
    connection = undefined;
  }
}

function beatAgain(): void {
  setTimeout(() => void beat().finally(beatAgain), leaseMs / 6);
}

beatAgain();
