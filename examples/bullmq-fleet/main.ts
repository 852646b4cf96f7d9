/** Starts a receiver and two workers, each in a process of its own, and ends them together. */

import { spawn } from "node:child_process";
import { join } from "node:path";

const children = ["receiver.ts", "worker.ts", "worker.ts"].map((file) =>
  spawn(process.execPath, [join(import.meta.dirname, file)], { stdio: "inherit" }),
);
for (const child of children) child.once("exit", (code) => process.exit(code ?? 1));
const end = (): void => children.forEach((child) => child.kill("SIGTERM"));
process.once("SIGTERM", end).once("exit", end);
