/**
 * Benchmarks, each a ratio within one run: `pnpm bench [ack|latency|disturbed|drain|size|scaling|slow-disk|wake-ups|footprint|flame] [--rounds 7] [--seconds 10]
 * [--only sqlite [--only postgres]] [--kept 1000000] [--out DIR]`. Servers are those of `DATABASE_URL` and `REDIS_URL`, else private
 * ones with durable settings. `--out` gets what was found as JSON, as Markdown and as a picture.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startServices } from "../tests/services/urls.ts";
import { keepCompiled } from "../tests/support/compile-cache.ts";
import { ack } from "./ack.ts";
import { disturbed } from "./disturbed.ts";
import { drain } from "./drain.ts";
import { flame } from "./flame.ts";
import { flushMs } from "./flush.ts";
import { footprint } from "./footprint.ts";
import { latency } from "./latency.ts";
import { markdownOf, type Report } from "./report.ts";
import { scaling } from "./scaling.ts";
import { size } from "./size.ts";
import { slowDisk } from "./slow-disk.ts";
import { wakeUps } from "./wake-ups.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "7" },
    seconds: { type: "string", default: "10" },
    only: { type: "string", multiple: true, default: [] },
    kept: { type: "string", default: "1000000" },
    out: { type: "string" },
  },
});
const options = {
  rounds: Number(values.rounds),
  seconds: Number(values.seconds),
  kept: Number(values.kept),
  only: values.only,
};
const benchmarks = {
  ack,
  latency,
  disturbed,
  drain,
  size,
  scaling,
  "slow-disk": slowDisk,
  "wake-ups": wakeUps,
  footprint,
  flame,
};
const named = positionals.length === 0 ? Object.keys(benchmarks) : positionals;
const isKnown = (name: string): name is keyof typeof benchmarks => name in benchmarks;
const unknown = named.find((name) => !isKnown(name));
if (unknown !== undefined) {
  throw new Error(`there is no benchmark "${unknown}": ${Object.keys(benchmarks).join(", ")}`);
}

await keepCompiled();
const places = await startServices();
const { out } = values;
try {
  const machine = {
    node: process.version,
    system: `Linux ${release()}`,
    cores: cpus().length,
    processor: cpus()[0]?.model ?? "unknown",
    flushMs: flushMs(),
  };
  console.log(
    `Node ${machine.node}, ${machine.system}, ${machine.cores} cores (${machine.processor}), append and fdatasync of 4 KiB: p50 ${machine.flushMs.toFixed(2)} ms.\n`,
  );
  for (const name of named.filter(isKnown)) {
    const report = await benchmarks[name](places, options);
    console.log(`## ${name}\n\n${markdownOf(report)}\n`);
    if (out !== undefined) keep(out, report, machine);
  }
} finally {
  await places.remove();
}

function keep(directory: string, report: Report, machine: object): void {
  const { name, how, reached, figures, svg } = report;
  mkdirSync(directory, { recursive: true });
  const write = (ending: string, text: string): void =>
    writeFileSync(join(directory, `${name}.${ending}`), text);
  write("json", `${JSON.stringify({ name, how, machine, reached, figures }, undefined, 1)}\n`);
  write("md", `${markdownOf(report)}\n`);
  if (svg !== undefined) write("svg", svg);
}
