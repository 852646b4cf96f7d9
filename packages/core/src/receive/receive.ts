/**
 * Receiving: everything between a request and its answer, in this order and no other. What a delivery says is looked at
 * only once it is authentic, and from then on nothing about it can lead to a refusal.
 */

import type { Clock } from "../contracts/clock.ts";
import type { Answer, BodyRead, BodySource } from "../contracts/door.ts";
import type { ConfiguredSource, Gate } from "../contracts/source.ts";
import type { Taken } from "../contracts/store.ts";
import type { Delivery, DeliveryHead } from "../model/delivery.ts";
import type { NewEvent } from "../model/event.ts";
import type { Receipt } from "../model/receipt.ts";
import type { Diagnosis } from "../model/verdict.ts";
import { summaryOf } from "../observe/redact.ts";
import type { Emit } from "../observe/signals.ts";
import type { Telemetry } from "../observe/telemetry.ts";
import type { Admission, Pass } from "./admission.ts";
import * as answers from "./answer.ts";
import { announcedBytes, headFault, isPrefetch } from "./head.ts";
import { direct, prove } from "./prove.ts";
import { deliveryOf } from "./delivery.ts";
import { evidenceOf, evidenceTools } from "./evidence.ts";
import { eventsOf, identify, isReadLate, unverified } from "./identify.ts";
import { answerChallenge, answerHandshake, type Replied } from "./handshake.ts";
import { placeOf, routeOf, type Place, type Route } from "./route.ts";
import { refusedBytesMax, type Refusals } from "./refusals.ts";
import type { Spilled } from "./spill.ts";
import type { Spilling } from "./spilling.ts";

/** What receiving needs of its inbox. */
export interface Receiving {
  readonly path: string;
  readonly sources: ReadonlyMap<string, ConfiguredSource>;
  /** Room for deliveries whose credential was verified before their body is read. */
  readonly admission: Admission;
  /** Room, smaller, for bodies that are read before anything is verified. */
  readonly unverified: Admission;
  /** Room, smaller still, for bodies that are read though their credential was refused. */
  readonly refused: Admission;
  readonly refusals: Pick<Refusals, "hasRoom" | "add">;
  readonly custody: Pick<Spilling, "take">;
  readonly clock: Clock;
  readonly random: () => number;
  /** For keys that providers publish, and handshakes. */
  readonly fetch: typeof globalThis.fetch;
  /** How the world reaches the mount point, such as `https://hooks.example.com`; empty where nobody said. */
  readonly publicUrl: string;
  readonly telemetry: Pick<Telemetry, "received">;
  readonly emit: Emit;
}

type Routed = Extract<Route, { kind: "source" }>;

interface Decision {
  readonly answer: Answer;
  readonly receipts: readonly Receipt[];
  /** The secrets that matched. */
  readonly verifiedWith?: string;
}

/** The answer to a request; undefined when its path is not ours. Never rejects. */
export function receive(
  on: Receiving,
  head: DeliveryHead,
  body: BodySource,
): Promise<Answer> | undefined {
  const route = routeOf(on.sources, on.path, head.target);
  if (route.kind === "elsewhere") return undefined;
  if (route.kind === "unknown") return Promise.resolve(notFound(on, undefined));
  const { gate } = route.source;
  const place = gate === undefined ? undefined : placeOf(on.path, route, gate);
  if (gate !== undefined && place === undefined) {
    return Promise.resolve(notFound(on, route.source.name));
  }
  return receiveAt(on, route, head, body, gate && place && { gate, place });
}

function notFound(on: Pick<Receiving, "emit">, source: string | undefined): Answer {
  on.emit({ kind: "not_found", source });
  return answers.notFound;
}

/** A gate, and where in its source a request goes. */
interface Entrance {
  readonly gate: Gate;
  readonly place: Place;
}

async function receiveAt(
  on: Receiving,
  route: Routed,
  head: DeliveryHead,
  body: BodySource,
  entrance: Entrance | undefined,
): Promise<Answer> {
  const source = route.source.name;
  try {
    const { answer, receipts, verifiedWith } = await on.telemetry.received(
      { source, headers: head.headers },
      (trace) => decide(on, route, head, body, { entrance, trace }),
    );
    const more = verifiedWith === undefined ? {} : { verifiedWith };
    for (const receipt of receipts) on.emit({ kind: "received", source, receipt, ...more });
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
  {
    entrance,
    trace,
  }: { readonly entrance: Entrance | undefined; readonly trace: string | undefined },
): Promise<Decision> {
  const { source } = route;
  const methods = methodsOf(source);
  if (!methods.some((method) => method === head.method) || isPrefetch(head)) {
    return refused(answers.methodNotAllowed(methods));
  }
  const fault = entrance && headFault(head, entrance.gate);
  if (fault !== undefined) return refused(fault);
  if (announcedBytes(head) > source.bodyBytesMax) return refused(answers.tooLarge);
  const isVouchedFor = entrance !== undefined && entrance.gate.headVerifiers.length > 0;
  const pass = (isVouchedFor ? on.admission : on.unverified).enter();
  if (pass === undefined) return refused(answers.unavailable(on.random));
  try {
    const entered = entrance ?? (await accountEntrance(on, route));
    if (entered === "unavailable") return refused(answers.unavailable(on.random));
    if (entered === undefined) return { answer: notFound(on, source.name), receipts: [] };
    const late = entrance === undefined ? headFault(head, entered.gate) : undefined;
    if (late !== undefined) return refused(late);
    return await decideAdmitted(on, source, head, body, { ...entered, ...route, trace, pass });
  } finally {
    pass.leave();
  }
}

/** Whoever has accounts looks one up; an account that is none is no path of ours. */
async function accountEntrance(
  on: Receiving,
  route: Routed,
): Promise<Entrance | "unavailable" | undefined> {
  const { source, account = "" } = route;
  try {
    const gate = await source.gateOf(account, evidenceTools(on, source));
    const place = gate && placeOf(on.path, route, gate);
    return gate && place && { gate, place };
  } catch (error) {
    on.emit({ kind: "keys_failed", source: source.name, error: summaryOf(error) });
    return "unavailable";
  }
}

function methodsOf({ provider }: ConfiguredSource): readonly string[] {
  const { methods, challenge } = provider;
  return challenge === undefined || methods.includes("GET") ? methods : ["GET", ...methods];
}

interface Entered extends Entrance {
  readonly account: string | undefined;
  readonly trace: string | undefined;
  readonly pass: Pass;
}

async function decideAdmitted(
  on: Receiving,
  source: ConfiguredSource,
  head: DeliveryHead,
  body: BodySource,
  { gate, place, account, trace, pass }: Entered,
): Promise<Decision> {
  const { token, target, segment } = place;
  const tools = evidenceTools(on, source);
  const evidence = evidenceOf(on.publicUrl, head, {
    token,
    body: new Uint8Array(),
    arrivedAt: tools.now,
    ...tools,
  });
  const traced = trace === undefined ? {} : { trace };
  const seen = { target, token, account, segment, receivedAt: tools.now, ...traced };
  const unprovedWith = (diagnosis: Diagnosis, read: Read | undefined): Decision => {
    if (read !== undefined) {
      const { bytes, reconstructed } = read;
      const kept = { ...seen, body: bytes, reconstructed };
      on.refusals.add(source, { gate, head, read: kept, diagnosis });
    }
    return unproved(on, diagnosis);
  };
  const proving =
    gate.credential === "loopback" ? direct(head) : prove(gate, "headVerifiers", evidence);
  const early = proving instanceof Promise ? await proving : proving;
  if (!early.ok) {
    const mayBeKept = gate.credential === "required" && on.refusals.hasRoom(source.name);
    const read = mayBeKept ? await readRefused(on, head, body) : undefined;
    return unprovedWith(early.diagnosis, read);
  }
  if (head.method === "GET" && source.provider.challenge !== undefined) {
    return decided(await answerChallenge(source.provider.challenge, gate, evidence), on);
  }

  const read: BodyRead =
    head.method === "GET"
      ? { kind: "read", bytes: evidence.body, reconstructed: false }
      : await body.read(source.bodyBytesMax, (held) => pass.grow(held));
  if (read.kind !== "read") return unread(on, source, read);
  if (read.reconstructed) {
    const lost = gate.bodyVerifiers.length > 0;
    on.emit({ kind: "body_consumed", source: source.name, lost });
    if (lost) return refused(answers.failure);
  }

  const provingBody = prove(gate, "bodyVerifiers", { ...evidence, body: read.bytes });
  const late = provingBody instanceof Promise ? await provingBody : provingBody;
  if (!late.ok) {
    return unprovedWith(late.diagnosis, read.bytes.length <= refusedBytesMax ? read : undefined);
  }

  const verifiedWith = [early.secret, late.secret].filter(Boolean).join(" ") || unverified;
  const { reconstructed } = read;
  const delivery = deliveryOf(gate, head, {
    ...seen,
    body: read.bytes,
    reconstructed,
    verifiedWith,
  });
  const isProved = gate.credential === "required";
  const decision = await decideAuthentic(on, source, delivery, isProved);
  return isProved ? { ...decision, verifiedWith } : decision;
}

type Read = Extract<BodyRead, { kind: "read" }>;

/** How long the answer to a refused delivery waits for the rest of its body. */
const refusedMs = 1000;

/** The body of a delivery that is refused already; undefined where it is large, or slow. */
async function readRefused(
  on: Receiving,
  head: DeliveryHead,
  body: BodySource,
): Promise<Read | undefined> {
  if (announcedBytes(head) > refusedBytesMax) return undefined;
  if (head.method === "GET") return { kind: "read", bytes: new Uint8Array(), reconstructed: false };
  const pass = on.refused.enter();
  if (pass === undefined) return undefined;
  const reading = body.read(refusedBytesMax, (held) => pass.grow(held)).finally(() => pass.leave());
  return await new Promise((resolve, reject) => {
    const cancel = on.clock.after(refusedMs, () => resolve(undefined));
    reading
      .then((read) => resolve(read.kind === "read" ? read : undefined), reject)
      .finally(cancel);
  });
}

/** From here on nothing about a delivery whose sender is proved can lead to a refusal. */
async function decideAuthentic(
  on: Receiving,
  source: ConfiguredSource,
  delivery: Delivery,
  isProved: boolean,
): Promise<Decision> {
  const accepted = answers.replied(source.accepted);
  if (isReadLate(source, delivery))
    return await keep(on, source, accepted, eventsOf(source, delivery));
  if (source.provider.handshake !== undefined) {
    const reply = await answerHandshake(source, delivery, on);
    if (reply !== undefined) return decided(reply, on);
  }
  const identified = identify(source, delivery);
  if (identified.kind === "nothing") return { answer: accepted, receipts: [{ kind: "nothing" }] };
  if (identified.kind === "unreadable" && !isProved) return refused(answers.badRequest);
  const events = identified.kind === "events" ? identified.events : [identified.event];
  return await keep(on, source, accepted, events);
}

/** What became of a provider's question. */
function decided(reply: Replied, on: Receiving): Decision {
  switch (reply.kind) {
    case "replied":
      return { answer: answers.replied(reply.reply), receipts: [{ kind: "handshake" }] };
    case "no_question":
      return refused(answers.badRequest);
    case "refused":
      return unproved(on, reply.diagnosis);
    case "failed":
      return refused(answers.unavailable(on.random));
  }
}

/** One 401 for every cause. Keys that cannot be fetched are our trouble, and the sender is asked to come again. */
function unproved(on: Receiving, diagnosis: Diagnosis): Decision {
  return diagnosis.code === "key_unavailable"
    ? refused(answers.unavailable(on.random), diagnosis)
    : refused(answers.unauthorized, diagnosis);
}

/** Custody, then 200. Without custody 503: the sender is told the truth. */
async function keep(
  on: Receiving,
  source: ConfiguredSource,
  accepted: Answer,
  events: readonly NewEvent[],
): Promise<Decision> {
  const { redelivers, ackDeadlineMs = ackDeadlineMsDefault } = source.provider.habits;
  try {
    const taken = await on.custody.take(source, events, ackDeadlineMs * holdShare);
    return {
      answer: accepted,
      receipts: taken.map((one, index) => receiptOf(one, events[index])),
    };
  } catch {
    if (redelivers !== "automatic") on.emit({ kind: "possibly_lost", source: source.name });
    return refused(answers.unavailable(on.random));
  }
}

const ackDeadlineMsDefault = 4000;
/** How much of that time is used to find a place for a delivery. */
const holdShare = 0.6;

function receiptOf(taken: Taken | Spilled, event: NewEvent | undefined): Receipt {
  const key = event?.key ?? "";
  return taken.kind === "taken" && event?.quarantine !== undefined
    ? { kind: "quarantined", key, reason: event.quarantine }
    : { kind: taken.kind, key };
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
