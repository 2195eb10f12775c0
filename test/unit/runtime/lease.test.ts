import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { Lease, type LeaseStore } from '../../../src/runtime/lease.ts';
import { type Logger, silentLogger } from '../../../src/runtime/logger.ts';
import type { Time } from '../../../src/runtime/time.ts';
import { VirtualClock } from '../../../src/runtime/virtual-clock.ts';
import { FakeLeaseStore, FreezableTime } from '../../support/fake-leases.ts';
import { recordingLogger } from '../../support/recording-logger.ts';

const TTL_MS = 1_000;

const leases: Lease[] = [];
const clocks: VirtualClock[] = [];
afterEach(async () => {
  const stopped = leases.splice(0).map((lease) => lease.stop(AbortSignal.timeout(5_000)));
  for (const clock of clocks.splice(0)) await clock.advanceTo(clock.now() + 10 * TTL_MS);
  await Promise.all(stopped);
});

function world(): { clock: VirtualClock; store: FakeLeaseStore } {
  const clock = new VirtualClock(0);
  clocks.push(clock);
  return { clock, store: new FakeLeaseStore(clock) };
}

function leaseOf(
  store: LeaseStore,
  time: Time,
  whileHeld: (signal: AbortSignal) => Promise<void>,
  log: Logger = silentLogger,
): Lease {
  const lease = new Lease({
    name: 'listener',
    ttlMs: TTL_MS,
    store,
    time,
    log,
    whileHeld,
  });
  leases.push(lease);
  return lease;
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
}

describe('a lease', () => {
  test('is held by one of many, for as long as it works', async () => {
    const { clock, store } = world();
    const terms = [0, 0, 0];
    for (const index of terms.keys()) {
      await leaseOf(store, clock, async (signal) => {
        terms[index]! += 1;
        await untilAborted(signal);
      }).start();
    }
    await clock.advanceTo(100 * TTL_MS);
    expect(terms.toSorted()).toEqual([0, 0, 1]);
    expect(leases.filter((lease) => lease.held)).toHaveLength(1);
  });

  test('goes to another soon after its holder stopped', async () => {
    const { clock, store } = world();
    const first = leaseOf(store, clock, untilAborted);
    await first.start();
    await clock.advanceTo(10);
    const second = leaseOf(store, clock, untilAborted);
    await second.start();
    await clock.advanceTo(5 * TTL_MS);
    expect([first.held, second.held]).toEqual([true, false]);
    await first.stop(AbortSignal.timeout(5_000));
    await clock.advanceTo(clock.now() + TTL_MS / 2);
    expect([first.held, second.held]).toEqual([false, true]);
  });

  test('says what is wrong with its work, each error once until it works again', async () => {
    const { clock, store } = world();
    const { log, lines } = recordingLogger('info');
    let broken: string | undefined = 'deaf';
    const lease = leaseOf(
      store,
      clock,
      async (signal) => {
        if (broken !== undefined) throw new Error(broken);
        await untilAborted(signal);
      },
      log,
    );
    await lease.start();
    for (const next of ['deaf', 'dumb', 'deaf']) {
      broken = next;
      await clock.advanceTo(clock.now() + 5 * TTL_MS);
    }
    expect(lease.trouble).toBe('deaf');
    broken = undefined;
    await clock.advanceTo(clock.now() + 5 * TTL_MS);
    expect(lease.trouble).toBeUndefined();
    const told = lines().map(({ msg, err }) => (err as Error | undefined)?.message ?? msg);
    expect(told).toEqual(['deaf', 'dumb', 'works again']);
  });

  test('is kept until the work has settled', async () => {
    const { clock, store } = world();
    const lease = leaseOf(store, clock, async (signal) => {
      await untilAborted(signal);
      await clock.sleep(3 * TTL_MS);
    });
    await lease.start();
    await clock.advanceTo(10);
    const stopped = lease.stop(AbortSignal.timeout(5_000));
    await clock.advanceTo(2 * TTL_MS);
    expect(store.holder).not.toBe('');
    await clock.advanceTo(4 * TTL_MS);
    await stopped;
    expect(store.holder).toBe('');
  });

  test('whose work fails is given up, so that another may try', async () => {
    const { clock, store } = world();
    await leaseOf(store, clock, () => Promise.reject(new Error('cannot'))).start();
    await clock.advanceTo(10);
    const able = leaseOf(store, clock, untilAborted);
    await able.start();
    await clock.advanceTo(2 * TTL_MS);
    expect(able.held).toBe(true);
  });

  test('that the store has forgotten is noticed at the next renewal', async () => {
    const { clock, store } = world();
    const lost: number[] = [];
    const lease = leaseOf(store, clock, async (signal) => {
      await untilAborted(signal);
      lost.push(clock.now());
    });
    await lease.start();
    await clock.advanceTo(10);
    store.forget();
    await clock.advanceTo(TTL_MS / 2);
    expect(lost).toEqual([TTL_MS / 4]);
    await clock.advanceTo(2 * TTL_MS);
    expect(lease.held).toBe(true);
  });

  test('is no longer trusted before the store lets it go, when the store is out of reach', async () => {
    const { clock, store } = world();
    let lostAt = 0;
    const lease = leaseOf(store, clock, async (signal) => {
      await untilAborted(signal);
      lostAt = clock.now();
    });
    await lease.start();
    await clock.advanceTo(10);
    store.fault = () => ({ thereMs: 4 * TTL_MS, backMs: 0, lost: true });
    await clock.advanceTo(2 * TTL_MS);
    expect(lostAt).toBe(0.8 * TTL_MS);
    expect(lease.held).toBe(false);
    store.fault = () => ({ thereMs: 0, backMs: 0, lost: false });
  });

  test('whose answer came too late to be of use is taken again soon', async () => {
    const { clock, store } = world();
    store.fault = () => ({ thereMs: 0, backMs: 0.9 * TTL_MS, lost: false });
    const lease = leaseOf(store, clock, untilAborted);
    await lease.start();
    await clock.advanceTo(TTL_MS);
    expect(lease.held).toBe(false);
    store.fault = () => ({ thereMs: 0, backMs: 0, lost: false });
    await clock.advanceTo(1.5 * TTL_MS);
    expect(lease.held).toBe(true);
  });

  test('of a frozen holder is known to be lost the moment it wakes', async () => {
    const { clock, store } = world();
    const frozen = new FreezableTime(clock);
    const sleeper = leaseOf(store, frozen, untilAborted);
    await sleeper.start();
    await clock.advanceTo(10);
    const thaw = frozen.freeze();
    const other = leaseOf(store, clock, untilAborted);
    await other.start();
    await clock.advanceTo(3 * TTL_MS);
    expect(other.held).toBe(true);
    // Before any of its timers or signals had a chance to run.
    expect(sleeper.held).toBe(false);
    thaw();
    await clock.advanceTo(10 * TTL_MS);
    expect([sleeper.held, other.held]).toEqual([false, true]);
  });

  test('never has two holders, whatever the network and the scheduler do', async () => {
    const fault = fc.record({
      thereMs: fc.constantFrom(0, 0, 0, 5, 300, 900, 2_500),
      backMs: fc.constantFrom(0, 0, 0, 5, 300, 900, 2_500),
      lost: fc.boolean(),
    });
    let acted = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fault, { minLength: 1, maxLength: 60 }),
        fc.array(fc.nat(2), { maxLength: 10 }),
        async (faults, freezes) => {
          const { clock, store } = world();
          let call = 0;
          // Not thrown where they are found: a lease survives the errors of its work.
          const violations: string[] = [];
          store.fault = () => faults[call++ % faults.length]!;
          const actsAt = new Map<number, number>();
          const replicas = [0, 1, 2].map((index) => {
            const time = new FreezableTime(clock);
            const lease: Lease = leaseOf(store, time, async (signal) => {
              while (!signal.aborted) {
                if (lease.held) {
                  acted += 1;
                  const other = actsAt.get(clock.now());
                  if (other !== undefined && other !== index) violations.push('two holders');
                  actsAt.set(clock.now(), index);
                  // The store must agree: else somebody might take it at this very moment.
                  if (store.holder === '') violations.push('held by nobody');
                }
                await time.sleep(50, signal);
              }
            });
            return { lease, time };
          });
          for (const { lease } of replicas) await lease.start();
          for (const index of freezes) {
            const thaw = replicas[index]!.time.freeze();
            await clock.advanceTo(clock.now() + 1_500);
            thaw();
            await clock.advanceTo(clock.now() + 700);
          }
          await clock.advanceTo(clock.now() + 10 * TTL_MS);
          expect(replicas.filter(({ lease }) => lease.held).length).toBeLessThanOrEqual(1);
          store.fault = () => ({ thereMs: 0, backMs: 0, lost: false });
          const stopped = replicas.map(({ lease }) => lease.stop(AbortSignal.timeout(5_000)));
          await clock.advanceTo(clock.now() + 10 * TTL_MS);
          await Promise.all(stopped);
          expect(violations).toEqual([]);
          expect(replicas.every(({ lease }) => !lease.died.aborted)).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
    expect(acted).toBeGreaterThan(10_000);
  }, 60_000);
});
