/** The heartbeat thread's own connection: leases go on while a handler blocks the event loop of the pool. */

import type { ConnectHeartbeat, ThreadAccess } from "@webhook-inbox/core";
import { Connection } from "./connection.ts";
import type { PostgresPool } from "./pool.ts";
import { extendAll } from "./settle.ts";
import { tablesOf } from "./tables.ts";

interface HeartbeatOptions {
  readonly config: object;
  readonly schema: string;
  readonly timeoutMs: number;
}

/** This file, which is TypeScript in the workspace and JavaScript in the package. */
const heartbeatModule = new URL(import.meta.url);

/**
 * Access for the thread, if what the pool was made with can be handed to it: a password that is a function cannot. Without
 * it, leases last as long as the longest handler may run.
 */
export function threadAccessOf(
  pool: PostgresPool,
  schema: string,
  timeoutMs: number,
): ThreadAccess | undefined {
  const { options } = pool;
  if (options === undefined) return undefined;
  // `pg` hides the password, and the key of a certificate, from whoever prints the options.
  const { password, ssl } = options as {
    readonly password?: unknown;
    readonly ssl?: boolean | { readonly key?: unknown } | null;
  };
  const config = {
    ...options,
    ...(password === undefined ? {} : { password }),
    ...(typeof ssl === "object" && ssl?.key !== undefined ? { ssl: { ...ssl, key: ssl.key } } : {}),
    max: 1,
  };
  try {
    const given: HeartbeatOptions = { config, schema, timeoutMs };
    return { module: heartbeatModule, options: structuredClone(given) };
  } catch {
    return undefined;
  }
}

export const connectHeartbeat: ConnectHeartbeat = async (options) => {
  const { config, schema, timeoutMs } = options as HeartbeatOptions;
  const { Pool } = await import("pg");
  const pool = new Pool(config);
  const { run } = new Connection(pool, timeoutMs);
  const tables = tablesOf(schema);
  return {
    extend: (holds, leaseMs) => extendAll(run, tables, holds, leaseMs),
    close: () => pool.end(),
  };
};
