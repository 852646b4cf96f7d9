/** Processes of a run: programs of this directory, and their ends. */

import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { CannotRun } from "../support/cannot-run.ts";

export type Options = Readonly<Record<string, string | number | boolean | undefined>>;

const machine = process.arch === "arm64" ? "aarch64" : "x86_64";
const faketime = `/usr/lib/${machine}-linux-gnu/faketime/libfaketimeMT.so.1`;

/** Programs that run another one, differently; each with its arguments. */
export const within = {
  /** With so many files and sockets that may be open. */
  descriptors: (count: number) => ["bash", "-c", `ulimit -n ${count}; exec "$0" "$@"`],
  /** With so little room for objects that what is kept shows at once: with more, Node collects later and keeps what it had. */
  heap: (mib: number) => [
    "env",
    `NODE_OPTIONS=--max-old-space-size=${mib} --max-semi-space-size=${mib / 8}`,
  ],
  /** By a clock that is off, such as `+2h`; what only measures time does not notice. */
  clock: (off: string) => {
    // Not by the command of that name, which lives on as another process when it is killed.
    needs("faketime", () => existsSync(faketime));
    const clock = [`LD_PRELOAD=${faketime}`, `FAKETIME=${off}`, "FAKETIME_DONT_FAKE_MONOTONIC=1"];
    return ["env", ...clock];
  },
  /** Every nth sync of some files fails; each call of it is a line in `log`, which says whether it did. */
  failingSyncs: (every: number, paths: readonly string[], log: string) => {
    needs("strace", () => spawnSync("strace", ["--version"]).error === undefined);
    const files = paths.flatMap((path) => ["-P", path]);
    const fault = `inject=fsync,fdatasync:error=EIO:when=${every}+${every}`;
    return ["strace", "-D", "-f", "-qq", "-o", log, ...files, "-e", fault];
  },
};

/** Takes a package from Debian where it is missing. */
function needs(name: string, isThere: () => boolean): void {
  if (isThere()) return;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  for (const given of [["update"], ["install", "-y", name]]) spawnSync("apt-get", given, { env });
  if (!isThere()) throw new CannotRun(`it needs ${name}, which cannot be installed here`);
}

/** Starts a program. An option that is `true` is a flag; one that is `false` or undefined is left out. */
export function run(file: string, options: Options, inside: readonly string[] = []): ChildProcess {
  const args = Object.entries(options).flatMap(([name, value]) => {
    if (value === undefined || value === false) return [];
    return value === true ? [`--${name}`] : [`--${name}`, String(value)];
  });
  const program = [process.execPath, join(import.meta.dirname, file), ...args];
  const [command = "", ...given] = [...inside, ...program];
  const child = spawn(command, given, { stdio: ["ignore", "pipe", "inherit"] });
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

/** None of them outlives the run, however it ends. */
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Starts a program, and resolves once it has said that it is ready. `onText` gets what it says, that among it. */
export async function started(
  file: string,
  options: Options,
  inside?: readonly string[],
  onText: (text: string) => unknown = () => undefined,
): Promise<ChildProcess> {
  const child = run(file, options, inside);
  child.stdout?.on("data", (text: Buffer) => onText(text.toString()));
  const said = once(child.stdout as NodeJS.ReadableStream, "data");
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`${file} ended by itself with code ${String(code)}`);
  });
  await Promise.race([said, ended]);
  ended.catch(() => undefined);
  return child;
}

/** Resolves once it has ended. */
export async function stopped(child: ChildProcess, signal?: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  if (signal !== undefined) child.kill(signal);
  await ended;
}
