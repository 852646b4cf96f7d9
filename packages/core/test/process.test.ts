/** What an inbox does to the life of its process: measured in processes of their own. */

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { temporaryFile } from "../../../tests/support/temporary.ts";

const program = (rest: string): string => `
  import { createInbox } from "@webhook-inbox/core";
  import { nodeHandler } from "@webhook-inbox/core/node";
  import { socialData } from "@webhook-inbox/core/providers/socialdata";
  import { sqlite } from "@webhook-inbox/core/sqlite";
  const inbox = createInbox({
    store: sqlite(process.argv[1]),
    sources: { socialdata: socialData({ token: "t" }) },
    logger: false,
  });
  ${rest}
`;

const run = promisify(execFile);

/** What the program says before it ends; rejects when it does not end by itself. */
async function said(rest: string): Promise<string> {
  const args = ["--input-type=module", "-e", program(rest), temporaryFile()];
  const { stdout } = await run(process.execPath, args, {
    cwd: import.meta.dirname,
    timeout: 10_000,
  });
  return stdout;
}

test("a process that mounted, waited or looked, and forgot to close, still ends", async () => {
  const rest = `nodeHandler(inbox); await inbox.idle(); await inbox.list(); console.log("end");`;
  expect(await said(rest)).toBe("end\n");
});

test("a worker process, which started and never mounted, lives until it is closed", async () => {
  const rest = `
    await inbox.start();
    process.once("beforeExit", () => console.log("too early"));
    setTimeout(() => { console.log("closing"); void inbox.close(); }, 300).unref();`;
  expect(await said(rest)).toMatch(/^closing\n/);
});
