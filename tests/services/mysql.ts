/** MySQL for tests: MariaDB's programs of this machine, else Debian's packages. */

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { directoryOf, newServer, runAsServer, searchPath, type Server } from "./server.ts";

/** Starts an empty server with a database `inbox` and a user `app`, who may do what he likes there, and nothing else. */
export async function startMysql(...more: readonly string[]): Promise<Server> {
  const program = programOf("mariadbd");
  const server = await newServer({
    name: "MariaDB",
    command: ({ port, directory }) => [
      program,
      "--no-defaults",
      // What is not absolute would begin where the program is installed.
      `--datadir=${join(directory, "data")}`,
      `--socket=${join(directory, "socket")}`,
      `--pid-file=${join(directory, "pid")}`,
      `--init-file=${join(directory, "init.sql")}`,
      ..."--bind-address=127.0.0.1 --skip-name-resolve --max-connections=200 --max-prepared-stmt-count=500000".split(
        " ",
      ),
      `--port=${port}`,
    ],
    readyWhen: /ready for connections/,
    url: (port) => `mysql://app@127.0.0.1:${port}/inbox`,
  });
  const given = [
    ..."--no-defaults --auth-root-authentication-method=normal --skip-test-db".split(" "),
    `--datadir=${join(server.directory, "data")}`,
  ];
  runAsServer(programOf("mariadb-install-db"), given, server.directory);
  const preparing = [
    "CREATE DATABASE IF NOT EXISTS inbox",
    "CREATE USER IF NOT EXISTS app@'127.0.0.1'",
    "GRANT ALL ON inbox.* TO app@'127.0.0.1'",
  ];
  writeFileSync(join(server.directory, "init.sql"), preparing.map((sql) => `${sql};\n`).join(""));
  await server.start(...more);
  return server;
}

function programOf(name: string): string {
  return installed(name) ?? fromDebian(name);
}

function installed(name: string): string | undefined {
  const places = [...searchPath(), "/usr/sbin", "/usr/bin", "/usr/local/bin"];
  const found = directoryOf(name, places);
  return found === undefined ? undefined : join(found, name);
}

function fromDebian(name: string): string {
  const said: string[] = [];
  for (const given of [["update"], ["install", "-y", "mariadb-server"]]) {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    said.push(spawnSync("apt-get", given, { encoding: "utf8", env }).stderr);
  }
  const found = installed(name);
  if (found !== undefined) return found;
  throw new Error(
    `No ${name}: set MYSQL_URL, or install MariaDB (Debian: mariadb-server); it cannot be installed here: ${said.join("\n")}`,
  );
}
