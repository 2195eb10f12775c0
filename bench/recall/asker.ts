import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { Activity } from '../../src/abandonment/activity.ts';
import { type Hot, openHot } from '../../src/compose.ts';
import type { Config } from '../../src/config.ts';
import { SeededRandom } from '../../src/demo/random.ts';
import type { RecallPorts } from '../../src/recall/recall.ts';
import { remembered } from '../../src/recall/remembered.ts';
import { wordAt } from '../warm/load.ts';

/** Who is recalled. */
export const USER = 'the-one-who-asks';
export const HOT_MESSAGES = 10;

const MESSAGE_WORDS = 20;

/** The hot tier with a session of the one who asks: messages and a cart. The caller closes it. */
export async function openAsker(config: Config): Promise<Hot> {
  const hot = await openHot(config);
  const random = new SeededRandom(1);
  const limits = { hotTtlMs: config.hotTtlMs, maxCart: config.maxCartBytes };
  const library = new Activity(hot.sessions, hot.clock, limits, countTokens);
  for (let n = 0; n < HOT_MESSAGES; n += 1)
    await library.appendMessage(USER, { id: `hot-${n}`, role: roleOf(n), content: words(random) });
  await library.updateCart(USER, [{ product_id: 'sneaker', size: '42', price: 89.9 }]);
  return hot;
}

/** What recall needs of hot, and a count of tokens as the library has it. */
export function hotPorts({
  clock,
  records,
}: Hot): Pick<RecallPorts, 'clock' | 'records' | 'countTokens'> {
  return { clock, records, countTokens: remembered(countTokens) };
}

export function roleOf(place: number): string {
  return place % 2 === 0 ? 'user' : 'assistant';
}

/** As many words as a message has, unless it is said how many. */
export function words(random: SeededRandom, count = MESSAGE_WORDS): string {
  return Array.from({ length: count }, () => wordAt(random.next())).join(' ');
}
