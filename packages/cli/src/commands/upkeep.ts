/** Commands for who keeps a store: `migrate` brings its tables to this version, `prune` forgets what is old. */

import { setTimeout as pause } from "node:timers/promises";
import { systemClock, type PruneAsk, visibleJson } from "@webhook-inbox/core";
import { Option, type Command } from "commander";
import { agree } from "../agree.ts";
import type { Console } from "../console.ts";
import { Exit } from "../exit.ts";
import { urlOf } from "../open.ts";
import { lengthOf } from "../select.ts";
import { openStore, openTables } from "../stores.ts";

interface UpkeepOptions {
  readonly store?: string;
  readonly json?: boolean;
}

interface PruneOptions extends UpkeepOptions {
  readonly payloads: number;
  readonly keys: number;
  readonly yes?: boolean;
}

export function defineUpkeep(program: Command, console: Console): void {
  const command = (usage: string, description: string): Command =>
    program
      .command(usage)
      .description(description)
      .option("--store <url>", "sqlite:<file>, postgres://…, mysql://… or redis://…")
      .option("--json", "JSON");
  const age = (flags: string, description: string): Option =>
    new Option(flags, description).argParser(lengthOf).makeOptionMandatory();

  command("prune", "forget what is over and old, as the service does by itself every hour")
    .addOption(age("--payloads <age>", "deliveries, with their bodies, from this age on: 30d"))
    .addOption(age("--keys <age>", "keys, by which duplicates are known, from this age on: 90d"))
    .option("--yes", "ask nothing")
    .action((options: PruneOptions) => prune(options, console));

  const migrate = program
    .command("migrate")
    .description(
      "the tables of a PostgreSQL or MySQL store: those of SQLite and Redis need nobody",
    );
  const sub = (name: keyof typeof migrations, description: string): void => {
    migrate
      .command(name)
      .description(description)
      .option("--store <url>", "postgres://… or mysql://…")
      .option("--json", "JSON")
      .action(async ({ store, json = false }: UpkeepOptions) => {
        const said = await migrations[name](urlOf(store, console.env));
        console.out.write(json ? `${visibleJson({ [name]: said })}\n` : said);
      });
  };
  sub("status", "whether they are of this version; fails if they are not");
  sub("up", "bring them to this version");
  sub("sql", "print what makes them from nothing, to be run by hand");
}

const refusedMax = 500;
const limit = 200;
/** Between two steps others have the store for themselves. */
const pauseMs = 20;

async function prune(
  { store: url, json = false, yes = false, payloads: payloadMs, keys: keyMs }: PruneOptions,
  console: Console,
): Promise<void> {
  const { out, env, stopped } = console;
  if (keyMs < payloadMs) throw new Exit("usage", "keys must be kept as long as deliveries are.");
  if (!yes)
    await agree(
      { does: "forget what is over and that old, for good.", phrase: "prune", else: "" },
      console,
    );
  const { store, end } = await openStore(urlOf(url, env));
  const sum = { payloads: 0, keys: 0 };
  try {
    await store.open({ clock: systemClock });
    let cursor: string | undefined;
    do {
      const from: Pick<PruneAsk, "cursor"> = cursor === undefined ? {} : { cursor };
      const pruned = await store.prune({ payloadMs, keyMs, refusedMax, limit, ...from });
      sum.payloads += pruned.payloads;
      sum.keys += pruned.keys;
      ({ cursor } = pruned);
      await pause(pauseMs);
    } while (cursor !== undefined && !stopped.aborted);
  } finally {
    await store.close();
    await end();
  }
  const said = `${sum.payloads} deliveries and ${sum.keys} keys forgotten.`;
  out.write(`${json ? visibleJson(sum) : said}\n`);
}

/** Each answers what there is to say. */
const migrations = {
  status: async (url: string): Promise<string> => {
    await opened(url, "check");
    return "The tables are of this version.\n";
  },
  up: async (url: string): Promise<string> => {
    await opened(url, "auto");
    return "The tables are of this version now.\n";
  },
  sql: async (url: string): Promise<string> => {
    const { schemaSql, end } = await openTables(url, "check");
    await end();
    return schemaSql;
  },
} as const;

async function opened(url: string, migrate: "auto" | "check"): Promise<void> {
  const { store, end } = await openTables(url, migrate);
  try {
    await store.open({ clock: systemClock });
  } finally {
    await store.close();
    await end();
  }
}
