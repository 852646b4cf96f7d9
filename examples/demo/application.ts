/** The Express example as a process of its own, and a look into the file where it keeps its events. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { styleText } from "node:util";
import { systemClock, type EventRecord } from "@webhook-inbox/core";
import { sqlite } from "@webhook-inbox/core/sqlite";
import { note } from "./report.ts";

export interface Application {
  readonly url: string;
  /** What its handlers have printed. */
  readonly handled: readonly string[];
  /** All events in its store. */
  events(): Promise<readonly EventRecord[]>;
  /** Resolves when no event is pending or running. */
  quiet(): Promise<void>;
  kill(): void;
  /** Resolves when the process has ended. */
  ended(): Promise<void>;
}

const main = join(import.meta.dirname, "../express/main.ts");
const quietMsMax = 30_000;

export async function startApplication(
  environment: Readonly<Record<string, string>> & { readonly DATABASE: string },
): Promise<Application> {
  const child = spawn(process.execPath, [main], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  createInterface(child.stderr).on("line", (line) => note(styleText("dim", line)));
  const ended = once(child, "exit");
  const handled: string[] = [];
  const port = new Promise<number>((resolve) => {
    createInterface(child.stdout).on("line", (line) => {
      if (line.startsWith("handled ")) handled.push(line.slice("handled ".length));
      const found = /^listening on .*port: (\d+)/.exec(line);
      if (found !== null) resolve(Number(found[1]));
    });
  });
  const early = ended.then(() => Promise.reject(new Error("the application did not start")));
  const url = `http://127.0.0.1:${await Promise.race([port, early])}`;
  early.catch(() => undefined);
  const events = (): Promise<readonly EventRecord[]> => allEvents(environment.DATABASE);
  return {
    url,
    handled,
    events,
    async quiet() {
      const deadline = Date.now() + quietMsMax;
      while (Date.now() < deadline) {
        const open = (await events()).some(
          ({ state }) => state === "pending" || state === "running",
        );
        // What a handler printed before it was settled is in the pipe by now: let it come in.
        await pause(20);
        if (!open) return;
      }
      throw new Error("events are still waiting after 30 s");
    },
    kill: () => void child.kill("SIGKILL"),
    ended: async () => void (await ended),
  };
}

async function allEvents(file: string): Promise<readonly EventRecord[]> {
  const store = sqlite(file);
  await store.open({ clock: systemClock });
  try {
    const all: EventRecord[] = [];
    let cursor: string | undefined;
    do {
      const page = await store.list(cursor === undefined ? {} : { cursor });
      all.push(...page.events);
      ({ cursor } = page);
    } while (cursor !== undefined);
    return all;
  } finally {
    await store.close();
  }
}
