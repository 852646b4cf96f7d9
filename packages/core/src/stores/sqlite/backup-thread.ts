/** The thread that copies a SQLite file: copying takes long, and SQLite does it without a pause. */

import { closeSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { workerData } from "node:worker_threads";

export interface BackupSetup {
  readonly filename: string;
  readonly destination: string;
}

const { filename, destination } = workerData as BackupSetup;
const partial = `${destination}.partial`;

/** Makes durable what was written to a file or a directory. */
function keep(path: string): void {
  const file = openSync(path, "r");
  fsyncSync(file);
  closeSync(file);
}

rmSync(partial, { force: true });
// For its owner's eyes only, as the file itself.
closeSync(openSync(partial, "wx", 0o600));
try {
  const database = new DatabaseSync(filename, { readOnly: true });
  database.prepare("VACUUM INTO ?").run(partial);
  database.close();
  keep(partial);
  renameSync(partial, destination);
  keep(dirname(destination));
} catch (error) {
  rmSync(partial, { force: true });
  throw error;
}
