/**
 * The user's client, whichever it is: ioredis and its cluster, node-redis, its cluster and its pool. All of them send any
 * command and can be told to answer with bytes; they differ in how.
 */

export type Argument = string | Buffer;

/** ioredis: `Redis` and `Cluster`. */
export interface Ioredis {
  callBuffer(command: string, args: Argument[]): Promise<unknown>;
  pipeline(): {
    callBuffer(
      command: string,
      args: Argument[],
    ): { exec(): Promise<[Error | null, unknown][] | null> };
  };
  readonly options: { readonly enableAutoPipelining?: boolean | undefined };
}

/** What node-redis is told about replies: bytes as bytes, and maps as lists. */
interface TypeMapping {
  36: BufferConstructor;
  61: BufferConstructor;
  43: BufferConstructor;
  37: ArrayConstructor;
  126: ArrayConstructor;
  40: StringConstructor;
}

/** node-redis: a client or a pool of clients. */
export interface NodeRedis {
  sendCommand(args: Argument[], options: { typeMapping: TypeMapping }): Promise<unknown>;
}

/** node-redis: a cluster. */
export interface NodeRedisCluster {
  readonly masters: readonly unknown[];
  sendCommand(
    firstKey: Argument | undefined,
    isReadonly: boolean | undefined,
    args: Argument[],
    options: { typeMapping: TypeMapping },
  ): Promise<unknown>;
}

/** A connected client of ioredis or node-redis. */
export type RedisClient = Ioredis | NodeRedis | NodeRedisCluster;

/** Sends a command to the server that holds `key`. */
export type Send = (key: string, args: readonly Argument[]) => Promise<unknown>;

const bytes: { typeMapping: TypeMapping } = {
  typeMapping: { 36: Buffer, 61: Buffer, 43: Buffer, 37: Array, 126: Array, 40: String },
};

export function sendOf(client: RedisClient): Send {
  if ("callBuffer" in client) return (_, args) => sendByIoredis(client, args);
  if ("masters" in client) return (key, args) => client.sendCommand(key, false, [...args], bytes);
  return (_, args) => client.sendCommand([...args], bytes);
}

async function sendByIoredis(
  client: Ioredis,
  [command = "", ...args]: readonly Argument[],
): Promise<unknown> {
  const name = String(command);
  if (client.options.enableAutoPipelining !== true) return await client.callBuffer(name, args);
  const answers = await client.pipeline().callBuffer(name, args).exec();
  const [error, reply] = answers?.[0] ?? [new Error("the command was not sent")];
  if (error !== null) throw error;
  return reply;
}

/** Each server that may hold our keys, as something to ask about its settings. */
export async function serversOf(client: RedisClient): Promise<readonly Send[]> {
  if ("nodes" in client && typeof client.nodes === "function") {
    return (client.nodes("master") as readonly RedisClient[]).map(sendOf);
  }
  if (!("masters" in client)) return [sendOf(client)];
  const nodeClient = (client as { nodeClient?: (node: unknown) => Promise<NodeRedis> }).nodeClient;
  if (nodeClient === undefined) return [];
  return await Promise.all(
    client.masters.map(async (node) => sendOf(await nodeClient.call(client, node))),
  );
}

/** Where it is said that there is work, and by whom. */
export interface Wake {
  readonly channel: string;
  readonly from: string;
}

/** Hears what others say on a channel, by a second connection, from when that is made on; the function returned ends it at once. */
export function listen(
  client: RedisClient,
  { channel, from }: Wake,
  onWork: () => void,
): () => void {
  const other = (client as unknown as { duplicate(): Listener }).duplicate();
  other.on("error", () => undefined);
  const end = (): void => {
    try {
      if (other.destroy === undefined) other.disconnect?.();
      else other.destroy();
    } catch {
      // It was not connected.
    }
  };
  const heard = (said: unknown): void => {
    if (said !== from) onWork();
  };
  const subscribing = async (): Promise<void> => {
    if ("callBuffer" in client) {
      other.on("message", (_: unknown, said: unknown) => heard(said));
      await other.subscribe(channel);
    } else {
      await other.connect?.();
      await other.subscribe(channel, heard);
    }
    // What was left before it could be heard.
    onWork();
  };
  subscribing().catch(end);
  return end;
}

/** Whether a client can be doubled: a pool of node-redis cannot. */
export const mayListen = (client: RedisClient): boolean => "duplicate" in client;

interface Listener {
  on(event: string, listener: (...given: never[]) => void): unknown;
  subscribe(channel: string, onMessage?: (said: unknown) => void): Promise<unknown>;
  connect?(): Promise<unknown>;
  disconnect?(): unknown;
  destroy?(): unknown;
}
