/** A service that keeps events on a store of each kind, and the command beside it, as another process. */

import { execFile } from "node:child_process";
import { join } from "node:path";
import { createInbox, type Store } from "@webhook-inbox/core";
import { audata } from "@webhook-inbox/core/providers/audata";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { mysql } from "@webhook-inbox/mysql";
import { postgres } from "@webhook-inbox/postgres";
import { redis } from "@webhook-inbox/redis";
import { Redis } from "ioredis";
import { createPool } from "mysql2/promise";
import { Pool } from "pg";
import { inject, onTestFinished } from "vitest";
import { dropTables } from "../../../tests/support/mysql-tables.ts";
import { ask, serve } from "../../../tests/support/served.ts";
import { temporaryFile } from "../../../tests/support/temporary.ts";

export interface Place {
  readonly url: string;
  readonly store: Store;
}

let places = 0;
const placeName = (): string =>
  `cli_${process.pid}_${process.env["VITEST_POOL_ID"] ?? 0}_${places++}`;

export const placesOf = {
  SQLite: (): Place => {
    const file = temporaryFile();
    return { url: `sqlite:${file}`, store: sqlite(file) };
  },
  PostgreSQL: (): Place => {
    const schema = placeName();
    const pool = new Pool({ connectionString: inject("postgresUrl"), max: 4 });
    onTestFinished(async () => {
      await pool.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
      await pool.end();
    });
    const url = new URL(inject("postgresUrl"));
    url.searchParams.set("schema", schema);
    return { url: url.href, store: postgres(pool, { schema }) };
  },
  MySQL: (): Place => {
    const prefix = placeName();
    const pool = createPool({ uri: inject("mysqlUrl"), connectionLimit: 4 });
    onTestFinished(async () => {
      await dropTables(pool, prefix);
      await pool.end();
    });
    return { url: `${inject("mysqlUrl")}?prefix=${prefix}`, store: mysql(pool, { prefix }) };
  },
  Redis: (): Place => {
    const prefix = placeName();
    const client = new Redis(inject("redisUrl"));
    onTestFinished(async () => {
      const keys = await client.keys(`{${prefix}}:*`);
      if (keys.length > 0) await client.del(keys);
      client.disconnect();
    });
    return { url: `${inject("redisUrl")}?prefix=${prefix}`, store: redis(client, { prefix }) };
  },
};

const sources = { socialdata: socialData({ token: "t" }), audata: audata({ token: "t" }) };

/** A service whose handler of finished jobs fails until it is mended. */
export async function service({ url, store }: Place) {
  let isMended = false;
  const handled: string[] = [];
  const inbox = createInbox<typeof sources, unknown>({
    store,
    sources,
    retry: { delaysMs: [] },
    logger: false,
  });
  inbox.on("socialdata", "job_finished", ({ id }) => {
    if (!isMended) throw new Error(`the CRM answered 500 for ${id}`);
    handled.push(id);
  });
  const served = await serve(inbox);
  return {
    inbox,
    url,
    handled,
    mend: () => void (isMended = true),
    finish: async (jobs: number, message = "Insufficient balance") => {
      for (let job = 1; job <= jobs; job++) {
        const data = { job_id: job, status: "error", message };
        const body = JSON.stringify({ event: "job_finished", data });
        await ask(served, "/webhooks/socialdata/t", { body });
      }
      await inbox.idle();
    },
    call: (query: string) => ask(served, `/webhooks/audata/t?${query}`),
    ask: (path: string, body: string) => ask(served, path, { body }),
  };
}

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly bytes: Buffer;
}

const program = join(import.meta.dirname, "../src/main.ts");

/** Runs the command as a shell does, in a pipe. */
export function command(
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Ended> {
  const { cwd = import.meta.dirname, env = {} } = options;
  const { WEBHOOK_INBOX_STORE: _, ...inherited } = process.env;
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", program, ...args],
      { cwd, env: { ...inherited, ...env }, timeout: 20_000, encoding: "buffer" },
      (_error, stdout, stderr) => {
        const [out, err] = [stdout.toString(), stderr.toString()];
        resolve({ code: child.exitCode ?? -1, out, err, bytes: stdout });
      },
    );
  });
}

/** A terminal as `run` sees it: what was written, and an answer to every question. */
export function terminal(answer: (question: string) => string = () => "") {
  const written = { out: "", err: "" };
  const stop = new AbortController();
  const questions: string[] = [];
  const output = (name: "out" | "err") => ({
    isTTY: true,
    columns: 120,
    write: (text: string | Uint8Array) => void (written[name] += String(text)),
  });
  return {
    written,
    questions,
    stop: () => stop.abort(),
    console: {
      out: output("out"),
      err: output("err"),
      env: {},
      stopped: stop.signal,
      ask: async (question: string) => {
        questions.push(question);
        return answer(question);
      },
    },
  };
}
