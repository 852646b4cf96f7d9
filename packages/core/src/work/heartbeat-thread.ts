/**
 * The heartbeat thread: knows what the main thread has in hand, and extends the leases of it while that one is silent.
 * Entry of a worker thread; nothing else imports it but its types.
 */

import { parentPort, workerData } from "node:worker_threads";
import type { ConnectHeartbeat } from "../contracts/store.ts";
import { holdsIn } from "./hold-table.ts";

export interface HeartbeatSetup {
  readonly module: string;
  readonly options: unknown;
  readonly leaseMs: number;
}

export interface HeartbeatMessage {
  /** A further part of the table of what is in hand. */
  readonly part?: SharedArrayBuffer;
  /** The main thread has extended everything itself. */
  readonly isAlive?: boolean;
  /** Nothing more is to be done. */
  readonly isOver?: boolean;
}

const parts: SharedArrayBuffer[] = [];
let aliveAt = Date.now();

const { module, options, leaseMs } = workerData as HeartbeatSetup;
const { connectHeartbeat } = (await import(module)) as {
  readonly connectHeartbeat: ConnectHeartbeat;
};
let connecting: ReturnType<ConnectHeartbeat> | undefined;

/** Opened with the first claim, so that it is there when it is needed. */
function connected(): ReturnType<ConnectHeartbeat> {
  return (connecting ??= connectHeartbeat(options));
}

// Messages that came meanwhile have waited.
parentPort?.on("message", (message: HeartbeatMessage) => {
  const { part, isAlive = false, isOver = false } = message;
  if (isOver) return void end();
  if (isAlive) aliveAt = Date.now();
  if (part === undefined) return;
  parts.push(part);
  void connected().catch(() => undefined);
});

/** A store that is away is asked again at the next beat: by then the main thread may be back as well. */
async function beat(): Promise<void> {
  const now = Date.now();
  if (now - aliveAt < leaseMs / 2) return;
  const holds = parts.flatMap(holdsIn).filter(({ until }) => until > now);
  if (holds.length === 0) return;
  try {
    await (await connected()).extend(holds, leaseMs);
  } catch {
    const lost = connecting;
    connecting = undefined;
    await lost?.then((connection) => connection.close()).catch(() => undefined);
  }
}

let hasEnded = false;
let timer: NodeJS.Timeout | undefined;

function beatAgain(): void {
  if (!hasEnded) timer = setTimeout(() => void beat().finally(beatAgain), leaseMs / 6);
}

beatAgain();

/** Lets go of everything, so that the thread ends. */
async function end(): Promise<void> {
  hasEnded = true;
  clearTimeout(timer);
  await connecting?.then((connection) => connection.close()).catch(() => undefined);
  parentPort?.close();
}
