#!/usr/bin/env -S node --disable-warning=ExperimentalWarning
/** The `webhook-inbox` command of a shell. */

import { createInterface } from "node:readline/promises";

// Before anything is loaded that an older Node does not have.
if (process.getBuiltinModule("node:sqlite") === undefined) {
  process.stderr.write(
    `webhook-inbox needs Node 22 from 22.20, or 24.7 and later; this is ${process.versions.node}.\n`,
  );
  process.exit(1);
}
const { run } = await import("./run.ts");

// Who reads a part and leaves, such as `head`, has what he wanted.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? 0 : 1);
});

const stop = new AbortController();
process.once("SIGINT", () => stop.abort());
process.once("SIGTERM", () => stop.abort());

const code = await run(process.argv.slice(2), {
  out: process.stdout,
  err: process.stderr,
  env: process.env,
  stopped: stop.signal,
  async ask(question) {
    const lines = createInterface({ input: process.stdin, output: process.stderr });
    try {
      return await lines.question(question, { signal: stop.signal });
    } finally {
      lines.close();
    }
  },
});
// A module of the user's that listens, or holds a timer, has no say in when the command ends.
process.stdout.write("", () => process.exit(code));
