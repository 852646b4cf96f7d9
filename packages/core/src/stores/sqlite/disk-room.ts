/** Whether the disk of a file has room for more, a part of it set aside: SQLite can delete nothing where it can write nothing. */

import { promises } from "node:fs";
import { dirname } from "node:path";
import { WebhookInboxError } from "../../errors.ts";

/** Set aside, or a tenth of a disk where that is less: about what a journal holds that has not become part of its file. */
const reservedBytes = 67_108_864;
const reservedShare = 0.1;
const lookEveryMs = 100;
const mebi = 1_048_576;

export class DiskRoom {
  readonly #file: string;
  #lookedAt = -Infinity;
  #looking: Promise<void> = Promise.resolve();

  constructor(file: string) {
    this.#file = file;
  }

  /** Rejects with `STORE_UNAVAILABLE` where there is no room. Looks ten times a second at most. */
  async needed(): Promise<void> {
    const now = performance.now();
    if (now - this.#lookedAt >= lookEveryMs) {
      this.#lookedAt = now;
      this.#looking = this.#look();
      // Whoever asks is told.
      this.#looking.catch(() => undefined);
    }
    await this.#looking;
  }

  async #look(): Promise<void> {
    // Where that cannot be said, what is written will show it.
    const disk = await promises.statfs(dirname(this.#file)).catch(() => undefined);
    if (disk === undefined) return;
    const free = disk.bavail * disk.bsize;
    const reserved = Math.min(reservedBytes, disk.blocks * disk.bsize * reservedShare);
    if (free >= reserved) return;
    throw new WebhookInboxError(
      "STORE_UNAVAILABLE",
      `The spill "${this.#file}" takes no more: its disk has ${Math.floor(free / mebi)} MiB left, and ` +
        `${Math.ceil(reserved / mebi)} MiB stay free, so that it can be emptied. Give its disk more space, or the store back.`,
    );
  }
}
