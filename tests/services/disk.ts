/** Disks of their own for tests: small enough to be filled, or to break, without harm to the machine. Linux, as root. */

import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  mkdirSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { CannotRun } from "../support/cannot-run.ts";

const mebibyte = 1024 * 1024;

/** Where disks are mounted: none of them outlives the process. */
const mounted = new Set<string>();
process.once("exit", () => mounted.forEach(unmount));

function unmount(path: string): void {
  spawnSync("umount", ["-l", path]);
  mounted.delete(path);
}

/** A file system in memory, mounted at a directory, that can be filled. */
export class SmallDisk {
  readonly path: string;

  constructor(path: string, mebibytes: number) {
    this.path = path;
    mkdirSync(path, { recursive: true });
    needed("mount", "-t", "tmpfs", "-o", `size=${mebibytes}m,mode=0777`, "tmpfs", path);
    mounted.add(path);
  }

  /** Leaves no byte, or so much. */
  fill(leftMiB = 0): void {
    const ballast = join(this.path, "ballast");
    const left = leftMiB * mebibyte;
    writeFileSync(ballast, "");
    for (const piece of [mebibyte, 4096]) {
      while (this.#free() - left >= piece) appendFileSync(ballast, Buffer.alloc(piece));
    }
  }

  /** How much of it is taken, of 1. */
  get used(): number {
    const { blocks, bavail } = statfsSync(this.path);
    return 1 - bavail / blocks;
  }

  #free(): number {
    const { bavail, bsize } = statfsSync(this.path);
    return bavail * bsize;
  }

  empty(): void {
    rmSync(join(this.path, "ballast"), { force: true });
  }

  remove(): void {
    unmount(this.path);
  }
}

/** A file system on an image, mounted at a directory, that can turn read-only as one does that finds itself damaged. */
export class BrittleDisk {
  readonly path: string;
  /** The file that holds it. */
  readonly image: string;

  constructor(path: string, mebibytes: number) {
    this.path = path;
    this.image = `${path}.image`;
    mkdirSync(path, { recursive: true });
    writeFileSync(this.image, "");
    truncateSync(this.image, mebibytes * mebibyte);
    needed("mkfs.ext4", "-q", "-F", this.image);
    needed("mount", "-o", "loop", this.image, this.path);
    mounted.add(path);
  }

  #mount(): void {
    run("mount", "-o", "loop", this.image, this.path);
  }

  breakDown(): void {
    run("mount", "-o", "remount,abort", this.path);
  }

  /** Nobody may have a file of it open. */
  mend(): void {
    run("umount", this.path);
    // 1: errors were corrected.
    run("e2fsck", "-fy", this.image);
    this.#mount();
  }

  remove(): void {
    unmount(this.path);
    rmSync(this.image, { force: true });
  }
}

/** The disk as it would be found after a loss of power: a copy of its image, mounted. The copy is gone with it. */
export function mountedCopy(image: string, path: string): Pick<BrittleDisk, "path" | "remove"> {
  mkdirSync(path, { recursive: true });
  run("mount", "-o", "loop", image, path);
  mounted.add(path);
  return {
    path,
    remove() {
      unmount(path);
      rmSync(image, { force: true });
    },
  };
}

/** Where the first of it cannot be done, it cannot be done here. */
function needed(program: string, ...given: readonly string[]): void {
  try {
    run(program, ...given);
  } catch (error) {
    throw new CannotRun(`${String(error)} These tests need Linux, and root for their disks.`);
  }
}

function run(program: string, ...given: readonly string[]): void {
  const { status, stderr, error } = spawnSync(program, given, { encoding: "utf8" });
  if (status === 0 || (program === "e2fsck" && status === 1)) return;
  throw new Error(`${program} ${given.join(" ")}: ${error?.message ?? stderr}`);
}
