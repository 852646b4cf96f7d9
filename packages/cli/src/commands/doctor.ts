/** `doctor`: looks at everything that can be wrong between a provider and a handler, and says what to do. */

import { visible, visibleJson } from "@webhook-inbox/core";
import type { Command } from "commander";
import { command, type Common } from "../command.ts";
import type { Console } from "../console.ts";
import { ok, type Check } from "../doctor/check.ts";
import { eventChecks } from "../doctor/events.ts";
import { refusalChecks, sourceChecks, urlChecks } from "../doctor/sources.ts";
import { clockCheck, spillChecks, storeChecks } from "../doctor/store.ts";
import { Exit } from "../exit.ts";
import { openInbox, type Opened } from "../open.ts";
import { urlBase } from "../select.ts";

interface DoctorOptions extends Common {
  readonly url?: string;
}

export function defineDoctor(program: Command, console: Console): void {
  command(
    program,
    "doctor",
    "look for what is wrong: configuration, store, clock, public URL, refusals",
  )
    .option(
      "--url <url>",
      "what stands before the path of the inbox in the URLs at providers",
      urlBase,
    )
    .action(async (options: DoctorOptions) => {
      if (options.url !== undefined && options.inbox === undefined) {
        throw new Exit("usage", "--url leads to your sources: name them with --inbox <module>.");
      }
      const opened = await openInbox(options, console, { isStrict: true });
      try {
        await say(await checksOf(opened, options), options.json ?? false, console);
      } finally {
        await opened.close();
      }
    });
}

async function checksOf(opened: Opened, { url }: DoctorOptions): Promise<readonly Check[]> {
  const { inbox, place } = opened;
  const store = await storeChecks(inbox);
  const first = [...(await ownChecks(opened, url)), ...store.checks];
  if (!store.isThere) return first;
  return [
    ...first,
    await clockCheck(place ?? {}),
    ...(await refusalChecks(inbox)),
    ...(await eventChecks(inbox)),
  ];
}

/** Of the user's own inbox. One that is named by the URL of its store has no sources. */
async function ownChecks(
  { inbox, place }: Opened,
  url: string | undefined,
): Promise<readonly Check[]> {
  if (place !== undefined) {
    return [
      ok("configuration", "sources, spill and public URL are looked at with --inbox <module>"),
    ];
  }
  const health = await inbox.health();
  const { sources } = health;
  return [...sourceChecks(sources), ...(await urlChecks(sources, url)), ...spillChecks(health)];
}

const signs: Readonly<Record<Check["level"], string>> = {
  ok: "ok",
  warning: "look",
  failure: "FAIL",
};

async function say(checks: readonly Check[], json: boolean, { out }: Console): Promise<void> {
  for (const check of checks) {
    const line = `${signs[check.level].padEnd(5)} ${check.of.padEnd(14)} ${visible(check.text)}`;
    out.write(`${json ? visibleJson(check) : line}\n`);
  }
  const failures = checks.filter(({ level }) => level === "failure").length;
  if (failures > 0)
    throw new Exit("failed", `${failures} ${failures === 1 ? "failure" : "failures"}.`);
}
