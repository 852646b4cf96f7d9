/** Stores by their URLs. Packages of stores and their drivers are those of the user's project. */

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Store } from "@webhook-inbox/core";
import { sqlite } from "@webhook-inbox/core/sqlite";
import type * as mysqlModule from "@webhook-inbox/mysql";
import type * as postgresModule from "@webhook-inbox/postgres";
import type * as redisModule from "@webhook-inbox/redis";
import type * as ioredisModule from "ioredis";
import type * as mysql2Module from "mysql2/promise";
import type { RowDataPacket } from "mysql2/promise";
import type pgModule from "pg";
import { Exit } from "./exit.ts";

export interface OpenStore {
  readonly store: Store;
  /** The clock of its server, in milliseconds since 1970. */
  readonly now?: () => Promise<number>;
  /** Ends the connections, once the store is closed. */
  readonly end: () => Promise<unknown>;
}

export interface OpenOptions {
  /** Whether a Redis that may lose what it acknowledged is refused, as a service refuses it. Default: false. */
  readonly isStrict?: boolean;
}

/** Opens nothing yet. Throws for a URL that names no store, a file that is not there, and a package that is missing. */
export async function openStore(url: string, options: OpenOptions = {}): Promise<OpenStore> {
  const scheme = schemeOf(url);
  switch (scheme) {
    case "sqlite":
      return sqliteOf(url);
    case "postgres":
    case "postgresql":
    case "mysql":
    case "mariadb":
      return await openTables(url, "check");
    case "redis":
    case "rediss":
      return await redisOf(url, options);
  }
  throw new Exit(
    "usage",
    `a store is named by a URL: sqlite:<file>, postgres://…, mysql://… or redis://…${scheme === "" ? "" : `, and not by "${scheme}:"`}.`,
  );
}

const schemeOf = (url: string): string => /^[a-z0-9+.-]+(?=:)/i.exec(url)?.[0].toLowerCase() ?? "";

function sqliteOf(url: string): OpenStore {
  const filename = /^sqlite:(?:\/\/)?([^?#]+)$/i.exec(url)?.[1];
  if (filename === undefined) throw new Exit("usage", "sqlite: is followed by the path of a file.");
  // A command that looks must not make an empty file where a name is misspelt.
  if (!existsSync(filename)) throw new Exit("notFound", `there is no file "${filename}".`);
  return { store: sqlite(filename), end: async () => undefined };
}

/** A store with tables that somebody may want to bring to a version by hand. */
interface TabledStore extends OpenStore {
  /** What makes its tables from nothing. */
  readonly schemaSql: string;
}

/** Opens nothing yet. Who only looks must not bring the tables of a running service to another version: `check`. */
export async function openTables(url: string, migrate: "auto" | "check"): Promise<TabledStore> {
  switch (schemeOf(url)) {
    case "postgres":
    case "postgresql":
      return await postgresOf(url, migrate);
    case "mysql":
    case "mariadb":
      return await mysqlOf(url, migrate);
    default:
      throw new Exit(
        "usage",
        "only PostgreSQL and MySQL have tables that somebody may want to bring up by hand.",
      );
  }
}

async function postgresOf(url: string, migrate: "auto" | "check"): Promise<TabledStore> {
  const { postgres, schemaSql } = await installed<typeof postgresModule>(
    "@webhook-inbox/postgres",
    "pg",
  );
  const { default: pg } = await installed<{ readonly default: typeof pgModule }>(
    "pg",
    "@webhook-inbox/postgres",
  );
  const [connectionString, schema] = without(url, "schema");
  const pool = new pg.Pool({ connectionString, max: 4 });
  // Without it, the end of an idle connection would end the process.
  pool.on("error", () => undefined);
  const options = schema === null ? {} : { schema };
  return {
    store: postgres(pool, { ...options, migrate }),
    schemaSql: schemaSql(options),
    now: async () => {
      const asked = "SELECT extract(epoch FROM clock_timestamp()) * 1000 AS now";
      const { rows } = await pool.query<{ readonly now: string }>(asked);
      return Number(rows[0]?.now);
    },
    end: () => pool.end(),
  };
}

async function mysqlOf(url: string, migrate: "auto" | "check"): Promise<TabledStore> {
  const { mysql, schemaSql } = await installed<typeof mysqlModule>(
    "@webhook-inbox/mysql",
    "mysql2",
  );
  const { createPool } = await installed<typeof mysql2Module>(
    "mysql2/promise",
    "@webhook-inbox/mysql",
  );
  const [uri, prefix] = without(url.replace(/^mariadb:/i, "mysql:"), "prefix");
  const pool = createPool({ uri, connectionLimit: 4 });
  const options = prefix === null ? {} : { prefix };
  return {
    store: mysql(pool, { ...options, migrate }),
    schemaSql: schemaSql(options),
    now: async () => {
      const asked = "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) AS now";
      const [rows] = await pool.query<(RowDataPacket & { readonly now: string })[]>(asked);
      return Number(rows[0]?.now) / 1000;
    },
    end: () => pool.end(),
  };
}

async function redisOf(url: string, { isStrict = false }: OpenOptions): Promise<OpenStore> {
  const { redis } = await installed<typeof redisModule>("@webhook-inbox/redis", "ioredis");
  const { Redis } = await installed<typeof ioredisModule>("ioredis", "@webhook-inbox/redis");
  const [address, prefix] = without(url, "prefix");
  const client = new Redis(address);
  client.on("error", () => undefined);
  // Whether the server's settings are durable is for who receives to say.
  const store = redis(client, { acceptLoss: !isStrict, ...(prefix === null ? {} : { prefix }) });
  const now = async (): Promise<number> => {
    const [seconds, micros] = await client.time();
    return Number(seconds) * 1000 + Number(micros) / 1000;
  };
  return { store, now, end: async () => client.disconnect() };
}

/** A URL without one of its parameters, and that one. */
function without(url: string, name: string): readonly [url: string, value: string | null] {
  if (!URL.canParse(url)) throw new Exit("usage", "the URL of the store cannot be read.");
  const parsed = new URL(url);
  const value = parsed.searchParams.get(name);
  if (value === null) return [url, null];
  parsed.searchParams.delete(name);
  return [parsed.href, value];
}

/** The package that the project in this directory has, else the one beside this command. */
async function installed<Module>(name: string, beside: string): Promise<Module> {
  for (const from of [join(process.cwd(), "package.json"), import.meta.url]) {
    let path: string;
    try {
      path = createRequire(from).resolve(name);
    } catch {
      continue;
    }
    return (await import(pathToFileURL(path).href)) as Module;
  }
  throw new Exit(
    "usage",
    `this store needs ${name}: npm install ${[name, beside].map((one) => one.replace("/promise", "")).join(" ")}`,
  );
}
