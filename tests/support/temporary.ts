/** A SQLite file that is gone when the test ends. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

export function temporaryFile(name = "inbox.sqlite"): string {
  const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, name);
}
