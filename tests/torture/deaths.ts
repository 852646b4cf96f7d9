/**
 * A death at every step: the life of an inbox ends right before or after some call of its store's driver, it is lived again,
 * and the checker looks. Each death has a store of its own.
 */

import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { createConnection } from "mysql2/promise";
import { Client } from "pg";
import { check, isBroken } from "./checker.ts";
import { run } from "./children.ts";
import type { Place } from "./places.ts";
import { eventsAt, kindOf } from "./stores.ts";
import { dropTables } from "../support/mysql-tables.ts";
import { seeded } from "../support/random.ts";

export interface DeathsReport {
  /** Moments right before or after a call of the driver, in a whole life. */
  readonly moments: number;
  /** Lives that ended before their time. */
  readonly deaths: number;
  readonly seed: number;
  /** Deaths after which something was lost, twice, left over, or not counted; each with its moment. */
  readonly broken: readonly string[];
}

export interface DeathsOptions {
  /** How many there are, spread over all moments; each moment has one, unless there are more moments. */
  readonly deaths: number;
  readonly seed: number;
  readonly onDeath?: (deaths: number) => void;
}

interface Told {
  readonly calls: number;
  readonly isBalanced: boolean;
}

export async function deathsRun(place: Place, options: DeathsOptions): Promise<DeathsReport> {
  const { seed, onDeath } = options;
  const random = seeded(seed);
  const whole = await withLife(place, async (live) => await live());
  if (whole === undefined) throw new Error("a life that was not to end did");
  const moments = whole.calls;
  const tries = Math.min(options.deaths, moments);
  let deaths = 0;
  const broken: string[] = [];
  for (let n = 0; n < tries; n++) {
    const diesAt = 1 + Math.floor(((n + random()) * moments) / tries);
    const found = await withLife(place, async (live, paths) => {
      if ((await live(diesAt)) === undefined) deaths += 1;
      return await foundAfter(live, paths);
    });
    if (found !== "") broken.push(`at ${diesAt}: ${found}`);
    onDeath?.(n + 1);
  }
  return { moments, deaths, seed, broken };
}

/** A life that does not end by then is stuck. */
const livesMsMax = 60_000;

type Live = (diesAt?: number) => Promise<Told | undefined>;
type Paths = Readonly<Record<"store" | "spill" | "ledger" | "effects" | "erased", string>>;

async function withLife<T>(
  { url }: Place,
  use: (live: Live, paths: Paths) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "webhook-inbox-life-"));
  const paths = {
    store: url === "" ? join(directory, "inbox.sqlite") : url,
    spill: join(directory, "spill.sqlite"),
    ledger: join(directory, "ledger.jsonl"),
    effects: join(directory, "effects.jsonl"),
    erased: join(directory, "erased.txt"),
  };
  await empty(url);
  try {
    return await use((diesAt) => lived(paths, diesAt), paths);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** What a life has said at its end; undefined if it died. */
async function lived(paths: Paths, diesAt: number | undefined): Promise<Told | undefined> {
  const child = run("life.ts", { ...paths, diesAt });
  let said = "";
  child.stdout?.on("data", (part: Buffer) => (said += part.toString()));
  const timer = setTimeout(() => child.kill("SIGQUIT"), livesMsMax);
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  clearTimeout(timer);
  if (signal === "SIGKILL") return undefined;
  if (code !== 0) throw new Error(`a life ended with ${String(code ?? signal)}, at ${diesAt}`);
  return JSON.parse(said) as Told;
}

/** What is wrong after a death and a further life; nothing if all is well. */
async function foundAfter(live: Live, paths: Paths): Promise<string> {
  const told = await live();
  if (told === undefined) return "the second life ended too";
  // What was erased is not to be there: its answers promise nothing any more.
  const report = await check(paths, ({ id }) => id !== "life-2");
  const isThere = (await eventsAt(paths.store)).some(({ id }) => id === "life-2");
  const isErased = readFileSync(paths.erased, "utf8").endsWith("done\n");
  if (isThere && isErased) return "what was erased is there";
  if (!told.isBalanced) return "the books do not balance";
  return isBroken(report) ? JSON.stringify(report) : "";
}

async function empty(url: string): Promise<void> {
  switch (kindOf(url)) {
    case "postgres": {
      const client = new Client({ connectionString: url });
      await client.connect();
      await client.query("DROP SCHEMA IF EXISTS webhook_inbox CASCADE");
      await client.query("DROP TABLE IF EXISTS effects");
      await client.end();
      return;
    }
    case "mysql": {
      const connection = await createConnection({ uri: url });
      await dropTables(connection, "webhook_inbox");
      await connection.query("DROP TABLE IF EXISTS effects");
      await connection.end();
      return;
    }
    case "redis": {
      const client = new Redis(url);
      await client.flushall();
      client.disconnect();
      return;
    }
    case "sqlite":
  }
}
