import { afterEach, describe, expect, test } from 'vitest';
import { Backoff } from '../../../src/runtime/backoff.ts';
import { Loop, type LoopOptions } from '../../../src/runtime/loop.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { VirtualClock } from '../../../src/runtime/virtual-clock.ts';
import { recordingLogger } from '../../support/recording-logger.ts';

const loops: Loop[] = [];
afterEach(async () => {
  await Promise.all(loops.splice(0).map((loop) => loop.stop(AbortSignal.abort())));
});

function loopOf(options: Pick<LoopOptions, 'runOnce' | 'time'> & Partial<LoopOptions>): Loop {
  const loop = new Loop({ name: 'loop', log: silentLogger, ...options });
  loops.push(loop);
  return loop;
}

describe('a loop', () => {
  test('sleeps as each run says', async () => {
    const time = new VirtualClock(0);
    const ranAt: number[] = [];
    const runOnce = async () => {
      ranAt.push(time.now());
      return { sleepMs: ranAt.length * 100 };
    };
    await loopOf({ time, runOnce }).start();
    await time.advanceTo(1_000);
    expect(ranAt).toEqual([0, 100, 300, 600, 1_000]);
  });

  test('runs at once when it is woken, and once for many wakes', async () => {
    const time = new VirtualClock(0);
    let runs = 0;
    const runOnce = async () => {
      runs += 1;
      return { sleepMs: Infinity };
    };
    const loop = loopOf({ time, runOnce });
    await loop.start();
    await time.advanceTo(86_400_000 * 60);
    expect(runs).toBe(1);
    for (let wake = 0; wake < 100; wake += 1) loop.wake();
    await time.advanceTo(time.now());
    expect(runs).toBe(2);
  });

  test('that is woken during a run runs again after it', async () => {
    const time = new VirtualClock(0);
    let runs = 0;
    const loop: Loop = loopOf({
      time,
      runOnce: async () => {
        runs += 1;
        if (runs === 1) loop.wake();
        return { sleepMs: Infinity };
      },
    });
    await loop.start();
    await time.advanceTo(1);
    expect(runs).toBe(2);
  });

  test('that has always something to do lets others act', async () => {
    let runs = 0;
    const runOnce = async () => {
      runs += 1;
      return { sleepMs: 0 };
    };
    const loop = loopOf({ time: new VirtualClock(0), runOnce });
    await loop.start();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(runs).toBeGreaterThan(1);
    await loop.stop(AbortSignal.timeout(1_000));
  });

  test('that fails backs off, wakes or not, and says each error once', async () => {
    const time = new VirtualClock(0);
    const { log, lines } = recordingLogger();
    let runs = 0;
    let error: Error | undefined = new Error('away');
    const loop = loopOf({
      time,
      log,
      runOnce: async () => {
        runs += 1;
        if (error) throw error;
        return { sleepMs: 1_000 };
      },
      backoff: { baseMs: 100, capMs: 1_000, random: () => 0.999 },
    });
    await loop.start();
    for (let at = 0; at <= 10_000; at += 10) {
      loop.wake();
      await time.advanceTo(at);
    }
    // 100, 200, 400, 800, and every second from then on.
    expect(runs).toBe(13);
    expect(lines()).toHaveLength(1);
    // An outage shows itself in several ways in turn.
    for (let at = 11_000; at <= 60_000; at += 1_000) {
      error = new Error(at % 2_000 === 0 ? 'away' : 'still away, otherwise');
      await time.advanceTo(at);
    }
    expect(loop.trouble).toBe('away');
    error = undefined;
    await time.advanceTo(70_000);
    expect(loop.trouble).toBeUndefined();
    error = new Error('away');
    await time.advanceTo(80_000);
    expect(lines().map((line) => line['msg'])).toEqual([
      'failed, tries again',
      'failed, tries again',
      'works again',
      'failed, tries again',
    ]);
  });

  test('never spins on a run that says to sleep for no number', async () => {
    const time = new VirtualClock(0);
    let runs = 0;
    const runOnce = async () => {
      runs += 1;
      return { sleepMs: NaN };
    };
    await loopOf({ time, runOnce }).start();
    await time.advanceTo(1_000);
    expect(runs).toBeLessThan(20);
  });

  test('finishes the run in hand when it is stopped, and gives it up when there is no more time', async () => {
    const time = new VirtualClock(0);
    const gate = Promise.withResolvers<undefined>();
    let finished = false;
    const patient = loopOf({
      time,
      runOnce: async () => {
        await gate.promise;
        finished = true;
        return { sleepMs: 0 };
      },
    });
    await patient.start();
    const stopped = patient.stop(AbortSignal.timeout(5_000));
    gate.resolve(undefined);
    await stopped;
    expect(finished).toBe(true);

    let given = false;
    const busy = loopOf({
      time,
      runOnce: (signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            given = true;
            reject(new Error('given up'));
          });
        }),
    });
    await busy.start();
    await busy.stop(AbortSignal.timeout(5));
    expect(given).toBe(true);
  });

  test('takes no new run once it is quiet', async () => {
    const time = new VirtualClock(0);
    let runs = 0;
    const runOnce = async () => {
      runs += 1;
      return { sleepMs: 10 };
    };
    const loop = loopOf({ time, runOnce });
    await loop.start();
    await time.advanceTo(25);
    expect(runs).toBe(3);
    await loop.quiet();
    loop.wake();
    await time.advanceTo(1_000);
    expect(runs).toBe(3);
  });
});

describe('a backoff', () => {
  test('waits anything up to a bound that doubles until the cap, never nothing', () => {
    const highest = new Backoff({ baseMs: 100, capMs: 1_000, random: () => 0.9999 });
    expect(Array.from({ length: 6 }, () => highest.next())).toEqual([
      100, 200, 400, 800, 1_000, 1_000,
    ]);
    const lowest = new Backoff({ random: () => 0 });
    expect(Array.from({ length: 100 }, () => lowest.next())).toEqual(Array(100).fill(20));
  });

  test('begins anew after a success', () => {
    const backoff = new Backoff({ baseMs: 100, random: () => 0.9999 });
    for (let failure = 0; failure < 2_000; failure += 1) backoff.next();
    expect(backoff.next()).toBe(29_997);
    backoff.reset();
    expect(backoff.failures).toBe(0);
    expect(backoff.next()).toBe(100);
  });
});

describe('a virtual clock', () => {
  test('wakes sleepers in the order of their instants, each at its own', async () => {
    const time = new VirtualClock(0);
    const woken: string[] = [];
    const sleeper = async (name: string, ms: number) => {
      await time.sleep(ms);
      woken.push(`${name}@${time.now()}`);
    };
    void sleeper('c', 30);
    void sleeper('a', 10).then(() => sleeper('a again', 15));
    void sleeper('b', 10);
    await time.advanceTo(100);
    expect(woken).toEqual(['a@10', 'b@10', 'a again@25', 'c@30']);
    expect(time.now()).toBe(100);
    expect(time.nextAt()).toBeUndefined();
  });

  test('ends a sleep that is aborted, and runs backwards for nobody', async () => {
    const time = new VirtualClock(50);
    const controller = new AbortController();
    const slept = time.sleep(1_000, controller.signal);
    controller.abort();
    await slept;
    expect(time.nextAt()).toBeUndefined();
    expect(() => time.jumpTo(49)).toThrow(RangeError);
    await expect(time.advanceTo(49)).rejects.toThrow(RangeError);
  });
});
