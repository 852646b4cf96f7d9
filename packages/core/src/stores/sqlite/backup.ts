/** A copy of a SQLite file while it is in use: consistent, durable, and in nobody's way. */

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { Worker as Thread } from "node:worker_threads";
import { WebhookInboxError } from "../../errors.ts";
import type { BackupSetup } from "./backup-thread.ts";
import { unavailable } from "./unavailable.ts";

/** Beside this file, which is TypeScript in the workspace and JavaScript in the package. */
const threadModule = new URL(
  import.meta.url.endsWith(".ts") ? "./backup-thread.ts" : "./backup-thread.js",
  import.meta.url,
);

/**
 * Copies the file of a store, as it is at one instant, while inboxes go on to use it. The copy is a file of its own
 * without free space, and is on the disk when the promise resolves; until then there is none under that name. Rejects with
 * `OPTION_INVALID` if `destination` exists, and with `STORE_UNAVAILABLE` if the file cannot be read or the copy not written.
 */
export async function backup(filename: string, destination: string): Promise<void> {
  const setup: BackupSetup = { filename: resolve(filename), destination: resolve(destination) };
  if (existsSync(setup.destination)) {
    throw new WebhookInboxError(
      "OPTION_INVALID",
      `backup: "${setup.destination}" exists. Give the path of a file that does not.`,
    );
  }
  const thread = new Thread(threadModule, { workerData: setup, execArgv: [] });
  try {
    await new Promise<void>((done, fail) => {
      thread.once("error", fail);
      thread.once("exit", (code) =>
        code === 0 ? done() : fail(new Error(`it ended with ${code}`)),
      );
    });
  } catch (error) {
    throw unavailable(error, filename);
  }
}
