/** The body of a Node request: the exact bytes if they can be had, else an honest word about what is left of them. */

import type { IncomingMessage } from "node:http";
import type { BodyRead, BodySource } from "../contracts/door.ts";
import { gather } from "./gather.ts";

/** What body parsers may have left of a request: on Node's own, or on the framework's. */
export interface Leftovers {
  /** What was made of the body. */
  readonly body?: unknown;
  /** The bytes, or their text, beside it. */
  readonly rawBody?: unknown;
}

export function bodyOf(req: IncomingMessage, left: Leftovers): BodySource {
  return {
    async read(bytesMax, reserve) {
      // Somebody reads it just now: what they keep is whole only when they have come to its end.
      if (req.readableDidRead && !req.readableEnded) await settled(req);
      const kept = keptBody(req, left);
      if (kept === undefined) return await readStream(req, bytesMax, reserve);
      const isTooLarge = kept.kind === "read" && kept.bytes.length > bytesMax;
      return isTooLarge ? { kind: "too_large" } : kept;
    },
  };
}

/** Resolves when a request has come to its end, has broken off, or takes too long. */
function settled(req: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(end, readByOthersMsMax);
    function end(): void {
      clearTimeout(timer);
      req.off("end", end).off("close", end).off("error", end);
      req.on("error", ignore);
      // Those who listen to its end have their turn first.
      setImmediate(resolve);
    }
    if (req.destroyed) end();
    else req.on("end", end).on("close", end).on("error", end);
  });
}

/** What was there before us: bytes that somebody kept, nothing at all, or the ruins. Undefined for an unread stream. */
function keptBody(req: IncomingMessage, { rawBody, body }: Leftovers): BodyRead | undefined {
  const { "content-length": length, "transfer-encoding": transfer } = req.headers;
  const announcesNone = length === undefined && transfer === undefined && req.httpVersionMajor < 2;
  const nothing = { kind: "read", bytes: new Uint8Array(), reconstructed: false } as const;
  if (length === "0") return nothing;
  const isCoded = (req.headers["content-encoding"] ?? "identity").toLowerCase() !== "identity";
  for (const kept of [rawBody, body]) {
    if (!(kept instanceof Uint8Array) && typeof kept !== "string") continue;
    // Whoever keeps it may not have begun: then it is read from the stream, as if they were not there.
    const isWhole = announcesNone
      ? kept.length > 0
      : req.readableEnded || Buffer.byteLength(kept) === Number(length);
    if (!isWhole) continue;
    // A parser keeps the bytes as they are after inflating, which are not those on the wire.
    if (typeof kept !== "string") return { kind: "read", bytes: kept, reconstructed: isCoded };
    return keptText(req, kept, isCoded);
  }
  if (announcesNone) return nothing;
  if (req.readableDidRead || req.readableEnded) return rebuilt(body);
  return req.destroyed ? { kind: "aborted" } : undefined;
}

/** Decoded text is the exact body only if it was UTF-8, nothing was replaced, and its length is the one that was sent. */
function keptText(req: IncomingMessage, text: string, isCoded: boolean): BodyRead {
  const bytes = Buffer.from(text, "utf8");
  const charset = /charset\s*=\s*"?([^\s";]+)/i.exec(req.headers["content-type"] ?? "")?.[1];
  const isExact =
    !isCoded &&
    (charset ?? "utf-8").toLowerCase() === "utf-8" &&
    !text.includes("\uFFFD") &&
    bytes.byteLength === Number(req.headers["content-length"] ?? -1);
  return { kind: "read", bytes, reconstructed: !isExact };
}

/** Written again from what a parser made of it; not where that has lost digits, so that two ids would become one. */
function rebuilt(body: unknown): BodyRead {
  let isLossy = body === undefined;
  try {
    const text = JSON.stringify(body, (_, value: unknown) => {
      if (Number.isInteger(value) && !Number.isSafeInteger(value)) isLossy = true;
      return value;
    });
    if (isLossy) return { kind: "consumed" };
    return { kind: "read", bytes: Buffer.from(text, "utf8"), reconstructed: true };
  } catch {
    return { kind: "consumed" };
  }
}

function readStream(
  req: IncomingMessage,
  bytesMax: number,
  reserve: (bytes: number) => boolean,
): Promise<BodyRead> {
  return new Promise((resolve) => {
    const announced = Number(req.headers["content-length"]);
    const { add, end } = gather({ bytesMax, announced, reserve }, (read) => {
      req.off("data", onData).off("end", onEnd).off("close", onClose).off("error", onClose);
      // Without this an error after we stopped listening would end the process.
      req.on("error", ignore);
      // Where somebody has set an encoding, what is read was decoded.
      const isDecoded = read.kind === "read" && encoding !== null;
      resolve(isDecoded ? { ...read, reconstructed: true } : read);
    });
    const { readableEncoding: encoding } = req;
    const onData = (chunk: Buffer | string): void => {
      add(typeof chunk === "string" ? Buffer.from(chunk, encoding ?? "utf8") : chunk);
    };
    const onEnd = (): void => end();
    const onClose = (): void => end({ kind: "aborted" });
    req.on("data", onData).on("end", onEnd).on("close", onClose).on("error", onClose);
  });
}

/** How long somebody else may read on. */
const readByOthersMsMax = 10_000;
const ignore = (): void => undefined;
const discardBytesMax = 65_536;
const discardMsMax = 500;

/**
 * Reads on for a moment, and forgets: a connection that is closed with unread bytes is reset, and the sender would
 * never see why.
 */
export function discard(req: IncomingMessage): Promise<void> {
  if (req.complete || req.destroyed || req.readableEnded) return Promise.resolve();
  return new Promise((resolve) => {
    let size = 0;
    const timer = setTimeout(end, discardMsMax);
    function end(): void {
      clearTimeout(timer);
      req.off("data", onData).off("end", end).off("close", end).off("error", end);
      req.on("error", ignore);
      resolve();
    }
    function onData(chunk: Buffer): void {
      size += chunk.length;
      if (size > discardBytesMax) end();
    }
    req.on("data", onData).on("end", end).on("close", end).on("error", end);
  });
}
