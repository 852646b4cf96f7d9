/** Processes of a run: programs of this directory, and their ends. */

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

export type Options = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * Starts a program. An option that is `true` is a flag; one that is `false` or undefined is left out. `descriptors` is how many
 * files and sockets it may have open.
 */
export function run(file: string, options: Options, descriptors?: number): ChildProcess {
  const args = Object.entries(options).flatMap(([name, value]) => {
    if (value === undefined || value === false) return [];
    return value === true ? [`--${name}`] : [`--${name}`, String(value)];
  });
  const program = [process.execPath, join(import.meta.dirname, file), ...args];
  const [command = "", ...given] =
    descriptors === undefined
      ? program
      : ["bash", "-c", `ulimit -n ${descriptors}; exec "$0" "$@"`, ...program];
  return spawn(command, given, { stdio: ["ignore", "pipe", "inherit"] });
}

/** Starts a program, and resolves once it has said that it is ready. */
export async function started(
  file: string,
  options: Options,
  descriptors?: number,
): Promise<ChildProcess> {
  const child = run(file, options, descriptors);
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
