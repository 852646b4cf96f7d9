/** `pnpm bench scaling`: what an event costs on PostgreSQL, and what so many of them a day need, up to a billion. */

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { once } from "node:events";
import { Pool } from "pg";
import { dropSchema } from "./cleanup.ts";
import type { LoadAsk, LoadResult } from "./load.ts";
import { assumptions, dayOf, planFor, type Costs } from "./plan.ts";
import type { Report } from "./report.ts";
import { asked, median, started, told, type Kind } from "./rounds.ts";
import type { Places } from "./subjects/subject.ts";
import type { WorkerTold } from "./scaling-worker.ts";

/** Deliveries a second while costs are measured: far from what the machine can do, as a deployment should be. */
const perSecond = 2000;
const backlog = 20_000;
const days = [1e6, 1e7, 1e8, 1e9];

export interface ScalingOptions {
  readonly rounds: number;
  readonly seconds: number;
}

interface Measured {
  readonly own: number;
  readonly server: number;
}

export async function scaling(
  places: Places,
  { rounds, seconds }: ScalingOptions,
): Promise<Report> {
  const found: Record<keyof Costs, number[]> = {
    both: [],
    receive: [],
    work: [],
    serverBoth: [],
    serverReceive: [],
    serverWork: [],
    logBytes: [],
    keptBytes: [],
  };
  for (let round = 1; round <= rounds; round++) {
    const both = await served("postgres", places, seconds);
    const receive = await served("postgres, ack only", places, seconds);
    const work = await worked(places);
    found.both.push(both.own);
    found.serverBoth.push(both.server);
    found.logBytes.push(both.logBytes);
    found.receive.push(receive.own);
    found.serverReceive.push(receive.server);
    found.work.push(work.own);
    found.serverWork.push(work.server);
    found.keptBytes.push(work.keptBytes);
    process.stderr.write(
      `round ${round}/${rounds}: ${both.own.toFixed(0)} + ${both.server.toFixed(0)} µs for each\n`,
    );
  }
  const costs = Object.fromEntries(
    Object.entries(found).map(([name, values]) => [name, median(values)]),
  ) as unknown as Costs;
  return reportOf(costs, found, { rounds, seconds });
}

function reportOf(costs: Costs, found: object, { rounds, seconds }: ScalingOptions): Report {
  const rows = days.map((eventsPerDay) => {
    const plan = planFor(eventsPerDay, costs, assumptions);
    const day = dayOf(plan, costs, assumptions);
    return [
      eventsPerDay.toLocaleString("en"),
      plan.mostPerSecond.toLocaleString("en", { maximumFractionDigits: 0 }),
      String(plan.processes),
      `${plan.receivers} + ${plan.workers}`,
      plan.serverCores.toFixed(1),
      (plan.logBytesPerSecond / 1e6).toFixed(1),
      (plan.diskBytes / 1e12).toFixed(2),
      `${plan.databases}, ${plan.because}`,
      `${(day.serverMost * 100).toFixed(0)} %`,
      day.waitSecondsMost.toFixed(0),
      Math.round(day.refused).toLocaleString("en"),
    ];
  });
  const one = (value: number): string => value.toFixed(0);
  return {
    name: "scaling",
    how: `Measured at ${perSecond.toLocaleString("en")} deliveries a second, ${rounds} rounds of ${seconds} s, medians, for each event: a process that receives and handles takes ${one(costs.both)} µs of processor time and the server ${one(costs.serverBoth)}; one that only receives ${one(costs.receive)} and ${one(costs.serverReceive)}, one that only handles ${one(costs.work)} and ${one(costs.serverWork)}; ${one(costs.logBytes)} bytes of log, ${one(costs.keptBytes)} bytes kept. The rest is reckoned, and a day of it simulated.`,
    heads: [
      "events a day",
      "most a second",
      "processes",
      "or receivers + workers",
      "cores of the server",
      "log, MB/s",
      "disk, TB",
      "databases",
      "server, busiest second",
      "longest wait, s",
      "refused",
    ],
    rows,
    reached: [],
    figures: { costs, found, assumptions },
  };
}

/** A subject at a steady rate: processor time of it and of the server, and bytes of the server's log. */
async function served(
  name: string,
  places: Places,
  seconds: number,
): Promise<Measured & { readonly logBytes: number }> {
  const loader = started("./load.ts", [], 1);
  const subject = started("./subject.ts", [name, JSON.stringify(places)], 0);
  const pool = new Pool({ connectionString: places.postgresUrl, max: 1 });
  try {
    const { port, shape } = await told<Kind<"ready">>(subject);
    // What is compiled and planned for the first time is no cost of an event.
    await loaded(loader, { port, shape, connections: 64, warmUpMs: 0, countedMs: 3000, perSecond });
    const [log, server] = [await logBytes(pool), await serverMicroseconds(pool)];
    const own = await asked(subject, "cpu");
    const countedMs = seconds * 1000;
    const how = { port, shape, connections: 64, warmUpMs: 0, countedMs, perSecond };
    const { taken } = await loaded(loader, how);
    const ownAfter = await asked(subject, "cpu");
    const [logAfter, serverAfter] = [await logBytes(pool), await serverMicroseconds(pool)];
    await asked(subject, "counts");
    const ended = once(subject, "exit");
    subject.send("end");
    await ended;
    return {
      own: (ownAfter.microseconds - own.microseconds) / taken,
      server: (serverAfter - server) / taken,
      logBytes: (logAfter - log) / taken,
    };
  } finally {
    loader.kill();
    await pool.end();
  }
}

function loaded(loader: ReturnType<typeof started>, how: LoadAsk): Promise<LoadResult> {
  const answer = told<LoadResult>(loader);
  loader.send(how);
  return answer;
}

/** A backlog worked off by a process that does nothing else; and what an event then takes on the disk. */
async function worked(places: Places): Promise<Measured & { readonly keptBytes: number }> {
  const pool = new Pool({ connectionString: places.postgresUrl, max: 1 });
  const schema = `bench_scaling_${process.pid}`;
  const worker = started("./scaling-worker.ts", [places.postgresUrl, schema, String(backlog)], 0);
  try {
    await told<WorkerTold>(worker);
    const before = await serverMicroseconds(pool);
    const ending = told<WorkerTold>(worker);
    worker.send("work");
    const { microseconds } = await ending;
    const after = await serverMicroseconds(pool);
    const { rows } = await pool.query<{ readonly bytes: string }>(
      `SELECT sum(pg_total_relation_size(c.oid)) AS bytes FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
       WHERE n.nspname = $1 AND c.relkind = 'r'`,
      [schema],
    );
    return {
      own: microseconds / backlog,
      server: (after - before) / backlog,
      keptBytes: Number(rows[0]?.bytes) / backlog,
    };
  } finally {
    worker.kill();
    await pool.end();
    await dropSchema(places.postgresUrl, schema);
  }
}

async function logBytes(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ readonly bytes: string }>(
    "SELECT pg_current_wal_insert_lsn() - '0/0' AS bytes",
  );
  return Number(rows[0]?.bytes);
}

/** Processor time of all processes of the server, those that have ended included. */
async function serverMicroseconds(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ readonly directory: string }>(
    "SELECT setting AS directory FROM pg_settings WHERE name = 'data_directory'",
  );
  const directory = rows[0]?.directory ?? "";
  const ticks = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && workingDirectoryOf(name) === directory)
    .map((pid) => {
      // After the name of the program, which may hold anything: the 12th to the 15th field from there on.
      const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
        .replace(/^.*\) /s, "")
        .split(" ");
      const isMaster = readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("listen_addresses");
      const own = fields.slice(11, isMaster ? 15 : 13).map(Number);
      return own.reduce((sum, value) => sum + value, 0);
    });
  if (ticks.length === 0) {
    throw new Error(
      "the server is none of this machine, or not to be looked at: unset DATABASE_URL.",
    );
  }
  return (ticks.reduce((sum, value) => sum + value, 0) / ticksPerSecond) * 1e6;
}

const ticksPerSecond = 100;

function workingDirectoryOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return "";
  }
}
