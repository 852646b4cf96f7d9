/** An inbox of two sources on a manual clock, with a logger that remembers: for tests of the work half. */

import {
  createInbox,
  type InboxOptions,
  type NoTransaction,
  type Store,
} from "@webhook-inbox/core";
import { memory } from "@webhook-inbox/core/memory";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { vi } from "vitest";
import { ManualClock } from "./clock.ts";
import { rememberingLogger } from "./log.ts";
import { ask, serve } from "./served.ts";

export const minute = 60_000;

function sourcesOf() {
  return { socialdata: socialData({ token: "t" }), other: socialData({ token: "t" }) };
}

type DeskOptions<T> = Partial<InboxOptions<ReturnType<typeof sourcesOf>, T>>;

export function deskOn<T>(store: Store<T>, options: DeskOptions<T> = {}) {
  const clock = new ManualClock();
  const log = rememberingLogger();
  const inbox = createInbox({ store, sources: sourcesOf(), clock, logger: log.logger, ...options });
  const key = async (id: number): Promise<string> => {
    const { events } = await inbox.list();
    return events.find((event) => event.id === `job:${id}:error`)?.key ?? "";
  };
  return {
    clock,
    inbox,
    lines: log.lines,
    serve: () => serve(inbox),
    /** The record of a job's event. */
    record: async (id = 1) => (await inbox.get(await key(id)))?.event,
  };
}

export const desk = (options: DeskOptions<NoTransaction> = {}) =>
  deskOn(memory({ acceptLoss: true }), options);

export function deliver(served: Awaited<ReturnType<typeof serve>>, id = 1, source = "socialdata") {
  const body = JSON.stringify({ event: "job_finished", data: { job_id: id, status: "error" } });
  return ask(served, `/webhooks/${source}/t`, { body });
}

/** Resolves when a signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
}

/** Closes an inbox whose handlers do not end: its clock goes on until it has waited long enough. */
export async function closeStuck({
  clock,
  inbox,
}: {
  readonly clock: ManualClock;
  readonly inbox: { close(): Promise<void> };
}): Promise<void> {
  let hasClosed = false;
  const closing = inbox.close().then(() => (hasClosed = true));
  await vi.waitUntil(() => {
    clock.advance(25_000);
    return hasClosed;
  });
  await closing;
}
