/** The body of a Node request: the exact bytes if they can be had, else an honest word about what is left of them. */

import type { IncomingMessage } from "node:http";
import type { BodyRead, BodySource } from "../contracts/door.ts";

/** A request that body parsers may have been at. */
export type NodeRequest = IncomingMessage & {
  readonly body?: unknown;
  readonly rawBody?: unknown;
};

/** A body that takes longer than this to arrive is none. */
const bodyMsMax = 10_000;

export function bodyOf(req: NodeRequest): BodySource {
  return {
    read: (bytesMax) => {
      const kept = keptBody(req);
      if (kept === undefined) return readStream(req, bytesMax);
      const isTooLarge = kept.kind === "read" && kept.bytes.length > bytesMax;
      return Promise.resolve(isTooLarge ? { kind: "too_large" } : kept);
    },
  };
}

/** What was there before us: bytes that somebody kept, nothing at all, or the ruins. Undefined for an unread stream. */
function keptBody(req: NodeRequest): BodyRead | undefined {
  const isCoded = (req.headers["content-encoding"] ?? "identity").toLowerCase() !== "identity";
  for (const kept of [req.rawBody, req.body]) {
    // A parser keeps the bytes as they are after inflating, which are not those on the wire.
    if (kept instanceof Uint8Array) return { kind: "read", bytes: kept, reconstructed: isCoded };
    if (typeof kept === "string") return keptText(req, kept, isCoded);
  }
  const { "content-length": length, "transfer-encoding": transfer } = req.headers;
  if (length === "0" || (length === undefined && transfer === undefined)) {
    return { kind: "read", bytes: new Uint8Array(), reconstructed: false };
  }
  if (!req.readableDidRead && !req.readableEnded) return undefined;
  return rebuilt(req.body);
}

/** Decoded text is the exact body only if nothing was replaced and its length is the one that was sent. */
function keptText(req: NodeRequest, text: string, isCoded: boolean): BodyRead {
  const bytes = Buffer.from(text, "utf8");
  const isExact =
    !isCoded &&
    !text.includes("\uFFFD") &&
    bytes.byteLength === Number(req.headers["content-length"] ?? -1);
  return { kind: "read", bytes, reconstructed: !isExact };
}

function rebuilt(body: unknown): BodyRead {
  if (body === undefined) return { kind: "consumed" };
  try {
    return { kind: "read", bytes: Buffer.from(JSON.stringify(body), "utf8"), reconstructed: true };
  } catch {
    return { kind: "consumed" };
  }
}

function readStream(req: NodeRequest, bytesMax: number): Promise<BodyRead> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(() => end({ kind: "too_slow" }), bodyMsMax);
    function end(read: BodyRead): void {
      clearTimeout(timer);
      req.off("data", onData).off("end", onEnd).off("close", onClose).off("error", onClose);
      // Without this an error after we stopped listening would end the process.
      req.on("error", () => undefined);
      resolve(read);
    }
    function onData(chunk: Buffer): void {
      size += chunk.length;
      if (size > bytesMax) end({ kind: "too_large" });
      else chunks.push(chunk);
    }
    function onEnd(): void {
      const [first = Buffer.alloc(0)] = chunks;
      const bytes = chunks.length > 1 ? Buffer.concat(chunks, size) : first;
      end({ kind: "read", bytes, reconstructed: false });
    }
    const onClose = (): void => end({ kind: "aborted" });
    req.on("data", onData).on("end", onEnd).on("close", onClose).on("error", onClose);
  });
}

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
      req.on("error", () => undefined);
      resolve();
    }
    function onData(chunk: Buffer): void {
      size += chunk.length;
      if (size > discardBytesMax) end();
    }
    req.on("data", onData).on("end", end).on("close", end).on("error", end);
  });
}
