/** The ways in which stores are taken away: each makes a store of its own, and a way to mend it. */

import { mkdtempSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { Client } from "pg";
import { BrittleDisk, SmallDisk } from "../services/disk.ts";
import { startMysql } from "../services/mysql.ts";
import { startPostgres, startPostgresOn } from "../services/postgres.ts";
import { Proxy, throughProxy } from "../services/proxy.ts";
import { startRedis, startRedisOn } from "../services/redis.ts";
import type { Server } from "../services/server.ts";
import type { Outage } from "./outage.ts";

export type Make = () => Promise<Outage>;

/** Over a server that is there. */
const on =
  (start: () => Promise<Server>, use: (server: Server) => Pick<Outage, "begin" | "end">): Make =>
  async () => {
    const server = await start();
    const { url } = server;
    return { storeUrl: url, directUrl: url, ...use(server), remove: () => server.remove() };
  };

const killed = (server: Server) => ({ begin: () => server.kill(), end: () => server.start() });
const frozen = (server: Server) => ({ begin: () => server.freeze(), end: () => server.thaw() });

/** A full disk: the server may end by itself, and is then started again when there is space. */
const full = (server: Server) => ({
  begin: () => server.disk?.fill(),
  end: async () => {
    server.disk?.empty();
    if (server.hasEnded) await server.start();
  },
});

const blackHoled =
  (start: () => Promise<Server>): Make =>
  async () => {
    const server = await start();
    const proxy = new Proxy(server);
    return {
      storeUrl: await throughProxy(server.url, server, proxy),
      directUrl: server.url,
      begin: () => proxy.swallow(),
      end: () => proxy.mend(),
      remove: async () => {
        await proxy.close();
        await server.remove();
      },
    };
  };

async function setReadOnly({ url }: Server, value: "on" | "off"): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query("SET default_transaction_read_only = off");
  await client.query(`ALTER SYSTEM SET default_transaction_read_only = ${value}`);
  await client.query("SELECT pg_reload_conf()");
  await client.end();
}

/** Ends everybody's connections, and takes all that the server has. */
async function takeConnections({ url }: Server, taken: Client[]): Promise<void> {
  for (;;) {
    const client = new Client({ connectionString: url });
    client.on("error", () => undefined);
    try {
      await client.connect();
    } catch {
      return;
    }
    if (taken.length === 0) {
      await client.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'",
      );
    }
    taken.push(client);
  }
}

async function tell({ url }: Server, command: string, ...given: readonly string[]): Promise<void> {
  const client = new Redis(url);
  await client.call(command, ...given);
  client.disconnect();
}

function file(use: (path: string) => Omit<Outage, "storeUrl" | "directUrl">): Outage {
  const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-store-"));
  const path = join(directory, "disk", "inbox.sqlite");
  const outage = use(path);
  return {
    ...outage,
    storeUrl: path,
    directUrl: path,
    remove: async () => {
      await outage.remove();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

const diskOf = (path: string): string => join(path, "..");

/** What cannot happen to a file in this process's hands has no entry: there is no server to kill, and no network. */
export const outages = {
  "PostgreSQL killed": on(startPostgres, killed),
  "PostgreSQL frozen": on(startPostgres, frozen),
  "PostgreSQL black-holed": blackHoled(startPostgres),
  "PostgreSQL read-only": on(startPostgres, (server) => ({
    begin: () => setReadOnly(server, "on"),
    end: () => setReadOnly(server, "off"),
  })),
  "PostgreSQL out of connections": on(
    () => startPostgres("-c", "max_connections=12"),
    (server) => {
      const others: Client[] = [];
      return {
        begin: () => takeConnections(server, others),
        end: () => Promise.all(others.splice(0).map((client) => client.end())),
      };
    },
  ),
  "PostgreSQL out of disk": on(
    () => startPostgresOn(192, "-c", "min_wal_size=32MB", "-c", "max_wal_size=48MB"),
    full,
  ),
  "MySQL killed": on(startMysql, killed),
  "MySQL frozen": on(startMysql, frozen),
  "MySQL black-holed": blackHoled(startMysql),
  "Redis killed": on(startRedis, killed),
  "Redis frozen": on(startRedis, frozen),
  "Redis black-holed": blackHoled(startRedis),
  "Redis read-only": on(startRedis, (server) => ({
    // A replica of nobody: it keeps what it has, and takes no writes.
    begin: () => tell(server, "REPLICAOF", "127.0.0.1", "1"),
    end: () => tell(server, "REPLICAOF", "NO", "ONE"),
  })),
  "Redis out of disk": on(() => startRedisOn(24), full),
  "SQLite frozen": async () =>
    file((path) => {
      const disk = new SmallDisk(diskOf(path), 64);
      let holder: DatabaseSync | undefined;
      return {
        begin() {
          // Somebody else's transaction that does not end.
          holder = new DatabaseSync(path);
          holder.exec("PRAGMA busy_timeout = 2000; BEGIN IMMEDIATE");
        },
        end: () => holder?.close(),
        remove: () => disk.remove(),
      };
    }),
  "SQLite read-only": async () =>
    file((path) => {
      const disk = new BrittleDisk(diskOf(path), 64);
      return {
        begin: () => disk.breakDown(),
        end: () => disk.mend(),
        endsReceiver: true,
        remove: () => disk.remove(),
      };
    }),
  "SQLite out of disk": async () =>
    file((path) => {
      const disk = new SmallDisk(diskOf(path), 64);
      return { begin: () => disk.fill(), end: () => disk.empty(), remove: () => disk.remove() };
    }),
} as const satisfies Readonly<Record<string, Make>>;
