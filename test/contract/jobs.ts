import { afterEach, describe, expect, test } from 'vitest';
import { HOUR_MS } from '../../src/model/duration.ts';
import type { Jobs } from '../../src/ports/jobs.ts';

/** How a suite gets at one adapter of the jobs port, and makes time pass for it. */
export interface JobsHarness {
  /** A period that fits the adapter's clock. */
  readonly everyMs: number;
  readonly create: () => Jobs;
  readonly now: () => number;
  /** Lets time pass until the condition holds; rejects if it does not for long. */
  readonly until: (condition: () => boolean | Promise<boolean>) => Promise<void>;
  /** Lets so much time pass. */
  readonly pass: (ms: number) => Promise<void>;
}

/** What every adapter of the jobs port promises. */
export function jobsContract(name: string, harness: () => JobsHarness): void {
  describe(name, () => {
    const patiently = (): AbortSignal => AbortSignal.timeout(5_000);
    const created: Jobs[] = [];
    function jobs(): Jobs {
      const one = harness().create();
      created.push(one);
      return one;
    }
    afterEach(async () => {
      await Promise.all(created.splice(0).map((one) => one.stop(AbortSignal.abort())));
    });

    test('a schedule has its first turn at once, however long its period', async () => {
      const { until, now } = harness();
      const turns: number[] = [];
      const one = jobs();
      one.register({ name: 'sweep', everyMs: HOUR_MS }, async () => void turns.push(now()));
      const startedAt = now();
      await one.start();
      await until(() => turns.length > 0);
      expect(turns[0]! - startedAt).toBeLessThan(HOUR_MS);
    });

    test('a schedule has one turn every period, and no more', async () => {
      const { everyMs, until, now } = harness();
      const turns: number[] = [];
      const one = jobs();
      one.register({ name: 'sweep', everyMs }, async () => void turns.push(now()));
      await one.start();
      await until(() => turns.length === 4);
      expect(turns[3]! - turns[0]!).toBeGreaterThanOrEqual(2 * everyMs);
    });

    test('a schedule by cron has its turns at the instants that it names, and none before', async () => {
      const { until, now } = harness();
      const turns: number[] = [];
      const one = jobs();
      const cron = { cron: '* * * * * *', timezone: 'Europe/Berlin' };
      one.register({ name: 'each-second', ...cron }, async () => void turns.push(now()));
      const nextSecond = Math.floor(now() / 1_000) * 1_000 + 1_000;
      await one.start();
      await until(() => turns.length >= 3);
      expect(turns[0]).toBeGreaterThanOrEqual(nextSecond);
      expect(turns[2]! - turns[0]!).toBeGreaterThan(1_000);
    });

    test('a turn that fails takes nothing from the next one, nor from other schedules', async () => {
      const { everyMs, until } = harness();
      let failed = 0;
      let others = 0;
      const one = jobs();
      one.register({ name: 'failing', everyMs }, async () => {
        failed += 1;
        throw new Error('not this time');
      });
      one.register({ name: 'other', everyMs }, async () => void (others += 1));
      await one.start();
      await until(() => failed >= 3 && others >= 3);
    });

    test('a long turn is not overlapped, and what it held up is not piled up behind it', async () => {
      const { everyMs, until, pass } = harness();
      const gate = Promise.withResolvers<undefined>();
      let running = 0;
      let most = 0;
      let turns = 0;
      const one = jobs();
      one.register({ name: 'long', everyMs }, async () => {
        running += 1;
        most = Math.max(most, running);
        turns += 1;
        if (turns === 1) await gate.promise;
        running -= 1;
      });
      await one.start();
      await until(() => turns === 1);
      await pass(6 * everyMs);
      expect(turns).toBe(1);
      gate.resolve(undefined);
      await until(() => turns >= 2);
      await pass(everyMs);
      // One that was waiting, and those whose time has come since.
      expect(turns).toBeLessThan(5);
      expect(most).toBe(1);
    });

    test('a trigger brings one more turn, however often it is called before that', async () => {
      const { everyMs, until, pass } = harness();
      let turns = 0;
      const one = jobs();
      one.register({ name: 'rare', everyMs: 1_000 * everyMs }, async () => void (turns += 1));
      await one.start();
      await until(() => turns === 1);
      await Promise.all([one.trigger('rare'), one.trigger('rare'), one.trigger('rare')]);
      await until(() => turns >= 2);
      await pass(everyMs);
      // The second call may have come when the first one's turn had begun.
      expect(turns).toBeLessThanOrEqual(3);
      const before = turns;
      await one.trigger('rare');
      await until(() => turns === before + 1);
    });

    test('a trigger during a turn brings another one after it', async () => {
      const { everyMs, until, pass } = harness();
      const gate = Promise.withResolvers<undefined>();
      let turns = 0;
      const one = jobs();
      one.register({ name: 'rare', everyMs: 1_000 * everyMs }, async () => {
        turns += 1;
        if (turns === 2) await gate.promise;
      });
      await one.start();
      await until(() => turns === 1);
      await one.trigger('rare');
      await until(() => turns === 2);
      await one.trigger('rare');
      await one.trigger('rare');
      await pass(everyMs);
      expect(turns).toBe(2);
      gate.resolve(undefined);
      await until(() => turns === 3);
      await pass(everyMs);
      expect(turns).toBe(3);
    });

    test('what nobody registered cannot be triggered, and nothing is registered twice or late', async () => {
      const one = jobs();
      one.register({ name: 'sweep', everyMs: 1_000 }, async () => undefined);
      expect(() => one.register({ name: 'sweep', everyMs: 1 }, async () => undefined)).toThrow(
        /registered already/,
      );
      await one.start();
      await expect(one.trigger('swep')).rejects.toThrow(/no schedule swep/);
      expect(() => one.register({ name: 'late', everyMs: 1 }, async () => undefined)).toThrow(
        /before the start/,
      );
    });

    test('schedules that produce turns need no revival', async () => {
      const { everyMs, until } = harness();
      let turns = 0;
      const one = jobs();
      one.register({ name: 'sweep', everyMs }, async () => void (turns += 1));
      await one.start();
      expect(await one.revive()).toEqual([]);
      await until(() => turns === 2);
      expect(await one.revive()).toEqual([]);
    });

    test('a stop waits for the running turn, and no other one comes', async () => {
      const { everyMs, until, pass } = harness();
      const gate = Promise.withResolvers<undefined>();
      let begun = 0;
      let done = 0;
      const one = jobs();
      one.register({ name: 'sweep', everyMs }, async () => {
        begun += 1;
        await gate.promise;
        done += 1;
      });
      await one.start();
      await until(() => begun === 1);
      const stopped = one.stop(patiently());
      gate.resolve(undefined);
      await stopped;
      expect(done).toBe(1);
      await pass(3 * everyMs);
      expect(begun).toBe(1);
    });

    test('a stop that has no more time tells the running turn to give up', async () => {
      const { everyMs, until } = harness();
      let given = false;
      let begun = 0;
      const one = jobs();
      one.register({ name: 'sweep', everyMs }, async (signal) => {
        begun += 1;
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
        given = signal.aborted;
      });
      await one.start();
      await until(() => begun === 1);
      await one.stop(AbortSignal.abort());
      expect(given).toBe(true);
    });

    test('stops may come before the start, twice, and at the same time', async () => {
      const never = jobs();
      let turns = 0;
      never.register({ name: 'sweep', everyMs: 1 }, async () => void (turns += 1));
      await never.stop(patiently());
      await never.start();
      await harness().pass(2 * harness().everyMs);
      expect(turns).toBe(0);

      const twice = jobs();
      twice.register({ name: 'sweep', everyMs: 1_000 }, async () => undefined);
      await twice.start();
      await Promise.all([twice.stop(patiently()), twice.stop(patiently())]);
      await twice.stop(patiently());
    });
  });
}
