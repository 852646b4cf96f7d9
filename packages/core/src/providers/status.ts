/** Asks a provider's API for a status, within its bounds. */

import type { Polled, PollTools } from "../contracts/poll.ts";

interface StatusQuestion {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

type StatusAnswer =
  | { readonly kind: "answered"; readonly status: number; readonly json: unknown }
  | Extract<Polled, { kind: "failed" }>;

const answerBytesMax = 1024 * 1024;
const retryAfterMsMax = 3_600_000;

/** `answered` for a 200 with JSON, a 403 and a 404. */
export async function askStatus(
  { url, headers }: StatusQuestion,
  { fetch, signal }: PollTools,
): Promise<StatusAnswer> {
  const accept = "application/json";
  const response = await fetch(url, { redirect: "error", signal, headers: { ...headers, accept } });
  const { status } = response;
  if (status === 403 || status === 404) {
    response.body?.cancel().catch(() => undefined);
    return { kind: "answered", status, json: undefined };
  }
  if (status !== 200) {
    const after = Number(response.headers.get("retry-after") ?? "");
    response.body?.cancel().catch(() => undefined);
    const wait = after > 0 ? { retryAfterMs: Math.min(after * 1000, retryAfterMsMax) } : {};
    return { kind: "failed", reason: `its API answered ${status}`, ...wait };
  }
  try {
    return {
      kind: "answered",
      status,
      json: JSON.parse(await textOf(response, answerBytesMax)) as unknown,
    };
  } catch {
    return { kind: "failed", reason: "its API answered no JSON, or too much of it" };
  }
}

/** Rejects beyond `bytesMax`. */
export async function textOf(response: Response, bytesMax: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw new Error("the answer is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
