import type { Redis } from 'ioredis';

const SAVE = `
  local saved = {}
  for _, key in ipairs(redis.call('KEYS', '*')) do
    saved[#saved + 1] = key
    saved[#saved + 1] = math.max(redis.call('PTTL', key), 0)
    saved[#saved + 1] = redis.call('DUMP', key)
  end
  return saved`;

const RESTORE = `
  redis.call('FLUSHDB')
  for i = 1, #ARGV, 3 do redis.call('RESTORE', ARGV[i], ARGV[i + 1], ARGV[i + 2]) end`;

/** All that lies in the database of a client, and how long each key has to live. */
export async function saveDatabase(redis: Redis): Promise<Buffer[]> {
  return (await redis.callBuffer('EVAL', SAVE, 0)) as Buffer[];
}

export async function restoreDatabase(redis: Redis, saved: readonly Buffer[]): Promise<void> {
  await redis.call('EVAL', RESTORE, 0, ...saved);
}
