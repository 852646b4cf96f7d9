/** Redis for tests: from the programs of this machine, else from Debian's packages, unpacked and not installed. */

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { directoryOf, newServer, searchPath, type Server } from "./server.ts";

/** What a Redis has to be told to keep what it answers for. */
export const durable = ["--appendonly", "yes", "--appendfsync", "always"] as const;

/** Starts an empty server that keeps what it acknowledges, unless `settings` say otherwise. */
export function startRedis(...settings: readonly string[]): Promise<Server> {
  return startRedisOn(undefined, ...settings);
}

/** The same on a disk of its own. */
export async function startRedisOn(
  diskMiB: number | undefined,
  ...settings: readonly string[]
): Promise<Server> {
  const program = programOf();
  const server = await newServer({
    name: "Redis",
    diskMiB,
    // An empty `--save` writes no snapshots.
    command: ({ port }) => [
      ...program,
      "--port",
      String(port),
      "--bind",
      "127.0.0.1",
      "--save",
      "",
    ],
    readyWhen: /Ready to accept connections/,
    url: (port) => `redis://127.0.0.1:${port}`,
  });
  await server.start(...durable, ...settings);
  return server;
}

/** Program, and what has to stand before its arguments. */
function programOf(): readonly string[] {
  const found = directoryOf("redis-server", [...searchPath(), "/usr/bin", "/usr/local/bin"]);
  return found === undefined ? fromDebian() : [join(found, "redis-server")];
}

const packages = ["redis-tools", "libjemalloc2", "liblzf1", "libluajit-5.1-2"];

/** Debian's `redis-server` is the program of `redis-tools` by another name. */
function fromDebian(): readonly string[] {
  const place = join(tmpdir(), `webhook-inbox-redis-${process.getuid?.() ?? 0}`);
  const program = join(place, "usr", "bin", "redis-check-rdb");
  if (!existsSync(program)) {
    mkdirSync(place, { recursive: true, mode: 0o755 });
    const { status, stderr } = spawnSync("apt-get", ["download", ...packages], {
      cwd: place,
      encoding: "utf8",
    });
    if (status !== 0) {
      throw new Error(
        "No Redis: set REDIS_URL, or install its server (Debian: redis-server); Debian's packages cannot be fetched " +
          `here: ${stderr}`,
      );
    }
    for (const file of readdirSync(place).filter((name) => name.endsWith(".deb"))) {
      spawnSync("dpkg", ["-x", file, place], { cwd: place });
    }
  }
  const libraries = readdirSync(join(place, "usr", "lib")).find((name) => name.includes("linux"));
  const environment = `LD_LIBRARY_PATH=${join(place, "usr", "lib", libraries ?? "")}`;
  return ["env", environment, "bash", "-c", 'exec -a redis-server "$0" "$@"', program];
}
