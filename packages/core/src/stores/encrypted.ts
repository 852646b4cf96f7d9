/**
 * Encryption at rest, around any store: what a sender has said (body, headers, path and query) is written as AES-256-GCM under a key
 * of the user's, and read back. Ids, types, states and times are in the clear: dedup, order and lists need them.
 *
 * @module @webhook-inbox/core/encrypted
 */

import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import type {
  Claim,
  ClaimAnswer,
  ClaimAsk,
  Kept,
  Store,
  TakeAsk,
  Taken,
} from "../contracts/store.ts";
import { refuseUnknown, WebhookInboxError } from "../errors.ts";
import type { Delivery } from "../model/delivery.ts";
import type { NewEvent } from "../model/event.ts";
import type { Outcome, Settlement } from "../model/settlement.ts";

export interface EncryptionKey {
  /** What it is known by where it was used: letters, digits, `.`, `_` and `-`, at most 64 of them. Never use one again. */
  readonly id: string;
  /** 32 bytes, as they are or as text in hex or base64: `openssl rand -base64 32`. */
  readonly key: string | Uint8Array;
}

export interface EncryptedOptions {
  /** The first one encrypts; all of them decrypt. To rotate, put a new one in front. */
  readonly keys: readonly EncryptionKey[];
}

/**
 * `store`, with everything that senders say encrypted in it. Wrap the spill as well. What was kept before it was wrapped is read as it
 * is. An event whose key is missing is not handled until the key is there again; one that was altered in the store is quarantined
 * as `encrypted`. Throws `OPTION_INVALID`, and `CREDENTIAL_INVALID` for a key that is none.
 *
 * @example
 * store: encrypted(postgres(pool), { keys: [{ id: "2026-11", key: process.env.WEBHOOK_KEY }] })
 */
export function encrypted<Transaction>(
  store: Store<Transaction>,
  options: EncryptedOptions,
): Store<Transaction> {
  refuseUnknown("OPTION_INVALID", "encrypted", options, ["keys"]);
  if (typeof store?.take !== "function") {
    throw new WebhookInboxError("OPTION_INVALID", "encrypted: the first argument must be a store.");
  }
  return new EncryptedStore(store, keysOf(options.keys));
}

interface Keys {
  readonly first: { readonly id: string; readonly bytes: Uint8Array };
  readonly byId: ReadonlyMap<string, Uint8Array>;
}

const keyBytes = 32;
const idPattern = /^[\w.-]{1,64}$/;

function keysOf(given: readonly EncryptionKey[]): Keys {
  const keys = Array.isArray(given) ? given.map(keyOf) : [];
  const [first] = keys;
  if (first === undefined) {
    throw new WebhookInboxError("OPTION_INVALID", "encrypted: keys names none.");
  }
  const byId = new Map(keys.map(({ id, bytes }) => [id, bytes]));
  if (byId.size < keys.length) {
    throw new WebhookInboxError("OPTION_INVALID", "encrypted: two of its keys have the same id.");
  }
  return { first, byId };
}

function keyOf({ id, key }: EncryptionKey): Keys["first"] {
  if (typeof id !== "string" || !idPattern.test(id)) {
    throw new WebhookInboxError(
      "OPTION_INVALID",
      "encrypted: the id of a key must be letters, digits, dots, dashes and underscores, at most 64 of them.",
    );
  }
  const bytes = typeof key === "string" ? textBytes(key) : key;
  if (!(bytes instanceof Uint8Array) || bytes.length !== keyBytes) {
    throw new WebhookInboxError(
      "CREDENTIAL_INVALID",
      `encrypted: the key "${id}" must be ${keyBytes} bytes, or their text in hex or base64. ` +
        "`openssl rand -base64 32` makes one.",
    );
  }
  return { id, bytes };
}

const textBytes = (text: string): Uint8Array =>
  Buffer.from(text, /^[\da-f]{64}$/i.test(text) ? "hex" : "base64");

/** Stands where headers would: no header that was sent can have a space in its name. */
const mark = "webhook-inbox encrypted";
const nonceBytes = 12;
const tagBytes = 16;
const lengthBytes = 4;

/** What is authenticated beside what is encrypted: a row's content moved into another row is found out. */
const boundTo = ({ receivedAt, contentHash }: Delivery): Uint8Array =>
  Buffer.from(`${receivedAt} ${contentHash}`);

/** Nonce, tag, and under encryption the length of the head, the head, the body. */
function sealed(delivery: Delivery, { id, bytes }: Keys["first"]): Delivery {
  const { target, headers, body } = delivery;
  const head = Buffer.from(JSON.stringify({ target, headers }));
  const length = Buffer.alloc(lengthBytes);
  length.writeUInt32BE(head.length);
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv("aes-256-gcm", bytes, nonce).setAAD(boundTo(delivery));
  const parts = [length, head, body].map((part) => cipher.update(part));
  cipher.final();
  return {
    ...delivery,
    target: "",
    headers: [mark, id],
    body: Buffer.concat([nonce, cipher.getAuthTag(), ...parts]),
  };
}

type Opened =
  | { readonly kind: "opened"; readonly delivery: Delivery }
  | { readonly kind: "key_missing"; readonly id: string }
  | { readonly kind: "altered" };

function opened(delivery: Delivery, { byId }: Keys): Opened {
  const [name, id = ""] = delivery.headers;
  if (name !== mark) return { kind: "opened", delivery };
  const key = byId.get(id);
  if (key === undefined) return { kind: "key_missing", id };
  const text = Buffer.from(delivery.body);
  const start = nonceBytes + tagBytes;
  try {
    const decipher = createDecipheriv("aes-256-gcm", key, text.subarray(0, nonceBytes))
      .setAAD(boundTo(delivery))
      .setAuthTag(text.subarray(nonceBytes, start));
    const plain = Buffer.concat([decipher.update(text.subarray(start)), decipher.final()]);
    const bodyStart = lengthBytes + plain.readUInt32BE(0);
    const head = JSON.parse(plain.toString("utf8", lengthBytes, bodyStart)) as Pick<
      Delivery,
      "target" | "headers"
    >;
    return {
      kind: "opened",
      delivery: { ...delivery, ...head, body: plain.subarray(bodyStart) },
    };
  } catch {
    return { kind: "altered" };
  }
}

/** Until an event whose key is missing is looked at again. */
const keyMissingMs = 60_000;

class EncryptedStore<Transaction> implements Store<Transaction> {
  readonly isEncrypted = true;
  readonly supports: Store["supports"];
  readonly acceptsLoss?: boolean;
  readonly file?: string;
  readonly needRoom?: () => Promise<void>;
  readonly threadAccess?: NonNullable<Store["threadAccess"]>;
  readonly subscribe?: (onWork: () => void) => void;
  readonly transaction?: NonNullable<Store<Transaction>["transaction"]>;
  readonly open: Store["open"];
  readonly close: Store["close"];
  readonly extend: Store["extend"];
  readonly list: Store["list"];
  readonly intervene: Store["intervene"];
  readonly prune: Store["prune"];
  readonly tally: Store["tally"];
  readonly audit: Store["audit"];
  readonly #store: Store<Transaction>;
  readonly #keys: Keys;

  constructor(store: Store<Transaction>, keys: Keys) {
    this.#store = store;
    this.#keys = keys;
    this.supports = store.supports;
    if (store.acceptsLoss !== undefined) this.acceptsLoss = store.acceptsLoss;
    if (store.file !== undefined) this.file = store.file;
    if (store.needRoom !== undefined) this.needRoom = () => store.needRoom?.() ?? Promise.resolve();
    if (store.threadAccess !== undefined) this.threadAccess = store.threadAccess;
    if (store.subscribe !== undefined) this.subscribe = (onWork) => store.subscribe?.(onWork);
    if (store.transaction !== undefined) this.transaction = store.transaction.bind(store);
    this.open = (context) => store.open(context);
    this.close = () => store.close();
    this.extend = (holds, leaseMs) => store.extend(holds, leaseMs);
    this.list = (query) => store.list(query);
    this.intervene = (selection, ask) => store.intervene(selection, ask);
    this.prune = (ask) => store.prune(ask);
    this.tally = (query) => store.tally(query);
    this.audit = () => store.audit();
  }

  async take(events: readonly NewEvent[], ask: TakeAsk): Promise<readonly Taken[]> {
    const answers = await this.#store.take(this.#sealedEvents(events), ask);
    return answers.map((answer, index) => {
      const plain = events[index]?.delivery;
      if (answer.kind !== "taken" || answer.claim === undefined || plain === undefined)
        return answer;
      return { kind: "taken", claim: { ...answer.claim, delivery: plain } };
    });
  }

  async claim(ask: ClaimAsk): Promise<ClaimAnswer> {
    const { claims, nextDueInMs } = await this.#store.claim(ask);
    const found = claims.map((claim) => ({ claim, read: opened(claim.delivery, this.#keys) }));
    const missing = found.flatMap(({ read }) => (read.kind === "key_missing" ? [read.id] : []));
    const unreadable = found.filter(({ read }) => read.kind !== "opened");
    if (unreadable.length > 0) {
      const settled = missing.length > 0 ? found : unreadable;
      await this.#store.settle(settled.map(({ claim, read }) => endOf(claim, read)));
    }
    if (missing.length > 0) throw keysMissing(missing);
    const readable = found.flatMap(({ claim, read }) =>
      read.kind === "opened" ? [{ ...claim, delivery: read.delivery }] : [],
    );
    return { claims: readable, nextDueInMs };
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly boolean[]> {
    return await this.#store.settle(
      settlements.map((settlement): Settlement => {
        const { outcome } = settlement;
        if (outcome.state !== "done" || outcome.became === undefined) return settlement;
        return {
          ...settlement,
          outcome: { ...outcome, became: this.#sealedEvents(outcome.became) },
        };
      }),
    );
  }

  async get(key: string): Promise<Kept | undefined> {
    const kept = await this.#store.get(key);
    if (kept?.delivery === undefined) return kept;
    const read = opened(kept.delivery, this.#keys);
    // What cannot be read is shown as it lies there.
    return read.kind === "opened" ? { ...kept, delivery: read.delivery } : kept;
  }

  /** Events that share a delivery share it still: a store keeps it once. */
  #sealedEvents(events: readonly NewEvent[]): readonly NewEvent[] {
    const made = new Map<Delivery, Delivery>();
    return events.map((event) => {
      const delivery = made.get(event.delivery) ?? sealed(event.delivery, this.#keys.first);
      made.set(event.delivery, delivery);
      return { ...event, delivery };
    });
  }
}

/** What becomes of a claim that cannot be worked on: it is handed back, or quarantined if no key will ever help. */
function endOf({ event, fence }: Claim, read: Opened): Settlement {
  const { key, lane, history } = event;
  const outcome: Outcome =
    read.kind === "altered"
      ? { state: "quarantined", reason: "encrypted" }
      : {
          state: "pending",
          afterMs: read.kind === "key_missing" ? keyMissingMs : 0,
          handedBack: true,
        };
  return { key, fence, lane, outcome, finished: [], gaveUp: [], history };
}

function keysMissing(ids: readonly string[]): WebhookInboxError {
  const names = [...new Set(ids)].map((id) => `"${id}"`).join(", ");
  return new WebhookInboxError(
    "STORE_UNAVAILABLE",
    `${ids.length} of the events that are due were encrypted with ${names}, which is not among the keys of encrypted(store, { keys }). ` +
      "Add it behind the others; until then they wait.",
  );
}
