/** `show`: one event, with its attempts, what people did to it, and its delivery. */

import {
  type EventRecord,
  type EventView,
  type Inbox,
  visible,
  visibleJson,
} from "@webhook-inbox/core";
import type { Console } from "../console.ts";
import { Exit } from "../exit.ts";
import { duration, instant } from "../text.ts";
import { dueIn } from "./list.ts";

export async function show(
  inbox: Inbox,
  key: string,
  json: boolean,
  { out }: Console,
): Promise<void> {
  const view = await inbox.view(key);
  if (view === undefined) throw missing(key);
  out.write(`${json ? visibleJson(view) : textOf(view)}\n`);
}

/** Writes the exact bytes of the body, which may steer a terminal: never to one. */
export async function showBody(inbox: Inbox, key: string, { out }: Console): Promise<void> {
  if (out.isTTY === true) {
    throw new Exit(
      "refused",
      "--raw writes what the sender wrote: redirect it, as in > body.json.",
    );
  }
  const kept = await inbox.get(key);
  if (kept === undefined) throw missing(key);
  if (kept.delivery === undefined) {
    throw new Exit("notFound", `the delivery of ${visible(key)} was forgotten or erased.`);
  }
  out.write(kept.delivery.body);
}

const missing = (key: string): Exit =>
  new Exit("notFound", `there is no event with the key ${visible(key)}.`);

function textOf({ event, delivery }: EventView): string {
  const lines = [...fieldsOf(event), ...attemptsOf(event), ...interventionsOf(event)];
  if (delivery === undefined)
    return [...lines, "", "Its delivery was forgotten or erased."].join("\n");
  const { method, target, account, headers, content, bodyBytes, reconstructed, verifiedWith } =
    delivery;
  lines.push("", `DELIVERY  ${visible(`${method} ${target}`)}`);
  lines.push(field("verified", verifiedWith));
  if (account !== undefined) lines.push(field("account", account));
  if (reconstructed)
    lines.push(field("body", "reconstructed: a parser had consumed the exact bytes"));
  lines.push(...headers.map(([name, value]) => `  ${visible(name)}: ${visible(value)}`));
  const size = `CONTENT   ${bodyBytes} bytes, personal values masked`;
  const shown =
    content === undefined
      ? "  It cannot be read: --raw writes its bytes."
      : visibleJson(content, 2);
  return [...lines, "", size, shown].join("\n");
}

const field = (name: string, value: string): string => `  ${name.padEnd(12)}${visible(value)}`;

function fieldsOf(event: EventRecord): readonly string[] {
  const { key, source, id, type, state, reason, occurredAt, receivedAt } = event;
  const fields: readonly (readonly [string, string | undefined])[] = [
    ["id", id],
    ["source", source],
    ["type", type],
    [
      "state",
      [state, reason === undefined ? "" : `(${reason})`, dueIn(event)].filter(Boolean).join(" "),
    ],
    ["received", instant(receivedAt)],
    ["occurred", occurredAt === undefined ? undefined : instant(occurredAt)],
    ["attempts", `${event.attempts}${event.replayed ? " since it was replayed" : ""}`],
    ["crashes", event.crashes === 0 ? undefined : String(event.crashes)],
    ["duplicates", event.duplicates === 0 ? undefined : String(event.duplicates)],
    ["finished", event.finished.join(", ") || undefined],
    ["gave up", event.gaveUp.join(", ") || undefined],
    ["notes", event.notes.join(", ") || undefined],
  ];
  const given = fields.flatMap(([name, value]) =>
    value === undefined ? [] : [field(name, value)],
  );
  return [`EVENT     ${visible(key)}`, ...given];
}

function attemptsOf({ history }: EventRecord): readonly string[] {
  if (history.length === 0) return [];
  const attempts = history.flatMap(({ startedAt, durationMs, failures }) => [
    `  ${instant(startedAt)}  ${failures.length === 0 ? "succeeded" : "failed"} after ${duration(durationMs)}`,
    ...failures.map(
      ({ handler, name, message }) => `    ${visible(`${handler}: ${name}: ${message}`)}`,
    ),
  ]);
  return ["", "ATTEMPTS", ...attempts];
}

function interventionsOf({ interventions }: EventRecord): readonly string[] {
  if (interventions.length === 0) return [];
  const acts = interventions.map(
    ({ act, at, by, reason }) =>
      `  ${instant(at)}  ${visible(`${act} by ${by}${reason === "" ? "" : `: ${reason}`}`)}`,
  );
  return ["", "PEOPLE", ...acts];
}
