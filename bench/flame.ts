/** `pnpm bench flame`: where the processor's time goes for a delivery, with everything on, as a flame graph. */

import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { escaped, type Report } from "./report.ts";
import { asked, started, told, type Kind } from "./rounds.ts";
import type { LoadAsk, LoadResult } from "./load.ts";
import type { Places } from "./subjects/subject.ts";

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      readonly lineNumber: number;
    };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

interface Frame {
  readonly name: string;
  readonly kind: Whose;
  readonly children: Map<string, Frame>;
  /** Microseconds, of itself and with all below it. */
  self: number;
  total: number;
}

const kinds = {
  ours: ["webhook-inbox", "#2f7d5b"],
  others: ["other packages", "#8a6d3b"],
  node: ["Node", "#5a7fa8"],
  native: ["native code, collection of garbage", "#8a8f98"],
} as const;
type Whose = keyof typeof kinds;

function kindOf(url: string): Whose {
  if (url === "") return "native";
  if (url.startsWith("node:")) return "node";
  return url.includes("/node_modules/") ? "others" : "ours";
}

function treeOf({ nodes, samples, timeDeltas }: Profile): Frame {
  const self = new Map<number, number>();
  for (const [index, id] of samples.entries()) {
    self.set(id, (self.get(id) ?? 0) + (timeDeltas[index] ?? 0));
  }
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const all: Frame = { name: "all", kind: "native", children: new Map(), self: 0, total: 0 };
  const add = (id: number, parent: Frame): number => {
    const node = byId.get(id);
    if (node === undefined) return 0;
    const { functionName, url, lineNumber } = node.callFrame;
    // Waiting, and the start, are no work for a delivery.
    if (functionName === "(idle)" || isOfStart(url)) return 0;
    const place = url === "" ? "" : ` ${url.split("/").slice(-2).join("/")}:${lineNumber + 1}`;
    const name = `${functionName || "(anonymous)"}${place}`;
    const frame = parent.children.get(name) ?? {
      name,
      kind: kindOf(url),
      children: new Map(),
      self: 0,
      total: 0,
    };
    parent.children.set(name, frame);
    const own = self.get(id) ?? 0;
    frame.self += own;
    let total = own;
    for (const child of node.children ?? []) total += add(child, frame);
    frame.total += total;
    return total;
  };
  const root = nodes[0];
  for (const child of root?.children ?? []) all.total += add(child, all);
  return all;
}

const isOfStart = (url: string): boolean =>
  /^node:internal\/(?:modules|bootstrap|main|process\/(?:esm|execution))/.test(url);

const width = 1200;
const rowHeight = 17;
const leastShare = 0.002;

function drawn(all: Frame, title: string): string {
  const boxes: string[] = [];
  let depthMost = 0;
  const draw = (frame: Frame, left: number, depth: number): void => {
    const boxWidth = (frame.total / all.total) * width;
    if (boxWidth < width * leastShare) return;
    depthMost = Math.max(depthMost, depth);
    const top = 44 + depth * rowHeight;
    const share = `${((frame.total / all.total) * 100).toFixed(1)} %`;
    const letters = Math.floor((boxWidth - 6) / 6.2);
    const text = letters < 3 ? "" : escaped(frame.name.slice(0, letters));
    boxes.push(
      `<g><title>${escaped(frame.name)}, ${share}</title><rect x="${left.toFixed(1)}" y="${top}" width="${(boxWidth - 0.5).toFixed(1)}" height="${rowHeight - 1}" fill="${kinds[frame.kind][1]}"/><text x="${(left + 3).toFixed(1)}" y="${top + 12}" fill="#fff">${text}</text></g>`,
    );
    drawChildren(frame, left, depth + 1);
  };
  const drawChildren = ({ children }: Frame, left: number, depth: number): void => {
    let next = left;
    for (const child of [...children.values()].toSorted((a, b) => b.total - a.total)) {
      draw(child, next, depth);
      next += (child.total / all.total) * width;
    }
  };
  drawChildren(all, 0, 0);
  const legend = Object.values(kinds).map(
    ([name, colour], index) =>
      `<rect x="${index * 240}" y="24" width="12" height="12" fill="${colour}"/><text x="${index * 240 + 17}" y="34" fill="currentColor">${name}</text>`,
  );
  const height = 52 + (depthMost + 1) * rowHeight;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(title)}" font-family="system-ui, sans-serif" font-size="11">`,
    "<style>svg{color:#24292f}@media(prefers-color-scheme:dark){svg{color:#e6edf3}}</style>",
    `<text x="0" y="14" fill="currentColor" font-size="13" font-weight="600">${escaped(title)}</text>`,
    ...legend,
    ...boxes,
    "</svg>",
    "",
  ].join("\n");
}

/** Functions that take most by themselves, wherever they are called from. */
function dearest(all: Frame): readonly (readonly [name: string, share: number])[] {
  const found = new Map<string, number>();
  const collect = (frame: Frame): void => {
    found.set(frame.name, (found.get(frame.name) ?? 0) + frame.self);
    for (const child of frame.children.values()) collect(child);
  };
  collect(all);
  return [...found]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, 20)
    .map(([name, self]) => [name, self / all.total]);
}

export interface FlameOptions {
  readonly seconds: number;
  readonly only: readonly string[];
}

/** Of one subject, the first that is named; `sqlite` where none is. */
export async function flame(places: Places, { seconds, only }: FlameOptions): Promise<Report> {
  const [name = "sqlite"] = only;
  const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-bench-"));
  const loader = started("./load.ts", [], 1);
  try {
    const profiling = ["--cpu-prof", `--cpu-prof-dir=${directory}`, "--cpu-prof-interval=200"];
    const subject = started("./subject.ts", [name, JSON.stringify(places)], 0, profiling);
    const { port, shape } = await told<Kind<"ready">>(subject);
    const answering = told<LoadResult>(loader);
    const how: LoadAsk = { port, shape, connections: 64, warmUpMs: 0, countedMs: seconds * 1000 };
    loader.send(how);
    const { taken } = await answering;
    await asked(subject, "counts");
    const ended = once(subject, "exit");
    subject.send("end");
    await ended;
    const [file = ""] = readdirSync(directory);
    const all = treeOf(JSON.parse(readFileSync(join(directory, file), "utf8")) as Profile);
    const each = all.total / taken;
    return {
      name: "flame",
      how: `Processor time of \`${name}\` over ${seconds} s and ${taken.toLocaleString("en")} deliveries, sampled each 0.2 ms: ${each.toFixed(0)} µs for each. What takes most by itself:`,
      heads: ["function", "share", "µs each"],
      rows: dearest(all).map(([one, share]) => [
        one,
        `${(share * 100).toFixed(1)} %`,
        (share * each).toFixed(1),
      ]),
      reached: [],
      figures: { taken, microsecondsEach: each, dearest: dearest(all) },
      svg: drawn(
        all,
        `Where the time goes: ${name}, everything on, ${each.toFixed(0)} µs for each delivery`,
      ),
    };
  } finally {
    loader.kill();
    rmSync(directory, { recursive: true, force: true });
  }
}
