/** The MySQL server of those tests that need one. */

import type { TestProject } from "vitest/node";
import { startMysql } from "../services/mysql.ts";

declare module "vitest" {
  export interface ProvidedContext {
    readonly mysqlUrl: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env["MYSQL_URL"];
  if (given !== undefined && given !== "") {
    project.provide("mysqlUrl", given);
    return async () => undefined;
  }
  const server = await startMysql();
  project.provide("mysqlUrl", server.url);
  return () => server.remove();
}
