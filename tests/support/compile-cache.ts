/**
 * Node's compile cache, for this process's children and their threads: there the heartbeat thread is TypeScript, and while two
 * threads of a process strip types at the same time, V8 may end it ("Check failed: jit_page.has_value()", Node 24.21: both
 * free the same wrapper of WebAssembly). What is in the cache needs no stripping. Packages have JavaScript, and no such threads.
 */

import { once } from "node:events";
import { join } from "node:path";
import { Worker } from "node:worker_threads";

const root = join(import.meta.dirname, "../..");
const thread = join(root, "packages/core/src/work/heartbeat-thread.ts");
const modules = [
  "packages/core/src/stores/sqlite/heartbeat.ts",
  "packages/mysql/src/heartbeat.ts",
  "packages/postgres/src/heartbeat.ts",
];

/** Fills the cache with what heartbeat threads load, one after the other. */
export async function keepCompiled(): Promise<void> {
  const directory = join(root, "node_modules/.cache/node");
  process.env["NODE_COMPILE_CACHE"] ??= directory;
  for (const module of modules) {
    const workerData = { module: join(root, module), options: {}, leaseMs: 1000 };
    const one = new Worker(thread, { workerData, execArgv: [] });
    one.postMessage({ isOver: true }, []);
    await once(one, "exit");
  }
}
