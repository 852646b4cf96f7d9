/** Servers that the whole test run shares. */

import type { TestProject } from "vitest/node";
import { startServices } from "../services/urls.ts";
import { keepCompiled } from "../support/compile-cache.ts";

declare module "vitest" {
  export interface ProvidedContext {
    readonly postgresUrl: string;
    readonly redisUrl: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  process.env["NEXT_TELEMETRY_DISABLED"] = "1";
  await keepCompiled();
  const { postgresUrl, redisUrl, remove } = await startServices();
  project.provide("postgresUrl", postgresUrl);
  project.provide("redisUrl", redisUrl);
  return remove;
}
