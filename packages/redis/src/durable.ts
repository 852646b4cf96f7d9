/** The proof that what this server answers for is on its disk, and that bytes come back as they went. */

import { WebhookInboxError } from "@webhook-inbox/core";
import { serversOf, type RedisClient, type Send } from "./client.ts";

/** Settings without which an acknowledged write can be lost. */
const settings = {
  appendonly: "yes",
  appendfsync: "always",
  "maxmemory-policy": "noeviction",
} as const;

/** Throws `STORE_LOSSY` for a server that would lose what it has acknowledged, with the settings to change. */
export async function proveDurable(client: RedisClient): Promise<void> {
  for (const send of await serversOf(client)) {
    const found = await settingsOf(send);
    const wrong = Object.entries(settings).filter(([name, value]) => found.get(name) !== value);
    if (wrong.length === 0) continue;
    throw new WebhookInboxError(
      "STORE_LOSSY",
      `Redis would lose events that were acknowledged: ${wrong
        .map(([name, value]) => `${name} is ${found.get(name) ?? "unknown"}, not ${value}`)
        .join("; ")}. Change its configuration (${wrong
        .map(([name, value]) => `CONFIG SET ${name} ${value}`)
        .join(
          "; ",
        )}; then CONFIG REWRITE), or say redis(client, { acceptLoss: true }) where losing events is fine.`,
    );
  }
}

/** Empty where the server does not tell, as some that are managed do not. */
async function settingsOf(send: Send): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const name of Object.keys(settings)) {
    const reply = await send("", ["CONFIG", "GET", name]).catch((error: unknown) => {
      if (error instanceof Error && /^(?:NOPERM|ERR unknown)/.test(error.message)) return [];
      throw error;
    });
    const value = valueOf(reply, name);
    if (value !== undefined) found.set(name, value);
  }
  return found;
}

/** A list of names and values; a client may have made an object of it. */
function valueOf(reply: unknown, name: string): string | undefined {
  if (Array.isArray(reply)) return reply.length < 2 ? undefined : String(reply[1]);
  const value = (reply as Record<string, string | Buffer> | null)?.[name];
  return value === undefined ? undefined : String(value);
}

/** Throws `STORE_INCOMPATIBLE` for a client that changes bytes on their way. */
export async function proveBytes(send: Send, key: string): Promise<void> {
  const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const back = await send(key, ["EVAL", "return {ARGV[1], {ARGV[1]}}", "1", key, every]);
  const [one, [other] = []] = back as [unknown, unknown[]?];
  if (Buffer.isBuffer(one) && one.equals(every) && Buffer.isBuffer(other) && other.equals(every))
    return;
  throw new WebhookInboxError(
    "STORE_INCOMPATIBLE",
    "the Redis client does not give bytes back as they were sent. Pass a client of ioredis or node-redis as it is, " +
      "without options or wrappers that change replies.",
  );
}
