/**
 * Receiving: everything between a request and its answer, in this order and no other. What a delivery says is looked at
 * only once it is authentic, and from then on nothing about it can lead to a refusal.
 */

import type { Clock } from "../contracts/clock.ts";
import type { Answer, BodyRead, BodySource } from "../contracts/door.ts";
import type { ConfiguredSource } from "../contracts/source.ts";
import type { Taken } from "../contracts/store.ts";
import type { Evidence, Verifier } from "../contracts/verifier.ts";
import { queryOf, type DeliveryHead } from "../model/delivery.ts";
import type { NewEvent } from "../model/event.ts";
import type { Receipt } from "../model/receipt.ts";
import type { Diagnosis, Verdict } from "../model/verdict.ts";
import { summaryOf } from "../observe/redact.ts";
import type { Emit } from "../observe/signals.ts";
import type { Admission, Pass } from "./admission.ts";
import * as answers from "./answer.ts";
import type { Custody } from "./custody.ts";
import { announcedBytes, headFault, isDirectLoopback, isPrefetch } from "./head.ts";
import { deliveryOf, identify, unidentified } from "./identify.ts";
import { routeOf, type Route } from "./route.ts";

/** What receiving needs of its inbox. */
export interface Receiving {
  readonly path: string;
  readonly sources: ReadonlyMap<string, ConfiguredSource>;
  /** Room for deliveries whose credential was verified before their body is read. */
  readonly admission: Admission;
  /** Room, smaller, for bodies that are read before anything is verified. */
  readonly unverified: Admission;
  readonly custody: Custody;
  readonly clock: Clock;
  readonly random: () => number;
  readonly emit: Emit;
  /** Resolves once the store is open; rejects while it cannot be opened. */
  readonly ready: () => Promise<void>;
}

/** A larger body is read by a worker: parsing it here would keep other answers waiting. */
const identifiedBytesMax = 262_144;

type Routed = Extract<Route, { kind: "source" }>;

interface Decision {
  readonly answer: Answer;
  readonly receipts: readonly Receipt[];
}

/** The answer to a request; undefined when its path is not ours. Never rejects. */
export function receive(
  on: Receiving,
  head: DeliveryHead,
  body: BodySource,
): Promise<Answer> | undefined {
  const route = routeOf(on.sources, on.path, head.target);
  if (route.kind === "elsewhere") return undefined;
  if (route.kind === "unknown") return Promise.resolve(answers.notFound);
  return receiveAt(on, route, head, body);
}

async function receiveAt(
  on: Receiving,
  route: Routed,
  head: DeliveryHead,
  body: BodySource,
): Promise<Answer> {
  const source = route.source.name;
  try {
    const { answer, receipts } = await decide(on, route, head, body);
    for (const receipt of receipts) on.emit({ kind: "received", source, receipt });
    return answer;
  } catch (error) {
    on.emit({ kind: "receive_failed", source, error: summaryOf(error) });
    return answers.failure;
  }
}

async function decide(
  on: Receiving,
  route: Routed,
  head: DeliveryHead,
  body: BodySource,
): Promise<Decision> {
  const { source } = route;
  const { methods } = source.provider;
  if (!methods.some((method) => method === head.method) || isPrefetch(head)) {
    return refused(answers.methodNotAllowed(methods));
  }
  const fault = headFault(head, source);
  if (fault !== undefined) return refused(fault);
  if (announcedBytes(head) > source.bodyBytesMax) return refused(answers.tooLarge);
  const isVouchedFor = source.headVerifiers.length > 0;
  const pass = (isVouchedFor ? on.admission : on.unverified).enter();
  if (pass === undefined) return refused(answers.unavailable(on.random));
  try {
    return await decideAdmitted(on, route, head, body, pass);
  } finally {
    pass.leave();
  }
}

async function decideAdmitted(
  on: Receiving,
  route: Routed,
  head: DeliveryHead,
  body: BodySource,
  pass: Pass,
): Promise<Decision> {
  const { source, token } = route;
  const evidence: Evidence = {
    headers: head.headers,
    query: queryOf(head.target),
    token,
    body: new Uint8Array(),
    now: on.clock.now(),
  };
  const early =
    source.credential === "loopback" ? direct(head) : verify(source.headVerifiers, evidence);
  if (!early.ok) return refused(answers.unauthorized, early.diagnosis);

  const read: BodyRead =
    head.method === "GET"
      ? { kind: "read", bytes: evidence.body, reconstructed: false }
      : await body.read(source.bodyBytesMax, (held) => pass.grow(held));
  if (read.kind !== "read") return unread(on, source, read);
  if (read.reconstructed) {
    const lost = source.bodyVerifiers.length > 0;
    on.emit({ kind: "body_consumed", source: source.name, lost });
    if (lost) return refused(answers.failure);
  }

  const late = verify(source.bodyVerifiers, { ...evidence, body: read.bytes });
  if (!late.ok) return refused(answers.unauthorized, late.diagnosis);

  const delivery = deliveryOf(source, head, {
    target: route.target,
    token,
    segment: route.segment,
    body: read.bytes,
    reconstructed: read.reconstructed,
    verifiedWith: [early.secret, late.secret].filter(Boolean).join(" ") || "none",
    receivedAt: evidence.now,
  });
  if (read.bytes.length > identifiedBytesMax && source.credential === "required") {
    return await keep(on, [unidentified(source, delivery, undefined)]);
  }
  const identified = identify(source, delivery);
  if (identified.kind === "nothing") return { answer: answers.ok, receipts: [{ kind: "nothing" }] };
  if (identified.kind === "unreadable" && source.credential !== "required") {
    return refused(answers.badRequest);
  }
  return await keep(on, identified.kind === "events" ? identified.events : [identified.event]);
}

/** Custody, then 200. Without custody 503: the sender is told the truth. */
async function keep(on: Receiving, events: readonly NewEvent[]): Promise<Decision> {
  try {
    await on.ready();
  } catch {
    return refused(answers.unavailable(on.random));
  }
  try {
    const taken = await on.custody.take(events);
    return {
      answer: answers.ok,
      receipts: taken.map((one, index) => receiptOf(one, events[index])),
    };
  } catch (error) {
    on.emit({ kind: "store_failed", verb: "take", error: summaryOf(error) });
    return refused(answers.unavailable(on.random));
  }
}

function receiptOf(taken: Taken, event: NewEvent | undefined): Receipt {
  const key = event?.key ?? "";
  return taken.kind === "taken" && event?.quarantine !== undefined
    ? { kind: "quarantined", key, reason: event.quarantine }
    : { kind: taken.kind, key };
}

/** All of them must accept; `secret` names the ones that matched. */
function verify(verifiers: readonly Verifier[], evidence: Evidence): Verdict {
  const secrets: string[] = [];
  for (const verifier of verifiers) {
    const verdict = verifier.verify(evidence);
    if (!verdict.ok) return verdict;
    secrets.push(verdict.secret);
  }
  return { ok: true, secret: secrets.join(" ") };
}

function direct(head: DeliveryHead): Verdict {
  return isDirectLoopback(head)
    ? { ok: true, secret: "" }
    : { ok: false, diagnosis: { code: "exposed", credential: "none" } };
}

function unread(
  on: Receiving,
  source: ConfiguredSource,
  read: Exclude<BodyRead, { kind: "read" }>,
): Decision {
  switch (read.kind) {
    case "too_large":
      return refused(answers.tooLarge);
    case "no_room":
      return refused(answers.unavailable(on.random));
    case "too_slow":
      return refused(answers.tooSlow);
    case "aborted":
      return refused(answers.badRequest);
    case "consumed":
      on.emit({ kind: "body_consumed", source: source.name, lost: true });
      return refused(answers.failure);
  }
}

function refused(answer: Answer, diagnosis?: Diagnosis): Decision {
  const { status } = answer;
  const receipt: Receipt =
    diagnosis === undefined ? { kind: "refused", status } : { kind: "refused", status, diagnosis };
  return { answer, receipts: [receipt] };
}
