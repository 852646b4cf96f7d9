/** A private server on a free port of this machine, with a directory of its own, that tests may kill, freeze and start again. */

import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
} from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { SmallDisk } from "./disk.ts";

/** How a kind of server is made. */
export interface Recipe {
  readonly name: string;
  /** Program and arguments, run in the server's directory. */
  readonly command: (server: {
    readonly port: number;
    readonly directory: string;
  }) => readonly string[];
  /** What it prints once it takes connections. */
  readonly readyWhen: RegExp;
  readonly url: (port: number) => string;
  /** Gives it a disk of this size. */
  readonly diskMiB?: number | undefined;
}

/** Servers that refuse to run as root run as nobody, who may read nothing of ours. */
const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
const startMs = 30_000;

export class Server {
  readonly directory: string;
  readonly port: number;
  readonly #recipe: Recipe;
  /** Where it keeps its data, if it was given a disk of its own. */
  readonly disk: SmallDisk | undefined;
  #child: ChildProcess | undefined;
  /** What it was started with last. */
  #settings: readonly string[] = [];
  /** The last lines it has printed. */
  #said = "";

  constructor(recipe: Recipe, directory: string, port: number) {
    this.#recipe = recipe;
    const { diskMiB } = recipe;
    this.disk = diskMiB === undefined ? undefined : new SmallDisk(directory, diskMiB);
    this.directory = directory;
    this.port = port;
  }

  get url(): string {
    return this.#recipe.url(this.port);
  }

  /**
   * Resolves once it takes connections; without settings it has those of the last time. Rejects with its last words if it
   * ends before, or takes too long.
   */
  async start(...settings: readonly string[]): Promise<void> {
    if (settings.length > 0) this.#settings = settings;
    const { command, readyWhen, name } = this.#recipe;
    const [program = "", ...given] = command(this);
    const child = spawn(program, [...given, ...this.#settings], {
      cwd: this.directory,
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env["PATH"], LC_ALL: "C" },
      ...nobody,
    });
    this.#child = child;
    this.#said = "";
    await new Promise<void>((resolve, reject) => {
      const fail = (what: string): void => {
        clearTimeout(timer);
        reject(new Error(`${name} ${what}: ${this.#said.slice(-2000)}`));
      };
      const timer = setTimeout(() => fail("did not start in 30 s"), startMs);
      const hear = (text: Buffer): void => {
        this.#said = (this.#said + text.toString()).slice(-20_000);
        if (!readyWhen.test(this.#said)) return;
        clearTimeout(timer);
        resolve();
      };
      child.stdout.on("data", hear);
      child.stderr.on("data", hear);
      child.once("error", (error) => fail(`cannot be run (${error.message})`));
      child.once("exit", (code) => fail(`ended with ${code}`));
    });
  }

  /** Ends it as a power cut would. */
  async kill(): Promise<void> {
    await this.stop("SIGKILL");
  }

  /** Lets it end in its own way; PostgreSQL closes its connections on SIGINT. */
  async stop(signal: NodeJS.Signals = "SIGINT"): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    const all = signal === "SIGKILL" ? this.#processes(child) : [];
    child.kill(signal);
    for (const pid of all) tell(pid, signal);
    await ended;
    if (signal !== "SIGKILL") return;
    // Some were born meanwhile, and keep what the next one needs.
    for (let left = processesIn(this.directory); left.length > 0;) {
      for (const pid of left) tell(pid, signal);
      await pause(5);
      left = processesIn(this.directory);
    }
  }

  /** Stops it, with every process it has, as a frozen machine would: connections stay open, and nothing answers. */
  freeze(): void {
    for (const pid of this.#processes(this.#child)) tell(pid, "SIGSTOP");
  }

  thaw(): void {
    for (const pid of this.#processes(this.#child)) tell(pid, "SIGCONT");
  }

  /** Whether it has ended by itself. */
  get hasEnded(): boolean {
    return (
      this.#child === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null
    );
  }

  #processes(child: ChildProcess | undefined): readonly number[] {
    if (child?.pid === undefined) return [];
    const { stdout } = spawnSync("ps", ["-o", "pid=", "--ppid", String(child.pid)], {
      encoding: "utf8",
    });
    return [
      child.pid,
      ...stdout
        .split("\n")
        .map(Number)
        .filter((pid) => pid > 0),
    ];
  }

  async remove(): Promise<void> {
    this.thaw();
    await this.stop("SIGKILL");
    this.disk?.remove();
    rmSync(this.directory, { recursive: true, force: true });
    startedIn.delete(this.directory);
  }
}

function tell(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended.
  }
}

/** A server of a kind that is not started yet, with an empty directory that its user may write. */
export async function newServer(recipe: Recipe): Promise<Server> {
  const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-server-"));
  chmodSync(directory, 0o700);
  if (nobody.uid !== undefined) chownSync(directory, nobody.uid, nobody.gid);
  const server = new Server(recipe, directory, await freePort());
  startedIn.add(directory);
  return server;
}

/** Of servers that were started here. */
const startedIn = new Set<string>();
process.once("exit", () => {
  for (const directory of startedIn) {
    for (const pid of processesIn(directory)) tell(pid, "SIGKILL");
  }
});

/** Processes that work in a directory: what is left of a server when a test run ends in disorder. */
function processesIn(directory: string): readonly number[] {
  if (!existsSync("/proc") || !existsSync(directory)) return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && directoryOfProcess(name).startsWith(directory))
    .map(Number);
}

function directoryOfProcess(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return "";
  }
}

/** Runs a program as the servers' user; throws with what it said when it fails. */
export function runAsServer(program: string, given: readonly string[], cwd: string): void {
  const { status, stderr, error } = spawnSync(program, given, { cwd, encoding: "utf8", ...nobody });
  if (status !== 0) throw new Error(`${program} ${given.join(" ")}: ${error?.message ?? stderr}`);
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** The first directory of a `PATH`-like list that holds a program. */
export function directoryOf(program: string, directories: readonly string[]): string | undefined {
  return directories.find((directory) => existsSync(join(directory, program)));
}

export const searchPath = (): readonly string[] => (process.env["PATH"] ?? "").split(":");
