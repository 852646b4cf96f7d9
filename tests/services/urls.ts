/** Servers for a run: those that the environment names, else private ones. */

import { startPostgres } from "./postgres.ts";
import { startRedis } from "./redis.ts";
import type { Server } from "./server.ts";

export interface Services {
  readonly postgresUrl: string;
  readonly redisUrl: string;
  /** Ends and removes what was started. */
  readonly remove: () => Promise<void>;
}

export async function startServices(): Promise<Services> {
  const started: Server[] = [];
  const urlOf = async (name: string, start: () => Promise<Server>): Promise<string> => {
    const given = process.env[name];
    if (given !== undefined && given !== "") return given;
    const server = await start();
    started.push(server);
    return server.url;
  };
  return {
    postgresUrl: await urlOf("DATABASE_URL", startPostgres),
    redisUrl: await urlOf("REDIS_URL", startRedis),
    remove: async () => void (await Promise.all(started.map((server) => server.remove()))),
  };
}
