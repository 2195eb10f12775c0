import type { Redis } from 'ioredis';

/** Every text in the Redis, key by key: names, fields, members and values. */
export async function everyText(client: Redis, but: readonly string[] = []): Promise<string[]> {
  const texts: string[] = [];
  for (const key of await client.keys('*')) {
    if (but.includes(key)) continue;
    const read = {
      string: () => client.get(key),
      list: () => client.lrange(key, 0, -1),
      set: () => client.smembers(key),
      zset: () => client.zrange(key, '0', '-1', 'WITHSCORES'),
      hash: () => client.hgetall(key),
      stream: () => client.xrange(key, '-', '+'),
    }[await client.type(key)];
    texts.push(key, JSON.stringify(await read?.()));
  }
  return texts;
}
