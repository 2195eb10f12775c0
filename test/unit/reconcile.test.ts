import { expect, test } from 'vitest';
import { reconcile } from '../../src/abandonment/reconcile.ts';
import { memoryHot } from '../support/memory-hot.ts';
import { POLICY } from '../support/watched-user.ts';

const NOW = 1_800_000_000_000;
const PAGES = 20;

/** How often a pass pauses in a store in which other programs keep much, and nobody has a session. */
async function pausesAmongOthersKeys(fullSpeed: boolean): Promise<number> {
  let pauses = 0;
  const { agenda, sessions, ledgers } = memoryHot(() => NOW);
  const scan = async (cursor: string) => {
    const next = Number(cursor) + 1;
    return { cursor: next < PAGES ? String(next) : undefined, users: [], impossible: [] };
  };
  sessions.scan = scan;
  ledgers.scan = scan;
  const clock = {
    now: () => NOW,
    sleep: async () => {
      pauses += 1;
    },
  };
  await reconcile({ agenda, sessions, ledgers, clock }, POLICY, () => undefined, { fullSpeed });
  return pauses;
}

test('a pass in the background pauses after each page, were it empty', async () => {
  expect(await pausesAmongOthersKeys(false)).toBeGreaterThanOrEqual(2 * PAGES);
});

test('a pass at full speed never pauses', async () => {
  expect(await pausesAmongOthersKeys(true)).toBe(0);
});
