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

test("a script that replays at a rate lives until all of them are replayed", async () => {
  const rest = `
    for (const type of ["a", "b", "c", "d"]) {
      const bytes = new TextEncoder().encode(JSON.stringify({ event: type }));
      const head = { method: "POST", target: "/webhooks/socialdata/t", headers: ["host", "x"], remoteAddress: undefined };
      await inbox.receive(head, { read: () => Promise.resolve({ kind: "read", bytes, reconstructed: false }) });
    }
    await inbox.idle();
    console.log((await inbox.replay({ state: "unhandled" }, { perSecond: 2 })).count);`;
  expect(await said(rest)).toBe("4\n");
});

test("a worker process, which started and never mounted, lives until it is closed", async () => {
  const rest = `
    await inbox.start();
    process.once("beforeExit", () => console.log("too early"));
    setTimeout(() => { console.log("closing"); void inbox.close(); }, 300).unref();`;
  expect(await said(rest)).toMatch(/^closing\n/);
});

test("an event that kills its process three times is dead; the innocent beside it are done", async () => {
  const file = temporaryFile();
  const code = `
    import { createInbox } from "@webhook-inbox/core";
    import { socialData } from "@webhook-inbox/core/providers/socialdata";
    import { sqlite } from "@webhook-inbox/core/sqlite";
    const told = (_, message) => console.error(message);
    const inbox = createInbox({
      store: sqlite(process.argv[1]),
      sources: { jobs: socialData({ token: "t" }) },
      retry: { delaysMs: [0, 0, 0, 0] },
      work: process.argv[2] === "work",
      logger: { debug() {}, info() {}, warn: told, error: told },
    });
    inbox.on("jobs", "*", async ({ type }) => {
      await new Promise((resolve) => setTimeout(resolve, 30));
      if (type === "killer") process.exit(1);
      await new Promise((resolve) => setTimeout(resolve, 30));
    });
    if (process.argv[2] === "receive") {
      for (const type of ["a", "b", "killer", "c", "d"]) {
        const bytes = new TextEncoder().encode(JSON.stringify({ event: type }));
        const head = { method: "POST", target: "/webhooks/jobs/t", headers: ["host", "x"], remoteAddress: undefined };
        const body = { read: () => Promise.resolve({ kind: "read", bytes, reconstructed: false }) };
        await inbox.receive(head, body);
      }
    } else {
      await inbox.idle();
      const { events } = await inbox.list();
      console.log(events.map(({ type, state, reason }) => [type, state, reason].join(" ").trim()).sort().join());
    }
    await inbox.close();`;
  const once = (mode: string): Promise<{ readonly stdout: string; readonly stderr: string }> =>
    run(process.execPath, ["--input-type=module", "-e", code, file, mode], {
      cwd: import.meta.dirname,
    });
  await once("receive");
  const name = 'jobs "killer" [0-9A-Z]{26}';
  const lastTry = new RegExp(`${name}: was in hand at 2 deaths of workers, and runs once more`);
  let deaths = 0;
  for (;;) {
    try {
      const { stdout, stderr } = await once("work");
      expect(stderr).toMatch(new RegExp(`${name}: dead \\(poison\\) .*: too many workers died`));
      expect(stdout).toBe("a done,b done,c done,d done,killer dead poison\n");
      break;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === 1)) throw error;
      expect("stderr" in error && lastTry.test(String(error.stderr))).toBe(deaths === 2);
      deaths += 1;
    }
  }
  expect(deaths).toBe(3);
});
