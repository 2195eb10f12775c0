import { afterEach, describe, expect, test } from 'vitest';
import { PermanentError } from '../../src/model/errors.ts';
import type { Jobs, QueueSettings } from '../../src/ports/jobs.ts';
import { HOSTILE_USER_IDS } from '../support/hostile-user-ids.ts';
import type { JobsHarness } from './jobs.ts';

/** What every adapter of the jobs port promises of its queues. */
export function keyedJobsContract(name: string, harness: () => JobsHarness): void {
  describe(`${name}: queues`, () => {
    const created: Jobs[] = [];
    function jobs(): Jobs {
      const one = harness().create();
      created.push(one);
      return one;
    }
    afterEach(async () => {
      await Promise.all(created.splice(0).map((one) => one.stop(AbortSignal.abort())));
    });

    function settings(more: Partial<QueueSettings> = {}): QueueSettings {
      const backoffMs = harness().everyMs / 5;
      return {
        name: 'demote',
        concurrency: 4,
        perSecond: undefined,
        attempts: 3,
        backoffMs,
        ...more,
      };
    }

    /** A started adapter whose runs each wait for a gate. */
    async function gated(): Promise<{ one: Jobs; ran: string[]; gates: Gates }> {
      const one = jobs();
      const ran: string[] = [];
      const gates: Gates = [];
      one.handle(settings(), async (key) => {
        ran.push(key);
        const gate = Promise.withResolvers<undefined>();
        gates.push(gate);
        await gate.promise;
      });
      await one.start();
      return { one, ran, gates };
    }

    /** What is dead, after each of these has failed for good. */
    async function withDead(
      keys: readonly string[],
      fails: (key: string) => boolean = () => true,
    ): Promise<{ one: Jobs; ran: string[] }> {
      const one = jobs();
      const ran: string[] = [];
      one.handle(settings(), async (key) => {
        ran.push(key);
        if (fails(key)) throw new PermanentError(`no ${key}`);
      });
      await one.start();
      for (const [index, key] of keys.entries()) {
        await one.add('demote', [key]);
        await harness().until(async () => (await one.counts('demote')).dead === index + 1);
        await harness().pass(5);
      }
      return { one, ran };
    }

    test('while a job runs exactly one more follows it, however often it is added', async () => {
      const { until, pass, everyMs } = harness();
      const { one, ran, gates } = await gated();
      await one.add('demote', ['a']);
      await until(() => ran.length === 1);
      await Promise.all([one.add('demote', ['a', 'a']), one.add('demote', ['a'])]);
      await one.add('demote', ['a']);
      await pass(everyMs);
      expect(ran).toEqual(['a']);
      gates[0]!.resolve(undefined);
      await until(() => ran.length === 2);
      gates[1]!.resolve(undefined);
      await pass(everyMs);
      expect(ran).toEqual(['a', 'a']);
      await one.add('demote', ['a']);
      await until(() => ran.length === 3);
      gates[2]!.resolve(undefined);
    });

    test('after every add a run of its key begins, and never two at once, whatever the moment', async () => {
      const { until } = harness();
      const one = jobs();
      let instant = 0;
      const begunAt = new Map<string, number>();
      const addedAt = new Map<string, number>();
      const running = new Set<string>();
      const wrong: string[] = [];
      let failures = 0;
      one.handle(settings({ attempts: 1_000, backoffMs: 1 }), async (key) => {
        if (running.has(key)) wrong.push(key);
        running.add(key);
        begunAt.set(key, (instant += 1));
        // Some runs end at once, others when more adds are on their way.
        for (let turn = instant % 4; turn > 0; turn -= 1) await one.counts('demote');
        running.delete(key);
        if ((failures += 1) % 7 === 0) throw new Error('not this time');
      });
      await one.start();
      for (let round = 0; round < 150; round += 1) {
        const keys = [0, 1, 2].map((offset) => `user ${String((round * offset + round) % 5)}`);
        for (const key of keys) addedAt.set(key, (instant += 1));
        await one.add('demote', keys, round % 11 === 0 ? 2 : 0);
        if (round % 10 === 0) await harness().pass(1);
      }
      await until(() => [...addedAt].every(([key, at]) => (begunAt.get(key) ?? 0) > at));
      await until(async () => sum(await one.counts('demote')) === 0);
      expect(wrong).toEqual([]);
    });

    test('one that waits is enough, and what was added before the start or a delay stays as it is', async () => {
      const { until, pass, everyMs, now } = harness();
      const one = jobs();
      const ran: [key: string, afterMs: number][] = [];
      await one.add('demote', ['a', 'b', 'a']);
      await one.add('demote', ['a']);
      await one.add('demote', ['late'], 3 * everyMs);
      const addedAt = now();
      await one.add('demote', ['late']);
      expect(await one.counts('demote')).toMatchObject({ waiting: 2, delayed: 1, running: 0 });
      one.handle(settings(), async (key) => void ran.push([key, now() - addedAt]));
      await one.start();
      await until(() => ran.length === 3);
      await pass(everyMs);
      expect(ran.map(([key]) => key)).toEqual(['a', 'b', 'late']);
      expect(ran[2]![1]).toBeGreaterThanOrEqual(2.9 * everyMs);
    });

    test('a job that fails is tried again, and after its attempts it is a dead letter', async () => {
      const { until, now, everyMs } = harness();
      const one = jobs();
      const at: number[] = [];
      one.handle(settings({ attempts: 3 }), async () => {
        at.push(now());
        throw new Error(`not this time, for the ${String(at.length)}. time`);
      });
      await one.start();
      await one.add('demote', ['a']);
      await until(async () => (await one.counts('demote')).dead === 1);
      expect(at).toHaveLength(3);
      expect(at[2]! - at[0]!).toBeLessThan(3 * everyMs);
      const { total, letters } = await one.deadLetters('demote', 10);
      expect(total).toBe(1);
      expect(letters).toMatchObject([
        { key: 'a', reason: 'not this time, for the 3. time', attempts: 3 },
      ]);
      expect(letters[0]!.at).toBeGreaterThanOrEqual(at[2]!);
      expect(await one.counts('demote')).toMatchObject({ waiting: 0, delayed: 0, running: 0 });
    });

    test('what is not worth repeating is dead at once, whatever else is thrown is tried again', async () => {
      const { until } = harness();
      const one = jobs();
      const thrown: Record<string, unknown> = {
        permanent: new PermanentError('the user is erased'),
        nothing: undefined,
        text: 'no error at all',
        waiting: named('WaitingError'),
        delayed: named('DelayedError'),
        unrecoverable: named('UnrecoverableError'),
        limited: new Error('bullmq:rateLimitExceeded'),
        long: new Error('x'.repeat(100_000)),
      };
      const runs: Record<string, number> = {};
      one.handle(settings({ attempts: 2, backoffMs: 1 }), async (key) => {
        runs[key] = (runs[key] ?? 0) + 1;
        throw thrown[key];
      });
      await one.start();
      await one.add('demote', Object.keys(thrown));
      await until(async () => (await one.counts('demote')).dead === Object.keys(thrown).length);
      const { permanent, ...others } = runs;
      expect(permanent).toBe(1);
      expect(new Set(Object.values(others))).toEqual(new Set([2]));
      const { letters } = await one.deadLetters('demote', 100);
      expect(Math.max(...letters.map(({ reason }) => reason.length))).toBe(1_000);
      expect(letters.find(({ key }) => key === 'text')!.reason).toBe('no error at all');
    });

    test('the next attempt serves for what was added while a run failed', async () => {
      const { until, pass, everyMs } = harness();
      const one = jobs();
      let runs = 0;
      one.handle(settings(), async () => {
        runs += 1;
        if (runs > 1) return;
        await one.add('demote', ['a']);
        throw new Error('not this time');
      });
      await one.start();
      await one.add('demote', ['a']);
      await until(() => runs === 2);
      await pass(everyMs);
      expect(runs).toBe(2);
    });

    test('what was added while a job failed for good follows it', async () => {
      const { until, pass, everyMs } = harness();
      const one = jobs();
      let runs = 0;
      one.handle(settings(), async () => {
        runs += 1;
        if (runs > 1) return;
        await one.add('demote', ['a']);
        throw new PermanentError('never');
      });
      await one.start();
      await one.add('demote', ['a']);
      await until(() => runs === 2);
      await pass(everyMs);
      expect(runs).toBe(2);
      expect((await one.deadLetters('demote', 10)).total).toBe(0);
    });

    test('a dead letter does not block its key, and disappears when a later job is done', async () => {
      const { until } = harness();
      let fails = true;
      const { one, ran } = await withDead(['a', 'b'], () => fails);
      await one.add('demote', ['a']);
      await until(() => ran.length === 3);
      await until(async () => sum(await one.counts('demote')) === 0);
      // Dead once more: the same letter, but the newest now.
      expect((await one.deadLetters('demote', 10)).letters.map(({ key }) => key)).toEqual([
        'a',
        'b',
      ]);
      fails = false;
      await one.add('demote', ['a']);
      await until(async () => (await one.counts('demote')).dead === 1);
      expect((await one.deadLetters('demote', 10)).letters.map(({ key }) => key)).toEqual(['b']);
    });

    test('dead letters are listed newest first, replayed, and dropped', async () => {
      const { until } = harness();
      let fails = true;
      const { one, ran } = await withDead(['a', 'b', 'c', 'd'], () => fails);
      const { total, letters } = await one.deadLetters('demote', 2);
      expect([total, ...letters.map(({ key }) => key)]).toEqual([4, 'd', 'c']);
      expect((await one.deadLetters('demote', 0)).letters).toEqual([]);

      expect(await one.drop('demote', ['d', 'no such key'])).toBe(1);
      expect(await one.drop('demote', [])).toBe(0);
      fails = false;
      expect(await one.replay('demote', ['c', 'd', 'no such key'])).toBe(1);
      await until(() => ran.length === 5);
      expect(await one.replay('demote', [])).toBe(0);
      expect(await one.replay('demote')).toBe(2);
      await until(() => ran.length === 7);
      expect(ran.slice(4)).toEqual(['c', 'a', 'b']);
      expect(await one.deadLetters('demote', 10)).toEqual({ total: 0, letters: [] });
      expect(await one.replay('demote')).toBe(0);
    });

    test('what is replayed has all its attempts before it, and may die again', async () => {
      const { until, now, pass } = harness();
      const { one, ran } = await withDead(['a', 'b']);
      const before = now();
      await pass(5);
      expect(await one.replay('demote')).toBe(2);
      await until(() => ran.length === 4);
      await until(async () => (await one.counts('demote')).dead === 2);
      const { letters } = await one.deadLetters('demote', 10);
      for (const { at } of letters) expect(at).toBeGreaterThan(before);
    });

    test('forgetting removes what waits, is delayed, follows or is dead, but not what runs', async () => {
      const { until, pass, everyMs } = harness();
      const dead = (await withDead(['dead', 'a'])).one;
      expect(await dead.forget('demote', 'dead')).toBe(1);
      expect((await dead.deadLetters('demote', 10)).letters.map(({ key }) => key)).toEqual(['a']);
      await dead.stop(AbortSignal.abort());

      const { one, ran, gates } = await gated();
      await one.add('demote', ['runs']);
      await until(() => ran.length === 1);
      await one.add('demote', ['runs']);
      await one.add('other', ['waits', 'stays']);
      await one.add('other', ['later'], 1_000_000);
      expect(await one.forget('demote', 'runs')).toBe(1);
      expect(await one.forget('other', 'waits')).toBe(1);
      expect(await one.forget('other', 'later')).toBe(1);
      expect(await one.forget('other', 'later')).toBe(0);
      expect(await one.counts('other')).toMatchObject({ waiting: 1, delayed: 0 });
      expect((await one.counts('demote')).running).toBe(1);
      gates[0]!.resolve(undefined);
      await pass(everyMs);
      expect(ran).toEqual(['runs']);
      // Its key is as free as any.
      await one.add('demote', ['runs']);
      await until(() => ran.length === 2);
      gates[1]!.resolve(undefined);
    });

    test('one key is asked for: it waits, comes later, runs, is dead, or is not there', async () => {
      const { until } = harness();
      const dead = (await withDead(['a'])).one;
      expect(await dead.inspect('demote', 'a')).toEqual({
        state: undefined,
        dead: { key: 'a', reason: 'no a', attempts: 1, at: expect.any(Number) as number },
      });
      await dead.stop(AbortSignal.abort());

      const { one, ran, gates } = await gated();
      const stateOf = async (queue: string, key: string): Promise<string | undefined> =>
        (await one.inspect(queue, key)).state;
      await one.add('demote', ['runs']);
      await one.add('other', ['waits']);
      await one.add('other', ['later'], 1_000_000);
      await until(() => ran.length === 1);
      expect(await stateOf('demote', 'runs')).toBe('running');
      expect(await stateOf('other', 'waits')).toBe('waiting');
      expect(await stateOf('other', 'later')).toBe('delayed');
      expect(await one.inspect('other', 'runs')).toEqual({ state: undefined, dead: undefined });
      gates[0]!.resolve(undefined);
      await until(async () => (await stateOf('demote', 'runs')) === undefined);
    });

    test('counts tell what there is, and since when the next in line has waited', async () => {
      const { until, pass, everyMs, now } = harness();
      const { one, ran, gates } = await gated();
      expect(await one.counts('demote')).toEqual({
        waiting: 0,
        delayed: 0,
        running: 0,
        dead: 0,
        oldestAt: undefined,
      });
      await one.add('demote', ['runs']);
      await until(() => ran.length === 1);
      expect(await one.counts('demote')).toMatchObject({ waiting: 0, running: 1 });
      gates[0]!.resolve(undefined);

      const addedAt = now();
      await one.add('other', ['a'], 1_000 * everyMs);
      await one.add('other', ['b'], everyMs);
      expect(await one.counts('other')).toMatchObject({ delayed: 2, oldestAt: undefined });
      await pass(everyMs + 1_000);
      // Its time has come, though nobody handles this queue.
      const counts = await one.counts('other');
      expect(counts).toMatchObject({ waiting: 1, delayed: 1 });
      expect(counts.oldestAt! - addedAt - everyMs).toBeLessThan(1_000);
      expect(counts.oldestAt! - addedAt).toBeGreaterThanOrEqual(everyMs - 1);
      await one.add('third', ['a']);
      expect(Math.abs((await one.counts('third')).oldestAt! - now())).toBeLessThan(1_000);
    });

    test('no more jobs run at once, and none begin in a second, than was set', async () => {
      const { until, now } = harness();
      const one = jobs();
      let running = 0;
      let most = 0;
      one.handle(settings({ concurrency: 2 }), async () => {
        running += 1;
        most = Math.max(most, running);
        await one.counts('demote');
        running -= 1;
      });
      const begunAt: number[] = [];
      one.handle(settings({ name: 'slow', concurrency: 10, perSecond: 4 }), async () => {
        begunAt.push(now());
      });
      const keys = Array.from({ length: 10 }, (_, index) => `user ${String(index)}`);
      await one.add('demote', keys);
      await one.add('slow', keys);
      await one.start();
      await until(() => begunAt.length === 10);
      expect(most).toBeLessThanOrEqual(2);
      // The third lot of four may begin after two seconds.
      expect(begunAt[9]! - begunAt[0]!).toBeGreaterThan(1_900);
    });

    test('a key may be any text of 1 to 512 bytes', async () => {
      const { until } = harness();
      const one = jobs();
      const ran: string[] = [];
      const fails = new Set(HOSTILE_USER_IDS);
      one.handle(settings(), async (key) => {
        ran.push(key);
        if (fails.delete(key)) throw new PermanentError('once');
      });
      await one.start();
      await one.add('demote', HOSTILE_USER_IDS);
      await one.add('other', HOSTILE_USER_IDS);
      await until(async () => (await one.counts('demote')).dead === HOSTILE_USER_IDS.length);
      expect(ran.sort()).toEqual([...HOSTILE_USER_IDS].sort());
      const { letters } = await one.deadLetters('demote', 1_000);
      expect(letters.map(({ key }) => key).sort()).toEqual([...HOSTILE_USER_IDS].sort());
      expect(await one.replay('demote', HOSTILE_USER_IDS)).toBe(HOSTILE_USER_IDS.length);
      await until(async () => sum(await one.counts('demote')) === 0);
      expect((await one.counts('demote')).dead).toBe(0);
      expect(ran).toHaveLength(2 * HOSTILE_USER_IDS.length);
      for (const key of HOSTILE_USER_IDS)
        expect([key, await one.forget('other', key)]).toEqual([key, 1]);
      expect((await one.counts('other')).waiting).toBe(0);

      for (const key of ['', 'x'.repeat(513), 'é'.repeat(257), '\ud800']) {
        await expect(one.add('demote', ['fine', key])).rejects.toThrow(/a job's key/);
      }
    });

    test('a schedule may have the name of a queue', async () => {
      const { until, everyMs } = harness();
      const one = jobs();
      const ran: string[] = [];
      one.register({ name: 'demote', everyMs }, async () => void ran.push('turn'));
      one.handle(settings(), async (key) => void ran.push(key));
      await one.start();
      await one.add('demote', ['a']);
      await until(() => ran.includes('a') && ran.filter((what) => what === 'turn').length === 2);
      expect(await one.revive()).toEqual([]);
    });

    test('a stop waits for running jobs, and no other one comes; nothing is added then', async () => {
      const { until, pass, everyMs } = harness();
      const { one, ran, gates } = await gated();
      await one.add('demote', ['a']);
      await until(() => ran.length === 1);
      await one.add('demote', ['a', 'b'], everyMs / 2);
      let stopped = false;
      const stop = one.stop(AbortSignal.timeout(5_000)).then(() => (stopped = true));
      await pass(everyMs);
      expect(stopped).toBe(false);
      gates[0]!.resolve(undefined);
      await stop;
      await pass(everyMs);
      expect(ran).toEqual(['a']);
      await expect(one.add('demote', ['c'])).rejects.toThrow(/stopped/);
    });

    test('a stop that has no more time tells the running jobs to give up', async () => {
      const { until } = harness();
      const one = jobs();
      let begun = 0;
      let given = false;
      one.handle(settings(), async (_key, signal) => {
        begun += 1;
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
        given = true;
        signal.throwIfAborted();
      });
      await one.start();
      await one.add('demote', ['a']);
      await until(() => begun === 1);
      await one.stop(AbortSignal.abort());
      expect(given).toBe(true);
    });

    test('a queue has one handler, said before the start', async () => {
      const one = jobs();
      one.handle(settings(), async () => undefined);
      expect(() => one.handle(settings(), async () => undefined)).toThrow(/a handler already/);
      await one.start();
      expect(() => one.handle(settings({ name: 'late' }), async () => undefined)).toThrow(
        /before the start/,
      );
    });
  });
}

type Gates = PromiseWithResolvers<undefined>[];

function named(name: string): Error {
  return Object.assign(new Error(`a ${name} of somebody else`), { name });
}

function sum({ waiting, delayed, running }: Awaited<ReturnType<Jobs['counts']>>): number {
  return waiting + delayed + running;
}
