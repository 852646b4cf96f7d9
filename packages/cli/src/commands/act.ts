/** `replay`, `release`, `cancel` and `erase`: counted first, agreed to where they are many, with progress. */

import { userInfo } from "node:os";
import {
  type EventFilter,
  type Inbox,
  type Intervened,
  type ReplayOptions,
  type Which,
  visibleJson,
} from "@webhook-inbox/core";
import { agree } from "../agree.ts";
import type { Console } from "../console.ts";
import { Exit } from "../exit.ts";
import { Progress } from "../progress.ts";

export interface ActOptions {
  readonly by?: string;
  readonly why?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
  readonly perSecond?: number;
  readonly rerun?: boolean;
}

export type Verb = "replay" | "release" | "cancel" | "erase";

const pastOf: Readonly<Record<Verb, string>> = {
  replay: "replayed",
  release: "released",
  cancel: "cancelled",
  erase: "erased",
};

/** Beyond so many, somebody has to agree. */
const agreedAbove = 100;

export async function act(
  inbox: Inbox,
  verb: Verb,
  which: Which,
  { dryRun = false, json = false, ...options }: ActOptions,
  console: Console,
): Promise<void> {
  const { out, err, stopped } = console;
  const said = { by: options.by ?? userInfo().username, reason: options.why ?? "" };
  const counted = await inbox[verb](which, { ...said, dryRun: true, signal: stopped });
  if (counted.isStopped === true) throw new Exit("failed", "stopped: nothing was changed.");
  const expected = counted.count + (counted.spilled ?? 0);
  const isMissing = Array.isArray(which) && expected === 0;
  if (isMissing)
    throw new Exit(
      "notFound",
      `there is nothing to ${verb}: no event has this key, or it is in another state.`,
    );
  if (!dryRun && expected > 0) await agreed(verb, expected, options.yes === true, console);
  const progress = new Progress(err, expected);
  const asked: ReplayOptions = {
    ...said,
    dryRun,
    signal: stopped,
    onProgress: (count) => progress.show(count),
    ...(options.perSecond === undefined ? {} : { perSecond: options.perSecond }),
    ...(options.rerun === true ? { rerun: true } : {}),
  };
  const done: Intervened = await inbox[verb](which, asked).finally(() => progress.end());
  if (json) out.write(`${visibleJson({ act: verb, dryRun, ...done })}\n`);
  else out.write(`${sentence(verb, done, dryRun)}\n`);
  if (done.isStopped === true) {
    throw new Exit(
      "failed",
      `stopped after ${done.count} of ${expected}: the same command goes on.`,
    );
  }
}

const eventsOf = (count: number): string => (count === 1 ? "1 event" : `${count} events`);

function sentence(verb: Verb, { count, spilled = 0 }: Intervened, dryRun: boolean): string {
  const inSpill = `${spilled === 1 ? "1 delivery" : `${spilled} deliveries`} in the spill`;
  const found = [
    ...(count > 0 || spilled === 0 ? [eventsOf(count)] : []),
    ...(spilled > 0 ? [inSpill] : []),
  ].join(" and ");
  return dryRun ? `${found} would be ${pastOf[verb]}.` : `${found} ${pastOf[verb]}.`;
}

async function agreed(verb: Verb, count: number, isYes: boolean, console: Console): Promise<void> {
  if (isYes || (count <= agreedAbove && verb !== "erase")) return;
  const warning = verb === "erase" ? " This cannot be undone." : "";
  const does = `${verb} ${eventsOf(count)}.${warning}`;
  await agree({ does, phrase: String(count), else: ", or look first with --dry-run" }, console);
}

/** By keys, or by a filter that names a state. */
export function selectionOf(keys: readonly string[], filter: EventFilter): Which {
  const { state } = filter;
  if (keys.length > 0) {
    if (Object.keys(filter).length === 0) return keys;
    throw new Exit("usage", "give keys, or a selection such as --state dead, not both.");
  }
  if (state !== undefined) return { ...filter, state };
  throw new Exit(
    "usage",
    "which events? Give keys, or a selection with a state, such as --state dead.",
  );
}
