import type { Redis } from 'ioredis';
import type { Keys } from '../../src/adapters/hot/redis/keys.ts';
import type { Hot } from './hot-options.ts';
import type { Bytes, HostileSession, Written } from './hostile-session.ts';

/** Key of a user's session, whatever bytes the id has. */
export function keyOf(user: Bytes, suffix = ''): Buffer {
  return Buffer.concat([Buffer.from('session:'), Buffer.from(user), Buffer.from(suffix)]);
}

/** Writes a session as another program would: with a plain client, at once. */
export async function writeSession(
  redis: Redis,
  keys: Keys,
  { user, session, messages, ttlMs, ledger, optout }: HostileSession,
): Promise<void> {
  const write = redis.multi();
  if (ledger) put(write, Buffer.from(keys.ledger(String(user))), ledger);
  if (optout !== undefined) write.hset(keys.optouts, String(user), optout);
  put(write, keyOf(user), session);
  if (messages) put(write, keyOf(user, ':messages'), messages);
  if (ttlMs !== undefined)
    for (const suffix of ['', ':messages']) write.pexpire(keyOf(user, suffix), ttlMs);
  for (const [error] of (await write.exec()) ?? []) if (error) throw error;
}

/** A thousand at a time: each command is a notification, and too many cost a listener its connection. */
const TIMES = `local items = {}
for i = 1, 1000 do items[i] = ARGV[2] end
for _ = 1, ARGV[1] / 1000 do redis.call('RPUSH', KEYS[1], unpack(items)) end`;

function put(write: ReturnType<Redis['multi']>, key: Buffer, written: Written): void {
  if ('hash' in written) write.hset(key, ...written.hash.flat());
  else if ('string' in written) write.set(key, written.string);
  else if ('list' in written) {
    if (written.times === undefined) write.rpush(key, ...written.list);
    else write.eval(TIMES, 1, key, written.times, ...written.list);
  } else if ('set' in written) write.sadd(key, written.set);
  else if ('zset' in written) write.zadd(key, 1, written.zset);
  else write.xadd(key, '*', 'x', written.stream);
}

/** Texts, lists of texts and hashes of texts: what any store of keys can hold. */
export function isPlain({ user, session, messages, ledger }: HostileSession): boolean {
  const isText = (bytes: Bytes): boolean => typeof bytes === 'string';
  return (
    isText(user) &&
    [session, messages, ledger].every((written) => {
      if (!written) return true;
      if ('hash' in written) return written.hash.flat().every(isText);
      if ('string' in written) return isText(written.string);
      return 'list' in written && written.times === undefined;
    })
  );
}

/** Writes a plain session into whatever store the hot tier has. */
export async function writePlainSession(
  { raw, keys }: Hot,
  session: HostileSession,
): Promise<void> {
  const user = String(session.user);
  const puts = [
    [keys.ledger(user), session.ledger],
    [keys.session(user), session.session],
    [keys.messages(user), session.messages],
  ] as const;
  if (session.optout !== undefined) await raw.hset(keys.optouts, { [user]: session.optout });
  for (const [key, written] of puts) {
    if (!written) continue;
    if ('hash' in written)
      await raw.hset(key, Object.fromEntries(written.hash) as Record<string, string>);
    else if ('string' in written) await raw.set(key, String(written.string));
    else if ('list' in written) await raw.rpush(key, ...written.list);
    if (session.ttlMs !== undefined) await raw.pexpire(key, session.ttlMs);
  }
}
