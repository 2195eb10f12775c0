/**
 * Where is all that was said? The application's own record against what the tiers hold, message by message: each must be
 * in hot or in warm, or in both while its session lives, and once in either.
 */
import { parseSegment } from '../model/conversation.ts';
import type { SessionRecords } from '../ports/records.ts';
import type { WarmStore } from '../ports/warm.ts';
import type { Visit } from './shop.ts';

/** What the tiers hold of what one user, or all of them, said and were told. */
export interface Whereabouts {
  readonly said: number;
  readonly hot: number;
  readonly warm: number;
  readonly both: number;
  /** In neither. */
  readonly lost: number;
  /** More than once in one tier. */
  readonly repeated: number;
  /** In a tier, though nobody said it. */
  readonly unknown: number;
}

/** @param said the ids of what was said; `hot` and `warm`: those that each tier holds */
export function locate(
  said: readonly string[],
  hot: readonly string[],
  warm: readonly string[],
): Whereabouts {
  const [inHot, inWarm, known] = [new Set(hot), new Set(warm), new Set(said)];
  const count = (wanted: (id: string) => boolean): number => said.filter(wanted).length;
  return {
    said: said.length,
    hot: count((id) => inHot.has(id) && !inWarm.has(id)),
    warm: count((id) => inWarm.has(id) && !inHot.has(id)),
    both: count((id) => inHot.has(id) && inWarm.has(id)),
    lost: count((id) => !inHot.has(id) && !inWarm.has(id)),
    repeated: hot.length - inHot.size + (warm.length - inWarm.size),
    unknown: inHot.union(inWarm).difference(known).size,
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
  const sum = { said: 0, hot: 0, warm: 0, both: 0, lost: 0, repeated: 0, unknown: 0 };
  for (const one of each) {
    for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += one[name];
  }
  return sum;
}

export interface Tiers {
  readonly records: SessionRecords;
  readonly warm: WarmStore;
}

/** Asks both tiers about everybody whose messages have ids; when nothing moves any more. */
export async function whereabouts(
  tiers: Tiers,
  visits: readonly Visit[],
): Promise<ReadonlyMap<string, Whereabouts>> {
  const found = new Map<string, Whereabouts>();
  for (const { shopper, said } of visits) {
    if (shopper.foreign) continue;
    const { user } = shopper;
    found.set(user, locate(said, await hotIds(tiers, user), await warmIds(tiers, user)));
  }
  return found;
}

async function hotIds({ records }: Tiers, user: string): Promise<string[]> {
  const { overflow, window, nextFrom } = await records.snapshot(user);
  if (nextFrom !== undefined) throw new Error(`${user} has said more than the demo can count`);
  return [...overflow, ...window].map(({ message, raw }) => message.id ?? raw);
}

async function warmIds({ warm }: Tiers, user: string): Promise<string[]> {
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
