/** Commands that pages show, in blocks and within sentences: each is one that there is, and takes what it is given. */

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, onTestFinished, test, vi } from "vitest";
import { run } from "../../packages/cli/src/run.ts";
import { root } from "../architecture/sources.ts";
import { freePort } from "../services/server.ts";
import { temporaryFile } from "../support/temporary.ts";
import { trials } from "../torture/trials.ts";
import { blocksOf } from "./blocks.ts";

const pages = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "*.md"], {
  cwd: root,
  encoding: "utf8",
})
  .split("\n")
  .filter((page) => page !== "" && !/^\.|API\.md$|CHANGELOG\.md$/.test(page));

interface Shown {
  readonly page: string;
  readonly command: string;
}

/** One command of each line, without what is said of it, what it is piped into, and the variables before it. */
const shown: readonly Shown[] = pages.flatMap((page) => {
  const text = readFileSync(join(root, page), "utf8");
  const inBlocks = blocksOf(page, "sh").flatMap((block) =>
    block.replaceAll(/\\\n\s*/g, "").split("\n"),
  );
  const inSentences = [...text.matchAll(/`((?:npx|pnpm|bash|node) [^`\n]+)`/g)].map(
    ([, one = ""]) => one,
  );
  return [...inBlocks, ...inSentences]
    .map((line) => line.replace(/(?:^|\s+)#\s.*$/, "").trim())
    .map((line) => line.replace(/^(?:[A-Z_]+=\S+ )+/, ""))
    .map((line) => line.replace(/^npx -y(?: -p \S+)+ -- /, ""))
    .filter((line) => line !== "")
    .map((command) => ({ page, command }));
});

const of = (program: RegExp): readonly Shown[] =>
  shown.filter(({ command }) => program.test(command));
const own = of(/^npx webhook-inbox\b/);
const pnpm = of(/^pnpm\b/);
const npmInstall = of(/^npm install\b/);
const files = of(/^(?:bash|node) /);
/** Readers' own machines and programs, run by the tests of the pages that they stand on. */
const others = of(/^(?:curl |export |npm init -y$|npm pkg set )/);

test("every command is looked at here", () => {
  const known = new Set([...own, ...pnpm, ...npmInstall, ...files, ...others]);
  expect(shown.filter((one) => !known.has(one))).toEqual([]);
  for (const kind of [own, pnpm, npmInstall, files]) expect(kind.length).toBeGreaterThan(5);
});

test.each(own)("$page: $command", async ({ command }) => {
  const event = temporaryFile();
  writeFileSync(event, "{}");
  const port = await freePort();
  const inbox = join(root, "packages/cli/test/fixtures/inbox.ts");
  const words = command
    .replace(/^npx webhook-inbox ?/, "")
    .replaceAll("localhost:3000", `127.0.0.1:${port}`)
    .replaceAll("<url>", `http://127.0.0.1:${port}/webhooks`)
    .replaceAll("<provider>", "socialdata")
    .replaceAll("<token>", "t")
    .replaceAll("<key>", "0".repeat(26))
    .replaceAll("event.json", event)
    .replaceAll("./inbox.ts", inbox);
  vi.stubEnv("DATABASE", temporaryFile()).stubEnv("TOKEN", "t");
  onTestFinished(() => void vi.unstubAllEnvs());
  const args = [...words.matchAll(/"([^"]*)"|\S+/g)].map(([all, quoted]) => quoted ?? all);
  // A file has nothing to migrate.
  const store = args[0] === "migrate" ? inject("postgresUrl") : `sqlite:${temporaryFile()}`;
  let said = "";
  const code = await run(args.length === 1 ? [...args, "--help"] : args, {
    out: { write: () => undefined },
    err: { write: (text) => void (said += String(text)) },
    env: { WEBHOOK_INBOX_STORE: store, WEBHOOK_SECRET: "whsec_t" },
    stopped: AbortSignal.abort(),
    ask: () => Promise.resolve("no"),
  });
  expect(code, said).not.toBe(2);
});

test("what pnpm is asked for is a script, and names what there is", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly scripts: Readonly<Record<string, string>>;
  };
  const builtIn = new Set(["install", "vitest", "start"]);
  const wrong = pnpm.filter(({ page, command }) => {
    const [, name = "", ...args] = command.split(/\s+/);
    if (name === "start") return !existsSync(join(root, page, "../package.json"));
    if (!builtIn.has(name) && scripts[name] === undefined) return true;
    if (name === "bench") return args.some((one) => /^[a-z]/.test(one) && !isBenchmark(one));
    const [only] = command.match(/(?<=--only )[A-Z]+\d*\b/) ?? [];
    return (
      only !== undefined &&
      ![...trials.programs, ...trials.tests].some(({ id }) => id.startsWith(only))
    );
  });
  expect(wrong).toEqual([]);
});

const isBenchmark = (name: string): boolean => existsSync(join(root, "bench", `${name}.ts`));

test("what npm installs is ours, or what the tests have installed", () => {
  const manifests = ["packages", "examples", "tests"].flatMap((folder) =>
    readdirSync(join(root, folder)).map((name) => join(root, folder, name, "package.json")),
  );
  const texts = manifests
    .filter((file) => existsSync(file))
    .map((file) => readFileSync(file, "utf8"));
  const wrong = npmInstall.filter(({ command }) =>
    command
      .split(/\s+/)
      .slice(2)
      .filter((name) => !/^-|^\/tmp\//.test(name))
      .some((name) => !texts.some((text) => text.includes(`"${name}"`))),
  );
  expect(wrong).toEqual([]);
});

test("files that are run are there, but those that readers write", () => {
  const readersOwn = /^(?:main|worker|receiver|telemetry)\.ts$|^\.\/telemetry\.ts$/;
  const wrong = files.filter(({ command }) =>
    command
      .split(/\s+/)
      .slice(1)
      .filter((word) => /\.ts$|^\.ci\//.test(word) && !readersOwn.test(word))
      .some((word) => !existsSync(join(root, word))),
  );
  expect(wrong).toEqual([]);
});
