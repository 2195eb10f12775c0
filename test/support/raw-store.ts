import type { Redis } from 'ioredis';

/** The keys of the store as another program sees and writes them. */
export interface RawStore {
  hset(key: string, fields: Readonly<Record<string, string>>): Promise<void>;
  hdel(key: string, ...names: readonly string[]): Promise<void>;
  hgetall(key: string): Promise<Record<string, string>>;
  rpush(key: string, ...items: readonly string[]): Promise<void>;
  lrange(key: string): Promise<string[]>;
  set(key: string, text: string): Promise<void>;
  get(key: string): Promise<string | undefined>;
  del(...keys: readonly string[]): Promise<void>;
  pexpire(key: string, ms: number): Promise<void>;
  /** Milliseconds until the key goes; Infinity: never; undefined: there is none. */
  pttl(key: string): Promise<number | undefined>;
}

/** With a plain client, as a program that knows nothing of Rekindle would. */
export function rawRedis(redis: Redis): RawStore {
  return {
    hset: async (key, fields) => {
      await redis.hset(key, ...Object.entries(fields).flat());
    },
    hdel: async (key, ...names) => {
      await redis.hdel(key, ...names);
    },
    hgetall: (key) => redis.hgetall(key),
    rpush: async (key, ...items) => {
      await redis.rpush(key, ...items);
    },
    lrange: (key) => redis.lrange(key, 0, -1),
    set: async (key, text) => {
      await redis.set(key, text);
    },
    get: async (key) => (await redis.get(key)) ?? undefined,
    del: async (...keys) => {
      await redis.del(...keys);
    },
    pexpire: async (key, ms) => {
      await redis.pexpire(key, ms);
    },
    pttl: async (key) => {
      const left = await redis.pttl(key);
      if (left === -2) return undefined;
      return left === -1 ? Number.POSITIVE_INFINITY : left;
    },
  };
}
