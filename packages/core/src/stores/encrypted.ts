/**
 * Encryption at rest, around any store: what a sender has said (body, headers, path and query) is written as AES-256-GCM under a key
 * of the user's, and read back. Ids, types, states and times are in the clear: dedup, order and lists need them; and
 * so are the messages of what failed.
 *
 * @module @webhook-inbox/core/encrypted
 */

import { createCipheriv, createDecipheriv, createHmac, randomBytes } from "node:crypto";
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
import type { Settlement } from "../model/settlement.ts";

/** A key, and the name by which what was written with it is known. */
export interface EncryptionKey {
  /** What it is known by where it was used: letters, digits, `.`, `_` and `-`, at most 64 of them. Never use one again. */
  readonly id: string;
  /** 32 bytes, as they are or as text in hex or base64: `openssl rand -base64 32`. Good for four billion deliveries. */
  readonly key: string | Uint8Array;
}

/** The keys, the first of which encrypts. */
export interface EncryptedOptions {
  /** The first one encrypts; all of them decrypt. To rotate, put a new one in front. */
  readonly keys: readonly EncryptionKey[];
}

/**
 * `store`, with what senders say encrypted in it. Wrap the spill as well. What was kept before it was wrapped is read as it is. An
 * event whose key is missing, or is another one under its id, waits until the key is there again; one that was altered in the store
 * is quarantined as `encrypted`. Throws `OPTION_INVALID`, and `CREDENTIAL_INVALID` for a key that is none.
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

interface Key {
  readonly id: string;
  readonly bytes: Uint8Array;
  /** By which another key under the same id is told from this one. */
  readonly check: string;
}

interface Keys {
  readonly first: Key;
  readonly byId: ReadonlyMap<string, Key>;
}

const keyBytes = 32;
const idPattern = /^[\w.-]{1,64}$/;

function keysOf(given: readonly EncryptionKey[]): Keys {
  const keys = Array.isArray(given) ? given.map(keyOf) : [];
  const [first] = keys;
  if (first === undefined) {
    throw new WebhookInboxError("OPTION_INVALID", "encrypted: keys names none.");
  }
  const byId = new Map(keys.map((key) => [key.id, key]));
  if (byId.size < keys.length) {
    throw new WebhookInboxError("OPTION_INVALID", "encrypted: two of its keys have the same id.");
  }
  return { first, byId };
}

function keyOf({ id, key }: EncryptionKey): Key {
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
  const check = createHmac("sha256", bytes).update("webhook-inbox").digest("hex").slice(0, 16);
  // Whoever gave it may wipe it.
  return { id, bytes: Uint8Array.from(bytes), check };
}

const hexPattern = /^[\da-f]{64}$/i;
/** Strict: `Buffer.from` passes over what is no base64, such as the signs of a variable that was not filled in. */
const base64Pattern = /^[A-Za-z\d+/]{43}=$/;

function textBytes(text: string): Uint8Array | undefined {
  if (hexPattern.test(text)) return Buffer.from(text, "hex");
  return base64Pattern.test(text) ? Buffer.from(text, "base64") : undefined;
}

/** Stands where headers would: no header that was sent can have a space in its name. */
const mark = "webhook-inbox encrypted";
const nonceBytes = 12;
const tagBytes = 16;
const lengthBytes = 4;

/** What is authenticated beside what is encrypted: the rest of the request, whose source it is, and when it came. */
function boundTo(source: string, delivery: Delivery): Uint8Array {
  const { method, account, segment, reconstructed, receivedAt, contentHash } = delivery;
  const parts = [
    source,
    method,
    account ?? null,
    segment ?? null,
    reconstructed,
    receivedAt,
    contentHash,
  ];
  return Buffer.from(JSON.stringify(parts));
}

/** Nonce, tag, and under encryption the length of the head, the head, the body. */
function sealed(source: string, delivery: Delivery, { id, bytes, check }: Key): Delivery {
  const { target, headers, body } = delivery;
  const head = Buffer.from(JSON.stringify({ target, headers }));
  const length = Buffer.alloc(lengthBytes);
  length.writeUInt32BE(head.length);
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv("aes-256-gcm", bytes, nonce).setAAD(boundTo(source, delivery));
  const parts = [length, head, body].map((part) => cipher.update(part));
  cipher.final();
  return {
    ...delivery,
    target: "",
    headers: [mark, id, mark, check],
    body: Buffer.concat([nonce, cipher.getAuthTag(), ...parts]),
  };
}

/** As it came; or as it lies there, with the reason why. */
function opened(source: string, delivery: Delivery, { byId }: Keys): Delivery {
  const [name, keyId = "", , check] = delivery.headers;
  if (name !== mark) return delivery;
  const key = byId.get(keyId);
  if (key === undefined || key.check !== check)
    return { ...delivery, undecrypted: { kind: "key_missing", keyId } };
  const text = Buffer.from(delivery.body);
  const start = nonceBytes + tagBytes;
  try {
    const decipher = createDecipheriv("aes-256-gcm", key.bytes, text.subarray(0, nonceBytes))
      .setAAD(boundTo(source, delivery))
      .setAuthTag(text.subarray(nonceBytes, start));
    const plain = Buffer.concat([decipher.update(text.subarray(start)), decipher.final()]);
    const bodyStart = lengthBytes + plain.readUInt32BE(0);
    const head = JSON.parse(plain.toString("utf8", lengthBytes, bodyStart)) as Pick<
      Delivery,
      "target" | "headers"
    >;
    return { ...delivery, ...head, body: plain.subarray(bodyStart) };
  } catch {
    return { ...delivery, undecrypted: { kind: "altered" } };
  }
}

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
    const { claims, ...answer } = await this.#store.claim(ask);
    const read = claims.map((claim): Claim => ({
      ...claim,
      delivery: opened(claim.event.source, claim.delivery, this.#keys),
    }));
    return { ...answer, claims: read };
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
    return { ...kept, delivery: opened(kept.event.source, kept.delivery, this.#keys) };
  }

  /** Events that share a delivery share it still: a store keeps it once. */
  #sealedEvents(events: readonly NewEvent[]): readonly NewEvent[] {
    const made = new Map<Delivery, Delivery>();
    return events.map((event) => {
      const delivery =
        made.get(event.delivery) ?? sealed(event.source, event.delivery, this.#keys.first);
      made.set(event.delivery, delivery);
      return { ...event, delivery };
    });
  }
}
