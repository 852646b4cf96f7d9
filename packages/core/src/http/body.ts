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
/** After its first moments a body has to arrive at this pace. */
const graceMs = 2000;
const bytesPerSecondMin = 1024;
const paceMs = 500;

export function bodyOf(req: NodeRequest): BodySource {
  return {
    read: (bytesMax, reserve) => {
      const kept = keptBody(req);
      if (kept === undefined) return readStream(req, bytesMax, reserve);
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
  const announcesNone = length === undefined && transfer === undefined && req.httpVersionMajor < 2;
  if (length === "0" || announcesNone) {
    return { kind: "read", bytes: new Uint8Array(), reconstructed: false };
  }
  if (req.readableDidRead || req.readableEnded) return rebuilt(req.body);
  return req.destroyed ? { kind: "aborted" } : undefined;
}

/** Decoded text is the exact body only if it was UTF-8, nothing was replaced, and its length is the one that was sent. */
function keptText(req: NodeRequest, text: string, isCoded: boolean): BodyRead {
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

/** Reads a stream into one buffer: a body in a million chunks costs no more than its bytes. */
function readStream(
  req: NodeRequest,
  bytesMax: number,
  reserve: (bytes: number) => boolean,
): Promise<BodyRead> {
  return new Promise((resolve) => {
    const began = performance.now();
    const announced = Number(req.headers["content-length"]);
    let held: Buffer = Buffer.alloc(0);
    let size = 0;
    const leave = pace(() => {
      const elapsedMs = performance.now() - began;
      const isSlow = elapsedMs > graceMs && size < (elapsedMs / 1000) * bytesPerSecondMin;
      if (isSlow || elapsedMs > bodyMsMax) end({ kind: "too_slow" });
    });

    function end(read: BodyRead): void {
      leave();
      req.off("data", onData).off("end", onEnd).off("close", onClose).off("error", onClose);
      // Without this an error after we stopped listening would end the process.
      req.on("error", ignore);
      resolve(read);
    }
    function onData(chunk: Buffer): void {
      size += chunk.length;
      if (size > bytesMax) {
        end({ kind: "too_large" });
      } else if (!reserve(size)) {
        end({ kind: "no_room" });
      } else if (held.length === 0 && size === announced) {
        held = chunk;
      } else {
        held = withRoom(
          held,
          size - chunk.length,
          Math.min(Math.max(size, announced || 0), bytesMax),
        );
        chunk.copy(held, size - chunk.length);
      }
    }
    function onEnd(): void {
      end({ kind: "read", bytes: held.subarray(0, size), reconstructed: false });
    }
    const onClose = (): void => end({ kind: "aborted" });
    req.on("data", onData).on("end", onEnd).on("close", onClose).on("error", onClose);
  });
}

/** Checks of all bodies that are being read: one timer for them together, while there are any. */
const paced = new Set<() => void>();
let pacing: NodeJS.Timeout | undefined;

/** Calls `check` now and then, until the function returned is called. */
function pace(check: () => void): () => void {
  paced.add(check);
  pacing ??= setInterval(() => {
    for (const one of paced) one();
    if (paced.size > 0) return;
    clearInterval(pacing);
    pacing = undefined;
  }, paceMs).unref();
  return () => void paced.delete(check);
}

/** A buffer that starts with the first `used` bytes of `held` and has room for `size`: at least twice as much as before. */
function withRoom(held: Buffer, used: number, size: number): Buffer {
  if (held.length >= size) return held;
  const larger = Buffer.allocUnsafe(Math.max(size, held.length * 2, 4096));
  held.copy(larger, 0, 0, used);
  return larger;
}

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
