import { parseSegment } from '../model/conversation.ts';
import type { SessionRecords } from '../ports/records.ts';
import type { WarmStore } from '../ports/warm.ts';

/** Where the messages are that were received: each in hot or in warm, or in both while its session lives. */
export interface Account {
  readonly received: number;
  readonly hotOnly: number;
  readonly warmOnly: number;
  readonly both: number;
  /** In no tier. */
  readonly missing: number;
  /** More than once in one tier. */
  readonly repeated: number;
}

/** Looks for every message of every user, by the ids that were received. */
export async function accountFor(
  { records, warm }: { readonly records: SessionRecords; readonly warm: WarmStore },
  received: ReadonlyMap<string, readonly string[]>,
): Promise<Account> {
  const sum = { received: 0, hotOnly: 0, warmOnly: 0, both: 0, missing: 0, repeated: 0 };
  for (const [user, ids] of received) {
    const { overflow, window } = await records.snapshot(user);
    const hot = [...overflow, ...window].map(({ message }) => message.id);
    const sunk = await warmIds(warm, user);
    const [inHot, inWarm] = [new Set(hot), new Set(sunk)];
    sum.repeated += hot.length - inHot.size + (sunk.length - inWarm.size);
    for (const id of ids) {
      sum.received += 1;
      if (inHot.has(id)) sum[inWarm.has(id) ? 'both' : 'hotOnly'] += 1;
      else sum[inWarm.has(id) ? 'warmOnly' : 'missing'] += 1;
    }
  }
  return sum;
}

async function warmIds(warm: WarmStore, user: string): Promise<(string | undefined)[]> {
  const ids: (string | undefined)[] = [];
  let cursor: string | undefined;
  do {
    const page = await warm.find(user, { memoryType: 'segment' }, 'step', { limit: 100, cursor });
    for (const { entry } of page.items)
      ids.push(...parseSegment(entry).messages.map(({ message }) => message.id));
    cursor = page.cursor;
  } while (cursor !== undefined);
  return ids;
}
