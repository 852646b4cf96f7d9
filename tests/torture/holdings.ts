/** What this process holds, after a collection. */

import { readdirSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Holdings } from "./soak.ts";

const kibi = 1024;

export function holdings(): Holdings {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  const { rss, heapUsed, external } = process.memoryUsage();
  const timers = process.getActiveResourcesInfo().filter((name) => /Timeout|Immediate/.test(name));
  return {
    rssKib: Math.round(rss / kibi),
    usedKib: Math.round((heapUsed + external) / kibi),
    descriptors: readdirSync("/proc/self/fd").length,
    timers: timers.length,
  };
}
