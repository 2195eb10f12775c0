import { describe, expect, test } from 'vitest';
import { WarmUnavailableError } from '../../src/model/errors.ts';
import type { WarmStore } from '../../src/ports/warm.ts';
import { didNotRun } from '../support/did-not-run.ts';
import { T, type WarmHarness, anEntry, putOne, write } from './warm.ts';

/** Brings a fault about in the store that was opened last, and gives what ends it. A text: why there is no such fault. */
export type Fault<Args extends readonly unknown[] = []> =
  | string
  | ((...args: Args) => Promise<() => Promise<void>>);

/** The faults that the stores of a tier can have. */
export interface WarmFaults {
  /** This entry is not taken, while others of its batch are. */
  readonly failOne: Fault<[agentId: string, memoryId: string]>;
  /** Nothing is written for now: there is too much to do. */
  readonly throttle: Fault;
  /** Nobody answers. */
  readonly away: Fault;
  /** A call gives up after so long, with its retries. */
  readonly budgetMs: number;
}

/** What a machine that is busy with other things adds. */
const SLACK_MS = 3_000;

/** What every adapter of the warm port promises when its store fails. */
export function warmFaultsContract(
  name: string,
  harness: () => WarmHarness,
  faults: () => WarmFaults,
): void {
  async function opened(): Promise<WarmStore> {
    const warm = await harness().open();
    await write(warm, anEntry('ann', 'stands', { embedding: [1] }));
    return warm;
  }

  /** Insists that a call is refused in its time, as what may be tried again. */
  async function refused(call: () => Promise<unknown>): Promise<void> {
    const startedAt = performance.now();
    const error: unknown = await call().then(
      () => 'served',
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(WarmUnavailableError);
    expect(performance.now() - startedAt).toBeLessThan(faults().budgetMs + SLACK_MS);
    if (error instanceof WarmUnavailableError && error.retryAfterMs !== undefined)
      expect(error.retryAfterMs).toBeGreaterThan(0);
  }

  describe(`${name}: a store that fails`, () => {
    test('with one entry takes the others, and says which it did not take and whether to try again', async (context) => {
      const { failOne } = faults();
      if (typeof failOne === 'string') return didNotRun(context, failOne);
      const warm = await opened();
      const end = await failOne('ann', 'b');
      const writes = ['a', 'b', 'c'].map((id) => ({ entry: anEntry('ann', id) }));
      const outcomes = await warm.put('ann', writes);
      expect(outcomes.map(({ outcome }) => outcome)).toEqual(['written', 'failed', 'written']);
      expect(outcomes[1]).toMatchObject({
        retryable: true,
        reason: expect.stringMatching(/./) as string,
      });
      const there = await warm.get('ann', ['a', 'b', 'c']);
      expect(there.map(({ entry }) => entry.memoryId)).toEqual(['a', 'c']);
      await end();
      expect((await putOne(warm, { entry: anEntry('ann', 'b') })).outcome).toBe('written');
    });

    test('with all that is written, for there is too much to do, is given up on in time, and serves afterwards', async (context) => {
      const { throttle } = faults();
      if (typeof throttle === 'string') return didNotRun(context, throttle);
      const warm = await opened();
      const end = await throttle();
      const entry = anEntry('ann', 'a');
      await refused(() => warm.put('ann', [{ entry }]));
      await refused(() => warm.remove('ann', [{ memoryId: 'stands' }]));
      await refused(() => warm.erase('ann', T, T * 2));
      await end();
      expect(await warm.count('ann')).toBe(1);
      expect((await putOne(warm, { entry })).outcome).toBe('written');
      expect(await warm.erase('ann', T, T * 2)).toBe(2);
    });

    test('for a moment takes a write, or refuses it: what it says is so', async (context) => {
      const { throttle } = faults();
      if (typeof throttle === 'string') return didNotRun(context, throttle);
      const warm = await opened();
      const end = await throttle();
      const writing = putOne(warm, { entry: anEntry('ann', 'a') }).then(
        ({ outcome }) => outcome,
        (error: unknown) => error,
      );
      await end();
      const said = await writing;
      if (said !== 'written') expect(said).toBeInstanceOf(WarmUnavailableError);
      expect(await warm.count('ann')).toBe(said === 'written' ? 2 : 1);
    });

    test('because it is away refuses every call in time, and serves when it is back', async (context) => {
      const { away } = faults();
      if (typeof away === 'string') return didNotRun(context, away);
      const warm = await opened();
      const end = await away();
      const page = { limit: 1 };
      const calls: (() => Promise<unknown>)[] = [
        () => warm.put('ann', [{ entry: anEntry('ann', 'a') }]),
        () => warm.get('ann', ['stands']),
        () => warm.remove('ann', [{ memoryId: 'stands' }]),
        () => warm.find('ann', {}, 'newest', page),
        () => warm.search('ann', 'about', page),
        () => warm.similar('ann', [1], page),
        () => warm.recalled('ann', ['stands'], T),
        () => warm.aged('note', T + 1, page),
        () => warm.erase('ann', T, T * 2),
        () => warm.count('ann'),
        () => warm.sweep(),
      ];
      await Promise.all(calls.map(refused));
      await end();
      expect((await warm.get('ann', ['stands', 'a'])).map(({ entry }) => entry.memoryId)).toEqual([
        'stands',
      ]);
    });
  });
}
