// Not through the hot tier: the point is a program that knows the two keys and nothing of Rekindle.
import { Redis } from 'ioredis';
import { DAY_MS } from '../model/duration.ts';
import type { Shopper } from './shoppers.ts';
import type { Act } from './story.ts';

/** Keys that one UNLINK takes. */
const UNLINK_BATCH = 500;

/** How long other programs let their sessions live, unless the caller knows better. */
const THEIR_TTL_MS = DAY_MS;

/** Another program: it writes the hash and the list of a session with plain Redis commands. */
export class ForeignShop {
  readonly #redis: Redis;
  readonly #keyOf: (user: string) => string;
  readonly #ttlMs: number;

  /** @param keyOf the key of a user's session */
  constructor(url: string, keyOf: (user: string) => string, ttlMs = THEIR_TTL_MS) {
    this.#redis = new Redis(url, { maxRetriesPerRequest: 1 });
    // What fails is told to whoever asked for it.
    this.#redis.on('error', () => undefined);
    this.#keyOf = keyOf;
    this.#ttlMs = ttlMs;
  }

  async act({ user, language, channel }: Shopper, act: Act, at: number): Promise<void> {
    const key = this.#keyOf(user);
    const commands = this.#redis.pipeline();
    if (act.does === 'says' || act.does === 'replies') {
      const role = act.does === 'says' ? 'user' : 'assistant';
      commands.rpush(`${key}:messages`, JSON.stringify({ role, content: act.text }));
      commands.ltrim(`${key}:messages`, -10, -1);
    }
    const fields = fieldsOf(act, at);
    commands.hset(key, { active_channel: channel, language, ...fields });
    commands.pexpire(key, this.#ttlMs);
    for (const [error] of (await commands.exec()) ?? []) if (error) throw error;
  }

  /** Removes every key that begins so. @returns how many */
  async removeAll(beginning: string): Promise<number> {
    let removed = 0;
    let cursor = '0';
    do {
      const page = await this.#redis.scan(cursor, 'MATCH', `${beginning}*`, 'COUNT', UNLINK_BATCH);
      cursor = page[0];
      if (page[1].length > 0) removed += await this.#redis.unlink(...page[1]);
    } while (cursor !== '0');
    return removed;
  }

  close(): void {
    this.#redis.disconnect();
  }
}

/** Instants as such programs write them: seconds with a fraction. */
function fieldsOf(act: Act, at: number): Record<string, string> {
  const now = String(at / 1_000);
  switch (act.does) {
    case 'replies':
      return {};
    case 'opts out':
      return { consent: '{"status":"no"}' };
    case 'orders':
      return { last_activity: now, last_order_at: now, order_id: act.orderId, cart: '[]' };
    case 'cart':
      return { last_activity: now, cart: JSON.stringify(act.cart) };
    case 'says':
    case 'views':
      return { last_activity: now };
  }
}
