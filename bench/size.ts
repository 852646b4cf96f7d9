/** `pnpm bench size`: what a take, a claim and a page cost when a store holds many events, and when it is empty (P8). */

import { createInbox, systemClock, type ListQuery, type Store } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { dashboard } from "@webhook-inbox/dashboard";
import { wrapped } from "../tests/support/wrapped.ts";
import { eventNumber } from "./events.ts";
import { dayMs, filled, isOver } from "./filled.ts";
import type { Reached, Report } from "./report.ts";
import { median } from "./rounds.ts";
import type { Places } from "./subjects/subject.ts";

const batch = 64;
// Enough for the keys of SQLite to go from memory into their tree.
const batches = 1000;

/** Medians, in microseconds. */
type Costs = Readonly<Record<string, number>>;

async function timed(times: number, act: (n: number) => Promise<unknown>): Promise<number> {
  const found: number[] = [];
  for (let n = 0; n < times; n++) {
    const begin = performance.now();
    await act(n);
    found.push((performance.now() - begin) * 1000);
  }
  // A mean, since rare and expensive calls are part of the cost; without the first ones, which prepare statements.
  const counted = found.slice(Math.ceil(times / 10));
  return counted.reduce((sum, one) => sum + one, 0) / counted.length;
}

let runs = 0;

async function costsOf(store: Store): Promise<Costs> {
  runs += 1;
  const run = `run${runs}`;
  const take = await timed(batches, (n) =>
    store.take(
      Array.from({ length: batch }, (_, of) => eventNumber(n * batch + of, run)),
      { fence: `${run}/${n}`, leaseMs: 60_000, slots: {} },
    ),
  );
  const ask = {
    leaseMs: 60_000,
    slots: { audata: 100 },
    suspectsMax: 1,
    crashesMax: 9,
    bytesMax: 1e9,
  };
  const claim = await timed(50, (n) => store.claim({ ...ask, fence: `${run}/claim/${n}` }));
  const pages: Readonly<Record<string, ListQuery>> = {
    "page of all": {},
    "page of dead": { state: "dead" },
    "page of a source": { source: "audata" },
    "page of a month": {
      receivedFrom: Date.now() - 60 * dayMs,
      receivedBefore: Date.now() - 30 * dayMs,
    },
  };
  const lists: Record<string, number> = {};
  for (const [name, query] of Object.entries(pages))
    lists[name] = await timed(30, () => store.list(query));
  return {
    "take, per event": take / batch,
    "claim of 100": claim,
    ...lists,
    ...(await boardCosts(store)),
  };
}

const boardPages: Readonly<Record<string, string>> = {
  "dashboard, overview": "/",
  "dashboard, list": "/events",
  "dashboard, dead": "/events?state=dead",
  "dashboard, dead of a source and type": "/events?state=dead&source=audata&type=Listener.updated",
};

/** Pages of the dashboard, from request to text. */
async function boardCosts(store: Store): Promise<Costs> {
  const opened = wrapped(store, { open: async () => undefined, close: async () => undefined });
  const sources = { audata: audata({ auth: "none" }) };
  const inbox = createInbox({ store: opened, sources, work: false, logger: false });
  const board = dashboard(inbox, { access: () => ({ by: "bench" }) });
  const costs: Record<string, number> = {};
  for (const [name, path] of Object.entries(boardPages)) {
    costs[name] = await timed(30, async () => {
      const page = await board(new Request(`http://localhost${path}`), { path: "" });
      if (page.status !== 200) throw new Error(`${path} was answered ${page.status}`);
      await page.text();
    });
  }
  await inbox.close();
  return costs;
}

export interface SizeOptions {
  readonly kept: number;
  readonly rounds: number;
  readonly only: readonly string[];
}

/** How many times as much something may cost in the larger store. */
function costMaxOf(what: string, kept: number): number {
  const isStrict = what.startsWith("claim") || (what.startsWith("take") && kept <= 1_000_000);
  return isStrict ? 1.5 : 2;
}

export async function size(places: Places, { kept, rounds, only }: SizeOptions): Promise<Report> {
  const rows: string[][] = [];
  const reached: Reached[] = [];
  const figures: Record<string, object> = {};
  // Pages are held against a small store, since an empty one has none to show.
  const few = 10_000;
  for (const [name, make] of Object.entries(filled)) {
    if (only.length > 0 && !only.includes(name)) continue;
    const small = make(places);
    await small.store.open({ clock: systemClock });
    await small.fill(few, isOver);
    const before: Costs[] = [];
    for (let round = 0; round < rounds; round++) before.push(await costsOf(small.store));
    await small.store.close();
    await small.end();
    const large = make(places);
    await large.store.open({ clock: systemClock });
    process.stderr.write(`${name}: putting in ${kept.toLocaleString("en")} events\n`);
    await large.fill(kept, isOver);
    const after: Costs[] = [];
    for (let round = 0; round < rounds; round++) after.push(await costsOf(large.store));
    await large.store.close();
    await large.end();
    for (const what of Object.keys(before[0] ?? {})) {
      const a = median(before.map((costs) => costs[what] ?? NaN));
      const b = median(after.map((costs) => costs[what] ?? NaN));
      const subject = `${name}: ${what}`;
      const measured = b / a;
      rows.push([subject, a.toFixed(0), b.toFixed(0), measured.toFixed(2)]);
      const atMost = costMaxOf(what, kept);
      const given = { id: "P8", of: subject, to: "the small one", atMost };
      reached.push({ ...given, ratios: [measured], measured, isReached: measured <= atMost });
    }
    figures[name] = { before, after };
  }
  return {
    name: "size",
    how: `Microseconds with ${few.toLocaleString("en")} and with ${kept.toLocaleString("en")} events kept, medians of ${rounds} rounds of means.`,
    heads: ["what", few.toLocaleString("en"), kept.toLocaleString("en"), "ratio"],
    rows,
    reached,
    figures,
  };
}
