/** Shell texts of READMEs and pages, run as a reader would: to their end, or until they are stopped. */

import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Runs a shell text, line by line; answers what it printed. Throws with all that was said when it fails. */
export function run(directory: string, text: string): string {
  const path = `${process.env["PATH"]}:${curlStandIn(directory)}`;
  const env = { ...process.env, PATH: path };
  const { status, stdout, stderr } = spawnSync("sh", ["-euc", text], {
    cwd: directory,
    env,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`${text} ended with ${status}: ${stdout}${stderr}`);
  return stdout;
}

export interface Running {
  /** Resolves once the output matches; rejects when the process ends first. */
  says(pattern: RegExp): Promise<string>;
  /** Sends SIGTERM to it and to what it has started, and waits until all of them have ended. */
  stop(): Promise<void>;
}

/** Starts a shell text and waits until its output matches. */
export async function start(
  directory: string,
  text: string,
  ready: RegExp,
  environment: NodeJS.ProcessEnv,
): Promise<Running> {
  const child = spawn("sh", ["-euc", `exec env ${text.trim()}`], {
    cwd: directory,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
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
  // Not before its output is closed: what it has started has ended, too.
  const ended = once(child, "close");
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
      if (child.exitCode === null) process.kill(-(child.pid ?? 0), "SIGTERM");
      await ended;
    },
  };
}

/** A folder with a small `curl`, for machines that have none: it comes last on the path. */
function curlStandIn(directory: string): string {
  const folder = join(directory, "stand-in");
  const file = join(folder, "curl");
  mkdirSync(folder, { recursive: true });
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
