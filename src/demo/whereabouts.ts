/**
 * Where is all that was said? The application's own record against what the tiers hold, message by message: each must be
 * in hot or in warm, or in both while its session lives, and once in either; what was compacted, once in a transcript of
 * cold, and in warm no longer.
 */
import { parseSegment } from '../model/conversation.ts';
import type { ColdStore } from '../ports/cold.ts';
import type { SessionRecords } from '../ports/records.ts';
import type { WarmStore } from '../ports/warm.ts';
import { coldShare } from './cold-share.ts';
import type { Visit } from './shop.ts';

/** What the tiers hold of what one user, or all of them, said and were told. */
export interface Whereabouts {
  readonly said: number;
  readonly hot: number;
  readonly warm: number;
  /** In hot and in warm. */
  readonly both: number;
  readonly cold: number;
  /** In none. */
  readonly lost: number;
  /** More than once in one tier, or in warm and in cold. */
  readonly repeated: number;
  /** In a tier, though nobody said it. */
  readonly unknown: number;
}

/** @param said the ids of what was said; `hot`, `warm` and `cold`: those that each tier holds */
export function locate(
  said: readonly string[],
  hot: readonly string[],
  warm: readonly string[],
  cold: readonly string[] = [],
): Whereabouts {
  const [inHot, inWarm, inCold] = [new Set(hot), new Set(warm), new Set(cold)];
  const count = (wanted: (id: string) => boolean): number => said.filter(wanted).length;
  return {
    said: said.length,
    hot: count((id) => inHot.has(id) && !inWarm.has(id) && !inCold.has(id)),
    warm: count((id) => inWarm.has(id) && !inHot.has(id)),
    both: count((id) => inHot.has(id) && inWarm.has(id)),
    cold: count((id) => inCold.has(id)),
    lost: count((id) => !inHot.has(id) && !inWarm.has(id) && !inCold.has(id)),
    repeated:
      hot.length -
      inHot.size +
      (warm.length - inWarm.size) +
      (cold.length - inCold.size) +
      inWarm.intersection(inCold).size,
    unknown: inHot.union(inWarm).union(inCold).difference(new Set(said)).size,
  };
}

/** What is wrong with it, in words; undefined: nothing. */
export function wrongWith({ lost, repeated, unknown }: Whereabouts): string | undefined {
  const wrong = Object.entries({ lost, repeated, unknown }).filter(([, count]) => count > 0);
  if (wrong.length === 0) return undefined;
  return `messages ${wrong.map(([what, count]) => `${what}: ${count}`).join(', ')}`;
}

/** Adds up. */
export function total(each: readonly Whereabouts[]): Whereabouts {
  const sum = { said: 0, hot: 0, warm: 0, both: 0, cold: 0, lost: 0, repeated: 0, unknown: 0 };
  for (const one of each) {
    for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += one[name];
  }
  return sum;
}

export interface Tiers {
  readonly records: SessionRecords;
  readonly warm: WarmStore;
  readonly cold: ColdStore;
}

/** Asks the tiers about everybody whose messages have ids; when nothing moves any more. */
export async function whereabouts(
  tiers: Tiers,
  visits: readonly Visit[],
): Promise<ReadonlyMap<string, Whereabouts>> {
  const found = new Map<string, Whereabouts>();
  for (const { shopper, said } of visits) {
    if (shopper.foreign) continue;
    const { user } = shopper;
    const [hot, warm, cold] = await Promise.all([
      hotIds(tiers, user),
      warmIds(tiers, user),
      coldShare(tiers.cold, user),
    ]);
    found.set(user, locate(said, hot, warm, cold.messages));
  }
  return found;
}

/** Of all messages of a user that hot holds. */
export async function hotIds({ records }: Pick<Tiers, 'records'>, user: string): Promise<string[]> {
  const { overflow, window, nextFrom } = await records.snapshot(user);
  if (nextFrom !== undefined) throw new Error(`${user} has said more than the demo can count`);
  return [...overflow, ...window].map(({ message, raw }) => message.id ?? raw);
}

/** Of all messages of a user that warm holds. */
export async function warmIds({ warm }: Pick<Tiers, 'warm'>, user: string): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await warm.find(user, { memoryType: 'segment' }, 'step', { limit: 100, cursor });
    for (const { entry } of page.items)
      ids.push(...parseSegment(entry).messages.map(({ message, raw }) => message.id ?? raw));
    cursor = page.cursor;
  } while (cursor !== undefined);
  return ids;
}
