/** The heartbeat thread's own connection: leases go on while a handler blocks the event loop of the pool. */

import type { ConnectHeartbeat, ThreadAccess } from "@webhook-inbox/core";
import { Connection } from "./connection.ts";
import { configOf, type MysqlPool } from "./pool.ts";
import { extendAll } from "./settle.ts";
import { tablesOf } from "./tables.ts";

interface HeartbeatOptions {
  readonly config: object;
  readonly prefix: string;
  readonly timeoutMs: number;
}

/** This file, which is TypeScript in the workspace and JavaScript in the package. */
const heartbeatModule = new URL(import.meta.url);

/** What a connection is made with, of all that a driver keeps beside it. */
const settings =
  "host port socketPath localAddress user password database ssl connectTimeout compress enableCleartextPlugin".split(
    " ",
  );

/** Other ways to connect, of which a thread knows nothing. */
const others = "authPlugins authSwitchHandler stream passwordSha1 password2 password3".split(" ");

/**
 * Access for the thread, if what the pool was made with can be handed to it: a function among it cannot. Without it, leases
 * last as long as the longest handler may run.
 */
export function threadAccessOf(
  pool: MysqlPool,
  prefix: string,
  timeoutMs: number,
): ThreadAccess | undefined {
  const { connectionConfig: kept } = configOf(pool);
  if (kept === undefined || others.some((name) => Boolean(kept[name]))) return undefined;
  const config = Object.fromEntries(
    settings.filter((name) => kept[name] !== undefined).map((name) => [name, kept[name]]),
  );
  try {
    const given: HeartbeatOptions = { config, prefix, timeoutMs };
    return { module: heartbeatModule, options: structuredClone(given) };
  } catch {
    return undefined;
  }
}

export const connectHeartbeat: ConnectHeartbeat = async (options) => {
  const { config, prefix, timeoutMs } = options as HeartbeatOptions;
  const { createPool } = await import("mysql2/promise");
  const pool = createPool({ ...config, connectionLimit: 1 });
  const connection = new Connection(pool, timeoutMs);
  const tables = tablesOf(prefix);
  return {
    extend: (holds, leaseMs) =>
      connection.transaction((run) => extendAll(run, tables, holds, leaseMs)),
    close: () => pool.end(),
  };
};
