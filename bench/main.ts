/**
 * Benchmarks, each a ratio within one run: `pnpm bench ack|drain|size [--rounds 7] [--seconds 3] [--only sqlite,postgres]
 * [--kept 1000000]`. Servers are those of `DATABASE_URL` and `REDIS_URL`, else private ones with durable settings.
 */

import { release } from "node:os";
import { parseArgs } from "node:util";
import { startServices } from "../tests/services/urls.ts";
import { keepCompiled } from "../tests/support/compile-cache.ts";
import { ack } from "./ack.ts";
import { drain } from "./drain.ts";
import { flushMs } from "./flush.ts";
import { size } from "./size.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "7" },
    seconds: { type: "string", default: "3" },
    only: { type: "string", default: "" },
    kept: { type: "string", default: "1000000" },
  },
});
const rounds = Number(values.rounds);
const only = values.only.split(",").filter((name) => name !== "");

await keepCompiled();
const places = await startServices();
try {
  const flush = flushMs();
  console.log(
    `Node ${process.version}, Linux ${release()}, append and fdatasync of 4 KiB: p50 ${flush.toFixed(2)} ms.\n`,
  );
  for (const name of positionals.length === 0 ? ["ack", "drain", "size"] : positionals) {
    console.log(`## ${name}\n`);
    if (name === "ack")
      console.log(await ack(places, { rounds, seconds: Number(values.seconds), only }));
    else if (name === "drain") console.log(await drain(places, { rounds, only }));
    else if (name === "size")
      console.log(await size(places, { kept: Number(values.kept), rounds, only }));
    else throw new Error(`there is no benchmark "${name}": ack, drain, size`);
    console.log();
  }
} finally {
  await places.remove();
}
