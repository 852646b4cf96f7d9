/** Where a run can keep its events. */

import { startMysql } from "../services/mysql.ts";
import { startPostgres } from "../services/postgres.ts";
import { durable, startRedis } from "../services/redis.ts";
import type { Server } from "../services/server.ts";

export interface Place {
  /** Empty for a file of the run's own. */
  readonly url: string;
  /** Of a store that has one. */
  readonly server?: Server;
  readonly remove: () => unknown;
}

const at = (server: Server): Place => ({
  url: server.url,
  server,
  remove: () => server.remove(),
});

export const places = {
  sqlite: async () => ({ url: "", remove: () => undefined }),
  postgres: async () => at(await startPostgres()),
  mysql: async () => at(await startMysql()),
  // Who opens while a server writes its file anew for the first time is refused: docs/stores.md says so.
  redis: async () => at(await startRedis(...durable, "--auto-aof-rewrite-min-size", "4gb")),
} as const satisfies Readonly<Record<string, () => Promise<Place>>>;

export type PlaceName = keyof typeof places;
