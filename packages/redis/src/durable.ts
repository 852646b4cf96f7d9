/** The proof that what this server answers for is on its disk, and that bytes come back as they went. */

import { WebhookInboxError } from "@webhook-inbox/core";
import { serversOf, type RedisClient, type Send } from "./client.ts";
import { fieldsOf } from "./rows.ts";

/** Settings without which an acknowledged write can be lost. */
const settings = {
  appendonly: "yes",
  appendfsync: "always",
  "no-appendfsync-on-rewrite": "no",
  "maxmemory-policy": "noeviction",
} as const;

/** Throws `STORE_LOSSY` for a server that would lose what it has acknowledged, with the settings to change. */
export async function proveDurable(client: RedisClient): Promise<void> {
  const servers = await serversOf(client);
  if (servers.length === 0) throw new Error("the cluster has no servers yet");
  for (const send of servers) {
    const [found] = await Promise.all([settingsOf(send), proveBegun(send)]);
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
        )}; then CONFIG REWRITE, or the same among what the server is started with), or say redis(client, { acceptLoss: true }) where losing events is fine.`,
    );
  }
}

/** Where the file was only just asked for, nothing is in it until it was written as a whole for the first time. */
async function proveBegun(send: Send): Promise<void> {
  const text = String(await send("", ["INFO", "persistence"]).catch(() => ""));
  const isFirst =
    /aof_base_size:0\r/.test(text) && /aof_rewrite_(?:in_progress|scheduled):1\r/.test(text);
  if (isFirst) {
    throw new WebhookInboxError(
      "STORE_UNAVAILABLE",
      "Redis is writing its append-only file for the first time, and keeps nothing until that is done. It is tried again.",
    );
  }
}

/** Empty where the server does not tell, as some that are managed do not. */
async function settingsOf(send: Send): Promise<ReadonlyMap<string, string>> {
  const asking = send("", ["CONFIG", "GET", ...Object.keys(settings)]);
  const reply = await asking.catch((error: unknown) => {
    if (error instanceof Error && /^(?:NOPERM|ERR unknown)/.test(error.message)) return [];
    throw error;
  });
  // Names and values in turn; a client may have made an object of them.
  if (Array.isArray(reply))
    return new Map([...fieldsOf(reply)].map(([name, value]) => [name, String(value)]));
  const pairs = Object.entries(reply as Readonly<Record<string, string | Buffer>>);
  return new Map(pairs.map(([name, value]) => [name, String(value)]));
}

/** What this version writes, and the oldest version of webhook-inbox that can still work with it. */
const version = { schema: 1, worksFrom: 1 } as const;

const opening = `#!lua
local meta = KEYS[1]
local held = tonumber(redis.call('HGET', meta, 'works_from') or '0')
-- What the user may not do is found out here, and not in the middle of something.
local probe = string.sub(meta, 1, -5) .. 'probe'
for _, command in ipairs({
  { 'SET', probe, '1', 'PX', '1000' }, { 'INCR', probe }, { 'GET', probe }, { 'DEL', probe }, { 'EXISTS', probe },
  { 'HSET', probe, 'a', '1' }, { 'HINCRBY', probe, 'a', '1' }, { 'HGET', probe, 'a' }, { 'HMGET', probe, 'a' },
  { 'HGETALL', probe }, { 'HDEL', probe, 'a' }, { 'SADD', probe, 'a' }, { 'SMEMBERS', probe }, { 'SREM', probe, 'a' },
  { 'ZADD', probe, '0', 'a' }, { 'ZRANGE', probe, '0', '0' }, { 'ZRANGEBYLEX', probe, '-', '+' }, { 'ZCARD', probe },
  { 'ZREVRANGEBYLEX', probe, '+', '-' }, { 'ZRANGEBYSCORE', probe, '0', '1' }, { 'ZREM', probe, 'a' },
  { 'RPUSH', probe, 'a' }, { 'LRANGE', probe, '0', '0' }, { 'DEL', probe },
}) do redis.call(unpack(command)) end
if held <= tonumber(ARGV[2]) and tonumber(redis.call('HGET', meta, 'schema') or '0') < tonumber(ARGV[2]) then
  redis.call('HSET', meta, 'schema', ARGV[2], 'works_from', ARGV[3])
end
redis.call('HSET', meta, 'bytes', ARGV[1])
return { tostring(held), { redis.call('HGET', meta, 'bytes') } }
`;

/**
 * Writes, and reads back what it has written. Throws `STORE_INCOMPATIBLE` for a client that changes bytes on their way, and
 * for what a later version has changed.
 */
export async function proveWritable(send: Send, prefix: string): Promise<void> {
  const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const { schema, worksFrom } = version;
  const reply = await send(prefix, [
    "EVAL",
    opening,
    "1",
    `${prefix}meta`,
    every,
    `${schema}`,
    `${worksFrom}`,
  ]);
  const [held, [bytes] = []] = reply as [Buffer | string, unknown[]?];
  if (Number(held) > schema) {
    throw new WebhookInboxError(
      "STORE_INCOMPATIBLE",
      `what is kept under "${prefix}" needs a webhook-inbox that knows version ${String(held)} of it; this one knows ` +
        `${schema}. Use the version that changed it, or a later one.`,
    );
  }
  if (Buffer.isBuffer(bytes) && bytes.equals(every)) return;
  throw new WebhookInboxError(
    "STORE_INCOMPATIBLE",
    "the Redis client does not give bytes back as they were sent. Pass a client of ioredis or node-redis as it is, " +
      "without options or wrappers that change replies.",
  );
}
