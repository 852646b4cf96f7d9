/**
 * Makes of the sources what is published: an application reads four files at its start, and not a hundred. Types are tsc's.
 *
 * node bundle.ts
 */

import { readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { rolldown, type InputOptions } from "rolldown";

const manifest = JSON.parse(readFileSync(join(import.meta.dirname, "package.json"), "utf8")) as {
  readonly exports: Readonly<Record<string, string>>;
  readonly dependencies: object;
};
const out = join(import.meta.dirname, "bundle");
/** Started by their URL, relative to the file that starts them: they stand beside it. */
const threads = [
  "./src/work/heartbeat-thread.ts",
  "./src/stores/sqlite/heartbeat.ts",
  "./src/stores/sqlite/backup-thread.ts",
];
const entries = Object.values(manifest.exports).filter((path) => path.endsWith(".ts"));
const nameOf = (path: string): string => path.replace("./src/", "").replace(/\.ts$/, "");
const input = Object.fromEntries([
  ...entries.map((path) => [nameOf(path), path]),
  ...threads.map((path) => [basename(nameOf(path)), path]),
]);
const options: InputOptions = {
  cwd: import.meta.dirname,
  platform: "node",
  external: [/^node:/, ...Object.keys(manifest.dependencies)],
};

/** The modules that an entry brings with it. */
async function modulesOf(entry: string): Promise<ReadonlySet<string>> {
  const bundling = await rolldown({ ...options, input: entry });
  const { output } = await bundling.generate({ format: "esm" });
  await bundling.close();
  return new Set(output.flatMap((file) => (file.type === "chunk" ? file.moduleIds : [])));
}

const [always, inThread] = [
  await modulesOf("./src/index.ts"),
  await modulesOf("./src/work/heartbeat-thread.ts"),
];
rmSync(out, { recursive: true, force: true });
const bundle = await rolldown({ ...options, input });
await bundle.write({
  dir: out,
  format: "esm",
  sourcemap: true,
  sourcemapExcludeSources: true,
  chunkFileNames: "[name]-[hash].js",
  codeSplitting: {
    groups: [
      // A thread has no use for the rest.
      { name: "thread", test: (id) => inThread.has(id) && always.has(id), priority: 2 },
      { name: "inbox", test: (id) => always.has(id), priority: 1 },
    ],
  },
});
await bundle.close();
