/**
 * The heartbeat thread: knows what the main thread has in hand, and extends the leases of it while that one is silent.
 * Entry of a worker thread; nothing else imports it but its types.
 */

import { parentPort, workerData } from "node:worker_threads";
import type { ConnectHeartbeat, Hold } from "../contracts/store.ts";
import { summaryOf } from "../observe/redact.ts";
import type { ErrorSummary } from "../observe/signals.ts";
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

/** What the thread tells: whether it can extend leases. Said when that changes. */
export interface HeartbeatNews {
  readonly failed: ErrorSummary | undefined;
}

const parts: SharedArrayBuffer[] = [];
let aliveAt = Date.now();

const { module, options, leaseMs } = workerData as HeartbeatSetup;
const { connectHeartbeat } = (await import(module)) as {
  readonly connectHeartbeat: ConnectHeartbeat;
};
let connecting: ReturnType<ConnectHeartbeat> | undefined;
let isFailing = false;

function tell(failed: ErrorSummary | undefined): void {
  if (isFailing === (failed !== undefined)) return;
  isFailing = failed !== undefined;
  const news: HeartbeatNews = { failed };
  parentPort?.postMessage(news, []);
}

/** Opened with the first claim, so that it is there when it is needed. */
function connected(): ReturnType<ConnectHeartbeat> {
  return (connecting ??= connect());
}

/** In nobody's hand. */
const nothing: Hold = { key: "0".repeat(26), fence: "" };

/** One that cannot be reached, or may not extend, is to be known of before it is needed. */
async function connect(): ReturnType<ConnectHeartbeat> {
  const connection = await connectHeartbeat(options);
  try {
    await connection.extend([nothing], leaseMs);
    return connection;
  } catch (error) {
    await connection.close().catch(() => undefined);
    throw error;
  }
}

// Messages that came meanwhile have waited.
parentPort?.on("message", (message: HeartbeatMessage) => {
  const { part, isAlive = false, isOver = false } = message;
  if (isOver) return void end();
  if (isAlive) aliveAt = Date.now();
  if (part === undefined) return;
  parts.push(part);
  void beat();
});

/** A store that is away is asked again at the next beat: by then the main thread may be back as well. */
async function beat(): Promise<void> {
  if (parts.length === 0) return;
  try {
    const connection = await connected();
    const now = Date.now();
    const isNeeded = now - aliveAt >= leaseMs / 2;
    const holds = isNeeded ? parts.flatMap(holdsIn).filter(({ until }) => until > now) : [];
    if (holds.length > 0) await connection.extend(holds, leaseMs);
    tell(undefined);
  } catch (error) {
    tell(summaryOf(error));
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
