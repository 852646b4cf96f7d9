/** `pnpm bench footprint`: what the core costs before it does anything, in time, memory and space (P11, P12). */

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Reached, Report } from "./report.ts";
import { median } from "./rounds.ts";
import type { Places } from "./subjects/subject.ts";

const core = fileURLToPath(new URL("../packages/core/", import.meta.url));
const built = (module: string): string => JSON.stringify(join(core, "bundle", module));

/** Where memory is measured. Not where a start is: with flags of its own Node compiles its modules anew, and starts slower. */
const collecting = ["--expose-gc"];

/** Runs a module in a process of its own, with what users get: JavaScript. It prints one number. */
function numberOf(text: string, flags: readonly string[] = []): number {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [...flags, "--input-type=module", "--eval", text],
    { encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`a measurement has failed: ${stderr}`);
  return Number(stdout);
}

const importing = (what: string): string => `
  const began = performance.now();
  ${what}
  console.log(performance.now() - began);`;

/** A server that answers 200 to everything, or an inbox on node:http, once each has taken a delivery: MiB resident. */
const resident = (makeListener: string): string => `
  import { createServer } from "node:http";
  ${makeListener}
  const server = createServer(listener);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = "http://127.0.0.1:" + server.address().port + "/webhooks/audata/token";
  const { Agent, request } = await import("node:http");
  await new Promise((resolve) => {
    const asking = request(url, { method: "POST", agent: new Agent() }, (response) => response.resume().on("end", resolve));
    asking.end(JSON.stringify({ webhookCallId: "1", event: "Listener.updated", data: {} }));
  });
  await new Promise((resolve) => setTimeout(resolve, 500));
  gc();
  console.log(process.memoryUsage().rss / 1048576);
  process.exit(0);`;

const bare = `const listener = (req, res) => { req.resume().on("end", () => res.end("ok")); };`;

const inbox = `
  import { mkdtempSync, rmSync } from "node:fs";
  import { createInbox } from ${built("index.js")};
  import { nodeHandler } from ${built("http/node.js")};
  import { audata } from ${built("providers/audata.js")};
  import { sqlite } from ${built("stores/sqlite/sqlite.js")};
  const directory = mkdtempSync("/tmp/webhook-inbox-bench-");
  process.on("exit", () => rmSync(directory, { recursive: true }));
  const inbox = createInbox({
    store: sqlite(directory + "/inbox.sqlite"),
    sources: { audata: audata({ token: "token" }) },
    logger: false,
  });
  inbox.on("audata", "*", () => undefined);
  await inbox.start();
  const listener = nodeHandler(inbox);`;

const few = 100_000;

/** Bytes in use for each event that waits in a file, beyond the first hundred thousand. */
const waiting = `
  import { mkdtempSync, rmSync } from "node:fs";
  import { eventKey, systemClock } from ${built("index.js")};
  import { sqlite } from ${built("stores/sqlite/sqlite.js")};
  const directory = mkdtempSync("/tmp/webhook-inbox-bench-");
  process.on("exit", () => rmSync(directory, { recursive: true }));
  const store = sqlite(directory + "/inbox.sqlite");
  await store.open({ clock: systemClock });
  let taken = 0;
  async function take(count) {
    for (const end = taken + count; taken < end;) {
      const events = Array.from({ length: 250 }, () => {
        const id = String(taken++);
        const delivery = { method: "POST", target: "/", headers: [], body: Buffer.alloc(700, "x"), reconstructed: false,
          verifiedWith: "token#1", receivedAt: Date.now(), contentHash: id };
        return { key: eventKey("a", id), source: "a", id, type: "t", identified: true, notes: [], delivery, copies: 1 };
      });
      await store.take(events, { fence: "fill", leaseMs: 1, slots: {} });
    }
    gc();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  }
  const before = await take(${few});
  console.log(((await take(${few})) - before) / ${few});`;

function bytesIn(path: string, isMeant: (path: string) => boolean = () => true): number {
  const found = statSync(path);
  if (!found.isDirectory()) return isMeant(path) ? found.size : 0;
  const names = readdirSync(path).filter((name) => name !== "node_modules");
  return names.reduce((sum, name) => sum + bytesIn(join(path, name), isMeant), 0);
}

/** MiB of the package as it is published, with what it depends on. */
function installedMiB(): number {
  const found = new Set<string>();
  const collect = (directory: string): void => {
    if (found.has(directory)) return;
    found.add(directory);
    const { dependencies = {} } = JSON.parse(
      readFileSync(join(directory, "package.json"), "utf8"),
    ) as { dependencies?: Record<string, string> };
    const { resolve } = createRequire(join(directory, "package.json"));
    for (const name of Object.keys(dependencies)) {
      collect(dirname(realpathSync(resolve(`${name}/package.json`))));
    }
  };
  collect(core.replace(/\/$/, ""));
  const [own = "", ...others] = found;
  const types = bytesIn(join(own, "dist"), (path) => /\.d\.ts(?:\.map)?$/.test(path));
  const published = bytesIn(join(own, "bundle")) + types + bytesIn(join(own, "src"));
  return others.reduce((sum, path) => sum + bytesIn(path), published) / 1_048_576;
}

export interface FootprintOptions {
  readonly rounds: number;
}

export async function footprint(_: Places, { rounds }: FootprintOptions): Promise<Report> {
  const found: Record<string, number[]> = {};
  const add = (name: string, value: number): void => void (found[name] ??= []).push(value);
  for (let round = 1; round <= rounds; round++) {
    const nothing = numberOf(importing(""));
    add(
      "import of the core, ms",
      numberOf(importing(`await import(${built("index.js")});`)) - nothing,
    );
    const provider = `await import(${built("providers/audata.js")});`;
    add("import of a provider with its schemas, ms", numberOf(importing(provider)) - nothing);
    const own = numberOf(resident(bare), collecting);
    add("idle, above bare node:http, MiB", numberOf(resident(inbox), collecting) - own);
    process.stderr.write(`round ${round}/${rounds}\n`);
  }
  add("for each event that waits, bytes", numberOf(waiting, collecting));
  add("installed, with dependencies, MiB", installedMiB());
  const reach: readonly (readonly [string, string, number])[] = [
    ["P11", "idle, above bare node:http, MiB", 15],
    ["P11", "for each event that waits, bytes", 1],
    ["P12", "import of the core, ms", 15],
    ["P12", "installed, with dependencies, MiB", 8],
  ];
  return {
    name: "footprint",
    how: `Processes of their own, of the JavaScript that is published, medians of ${rounds} interleaved rounds; waiting events from the ${few.toLocaleString("en")}th to the ${(2 * few).toLocaleString("en")}th, in SQLite.`,
    heads: ["what", "measured"],
    rows: Object.entries(found).map(([name, values]) => [name, median(values).toFixed(2)]),
    reached: reach.map(([id, of, atMost]): Reached => {
      const ratios = found[of] ?? [];
      const measured = median(ratios);
      return { id, of, to: "1", ratios, atMost, measured, isReached: measured <= atMost };
    }),
    figures: found,
  };
}
