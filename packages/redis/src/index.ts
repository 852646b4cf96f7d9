/**
 * The Redis store of webhook-inbox: `store: redis(client)`.
 *
 * @module @webhook-inbox/redis
 */

export type { Ioredis, NodeRedis, NodeRedisCluster, RedisClient } from "./client.ts";
export { redis, type RedisOptions } from "./redis.ts";
