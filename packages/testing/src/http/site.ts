/** What an adapter is asked to serve: an inbox among the routes of an application, in a certain place. */

import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import {
  createInbox,
  defineProvider,
  hmac,
  type Inbox,
  type Sources,
  type WebhookEvent,
  type Reply,
} from "@webhook-inbox/core";
import type { WebhooksOptions } from "@webhook-inbox/core/defaults";
import { memory } from "@webhook-inbox/core/memory";
import type { FetchHandler } from "@webhook-inbox/core/node";
import { audata } from "@webhook-inbox/core/providers/audata";
import { captainData } from "@webhook-inbox/core/providers/captain-data";
import { socialData } from "@webhook-inbox/core/providers/socialdata";
import { standardWebhooks } from "@webhook-inbox/core/providers/standard-webhooks";

/** An application to be built with a framework, and served on loopback. */
export interface Site {
  /** Where all of it is mounted: the inbox, and the routes named here. */
  readonly prefix: "" | "/api";
  /** Where the framework's body parser stands: on the route that needs it, or, for all, before the inbox or after it. */
  readonly parser: "route" | "before" | "after";
  /** Whether security headers, compression, sessions and CORS stand in front of everything. */
  readonly isFronted: boolean;
  /** To be mounted at `<prefix>/pages`. */
  readonly pages: FetchHandler;
}

/** What `webhooks` takes. */
export type Given = Inbox | WebhooksOptions<Sources, unknown> | undefined;

/** An application that listens. */
export interface Served {
  readonly port: number;
  /** The inbox of `webhooks(given)`. */
  readonly inbox: Inbox;
  /** Stops the server; the suite closes the inbox. */
  close(): Promise<void>;
}

/**
 * Builds and starts an application: `webhooks(given)`, and beside it GET `<prefix>/home` and GET `<prefix>/webhooks`, which
 * say `home` and `mine`, and POST `<prefix>/echo`, which answers the JSON that the framework's parser has read.
 */
export type Serve = (given: Given, site: Site) => Promise<Served>;

export const token = "t0ken";
const secret = "hush";
const othersSecret = "another's";

/** Larger than what any framework's parser takes by itself. */
export const signedBytesMax: number = 25 * 1024 * 1024;

/** A provider that signs its body, and whose bodies are no text. */
const signer = defineProvider({
  name: "signer",
  auth: ["secret"],
  signature: hmac({ algorithm: "sha256", header: "x-signature", encoding: "hex" }),
  methods: ["POST"],
  habits: { redelivers: "automatic", bodyStable: true },
  events: {},
  identify: () => ({ kind: "events", events: [{ id: "1", type: "any" }] }),
  parse: ({ body }) => body.length,
});

/** A provider that wants to read something of its own, and asks before it sends. */
const answering = (accepted: Reply) =>
  defineProvider({
    name: "answering",
    auth: ["token", "verifyToken"],
    methods: ["POST"],
    habits: { redelivers: "automatic", bodyStable: true },
    accepted,
    challenge: {
      credential: "verifyToken",
      token: (query) => query.get("token") ?? undefined,
      answer: (query) => ({ body: query.get("challenge") ?? "" }),
    },
    handshake: ({ body }) => (body.length === 4 ? { status: 204, body: "" } : undefined),
    events: {},
    identify: () => ({ kind: "events", events: [{ id: undefined, type: "any" }] }),
    parse: ({ body }) => body.length,
  });

const stampSecret = "aHVzaCBodXNoIGh1c2ggaHVzaCBodXNo";
const stampKeys = generateKeyPairSync("ed25519");
const stampPublicKey = stampKeys.publicKey.export({ format: "der", type: "spki" }).subarray(-32);

/** The signature of Standard Webhooks, by its shared secret or by its key pair. */
export function stampOf(id: string, seconds: string, body: string, way: "v1" | "v1a"): string {
  const content = `${id}.${seconds}.${body}`;
  const bytes =
    way === "v1"
      ? createHmac("sha256", Buffer.from(stampSecret, "base64")).update(content).digest()
      : sign(null, Buffer.from(content), stampKeys.privateKey);
  return `${way},${bytes.toString("base64")}`;
}

export function signatureOf(body: Uint8Array, whose: "ours" | "others" = "ours"): string {
  return createHmac("sha256", whose === "ours" ? secret : othersSecret)
    .update(body)
    .digest("hex");
}

/** Log lines: level and text. */
export type Line = readonly [level: string, message: string];

export interface InboxUnderTest {
  readonly inbox: Inbox;
  readonly lines: readonly Line[];
  /** Events that were handled. */
  readonly handled: readonly WebhookEvent[];
}

export function newInbox(): InboxUnderTest {
  const lines: Line[] = [];
  const handled: WebhookEvent[] = [];
  const keep = (level: string) => (fields: unknown, message?: string) =>
    void lines.push([level, message ?? String(fields)]);
  const inbox = createInbox({
    store: memory({ acceptLoss: true }),
    sources: {
      jobs: socialData({ token }),
      radio: audata({ token }),
      runs: captainData({ bearer: "s3cret", headers: { "X-Team": "blue" } }),
      signed: signer({ secret, bodyBytesMax: signedBytesMax }),
      open: socialData({ auth: "none" }),
      large: socialData({ token, bodyBytesMax: 1024 * 1024 }),
      others: signer({ secret: othersSecret }),
      stamped: standardWebhooks({ secret: `whsec_${stampSecret}` }),
      keyed: standardWebhooks({ secret: `whpk_${stampPublicKey.toString("base64")}` }),
      silent: answering({ status: 204, body: "" })({ token }),
      marked: answering({ contentType: "text/xml", body: "<Réponse/>" })({ token }),
      asked: answering({ body: "ok" })({ token, verifyToken: "v3rify" }),
    },
    limits: { bodyBytesMax: 100_000, inFlightBytesMax: 8 * signedBytesMax },
    logger: {
      debug: keep("debug"),
      info: keep("info"),
      warn: keep("warn"),
      error: keep("error"),
    },
  });
  inbox.on("jobs", "job_finished", (event) => handled.push(event));
  return { inbox, lines, handled };
}

/** The handler that is mounted beside the inbox: it tells what it was asked. */
export const pages: FetchHandler = async (request, { path }) => {
  const url = new URL(request.url);
  switch (url.pathname.slice(path.length)) {
    case "/throws":
      throw new Error("no page");
    case "/nothing":
      return new Response(null, { status: 204 });
    case "/moved":
      return new Response(null, { status: 303, headers: { location: `${path}/` } });
    case "/cookies": {
      const headers = new Headers([
        ["set-cookie", "a=1; Path=/"],
        ["set-cookie", "b=2; Path=/"],
      ]);
      return new Response("two", { headers });
    }
    case "/endless": {
      const endless = new ReadableStream({ pull: () => new Promise<never>(() => undefined) });
      return new Response(endless, { headers: { "x-endless": "1" } });
    }
    case "/broken": {
      let pulls = 0;
      const broken = new ReadableStream({
        pull(controller) {
          pulls += 1;
          if (pulls > 2) throw new Error("broken off");
          controller.enqueue(new TextEncoder().encode("some "));
        },
      });
      return new Response(broken);
    }
    case "/stream": {
      const chunks = ["one ", "two ", "three"].map((text) => new TextEncoder().encode(text));
      return new Response(ReadableStream.from(chunks));
    }
    default:
      return Response.json({
        method: request.method,
        path,
        pathname: url.pathname,
        search: url.search,
        host: url.host,
        note: request.headers.get("x-note"),
        body: await request.text(),
      });
  }
};
