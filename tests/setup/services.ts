/** Servers that the whole test run shares: those that the environment names, else private ones, started here. */

import type { TestProject } from "vitest/node";
import { startPostgres } from "../services/postgres.ts";
import { startRedis } from "../services/redis.ts";
import type { Server } from "../services/server.ts";

declare module "vitest" {
  export interface ProvidedContext {
    readonly postgresUrl: string;
    readonly redisUrl: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const started: Server[] = [];
  const urlOf = async (name: string, start: () => Promise<Server>): Promise<string> => {
    const given = process.env[name];
    if (given !== undefined && given !== "") return given;
    const server = await start();
    started.push(server);
    return server.url;
  };
  project.provide("postgresUrl", await urlOf("DATABASE_URL", startPostgres));
  project.provide("redisUrl", await urlOf("REDIS_URL", startRedis));
  return async () => {
    await Promise.all(started.map((server) => server.remove()));
  };
}
