/** A fresh project in an empty folder, with the packed packages installed as a user would. */

import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../architecture/sources.ts";

/** Packs packages as they would be published; answers their tarballs by package name. */
export function packed(names: readonly string[], into: string): ReadonlyMap<string, string> {
  return new Map(
    names.map((name) => {
      const tarball = join(into, `${name}.tgz`);
      execFileSync("pnpm", ["pack", "--out", tarball], {
        cwd: join(root, "packages", name),
        stdio: "pipe",
      });
      return [`@webhook-inbox/${name}`, tarball];
    }),
  );
}

export interface Project {
  readonly directory: string;
  write(file: string, text: string): void;
  read(file: string): string;
  /** Runs a shell text, line by line, with the packages' names replaced by their tarballs. */
  shell(text: string): string;
  /** Starts a shell text and waits until its output matches. */
  start(text: string, ready: RegExp, environment?: NodeJS.ProcessEnv): Promise<Running>;
  remove(): void;
}

export interface Running {
  /** Resolves once the output matches; rejects when the process ends first. */
  says(pattern: RegExp): Promise<string>;
  stop(): Promise<void>;
}

export function project(tarballs: ReadonlyMap<string, string>): Project {
  const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-consumer-"));
  const env = { ...process.env, PATH: `${process.env["PATH"]}:${curlStandIn(directory)}` };
  return {
    directory,
    write: (file, text) => writeFileSync(join(directory, file), text),
    read: (file) => readFileSync(join(directory, file), "utf8"),
    shell(text) {
      const script = text.replaceAll(
        /@webhook-inbox\/[\w-]+(?=\s|$)/g,
        (name) => tarballs.get(name) ?? name,
      );
      return execFileSync("sh", ["-euc", script], {
        cwd: directory,
        env,
        encoding: "utf8",
        stdio: "pipe",
      });
    },
    start: (text, ready, environment = {}) => start(directory, text, ready, environment),
    remove: () => rmSync(directory, { recursive: true }),
  };
}

/** A folder with a small `curl`, for machines that have none: it comes last on the path. */
function curlStandIn(directory: string): string {
  const folder = join(directory, "stand-in");
  const file = join(folder, "curl");
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), '{ "type": "commonjs" }');
  writeFileSync(
    file,
    `#!/usr/bin/env node
const { parseArgs } = require("node:util");
const text = (short) => ({ type: "string", short });
const flag = (short) => ({ type: "boolean", short });
const options = { request: text("X"), header: { ...text("H"), multiple: true }, data: text("d"), silent: flag("s"), "show-error": flag("S"), globoff: flag("g") };
const { values, positionals } = parseArgs({ options, allowPositionals: true });
const headers = (values.header ?? []).map((line) => line.split(/:\\s*/, 2));
fetch(positionals[0], { method: values.request ?? "GET", headers, body: values.data })
  .then((answer) => answer.text())
  .then((body) => process.stdout.write(body));
`,
  );
  chmodSync(file, 0o755);
  return folder;
}

async function start(
  directory: string,
  text: string,
  ready: RegExp,
  environment: NodeJS.ProcessEnv,
): Promise<Running> {
  const child = spawn("sh", ["-euc", `exec env ${text.trim()}`], {
    cwd: directory,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const running = watched(child);
  await running.says(ready);
  return running;
}

function watched(child: ChildProcess): Running {
  let seen = "";
  let tell: () => void = () => undefined;
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk: Buffer) => {
      seen += chunk.toString();
      tell();
    });
  }
  const ended = once(child, "exit");
  return {
    async says(pattern) {
      while (!pattern.test(seen)) {
        const more = new Promise<"more">((resolve) => (tell = () => resolve("more")));
        if ((await Promise.race([more, ended])) !== "more") {
          throw new Error(`it ended before it said ${String(pattern)}:\n${seen}`);
        }
      }
      return seen;
    },
    async stop() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}
