import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Hot, openHot } from '../../src/compose.ts';
import { loadConfig } from '../../src/config.ts';
import { type AnyEvent, isRescueEvent } from '../../src/model/event.ts';
import { BusEar } from '../support/bus-ear.ts';
import type { Writer } from '../support/busy-shop.ts';
import type { Boundary, KillPoint } from '../support/kill-points.ts';
import { testRedis } from '../support/redis-server.ts';
import { PATIENT } from '../support/shop-trial.ts';
import { foreignWriter, libraryWriter } from '../support/shop-writers.ts';
import { WatcherProcess } from '../support/watcher-process.ts';

const redis = testRedis({ config: { 'notify-keyspace-events': 'Kghl$' } });

const CART = [{ product_id: 'shawl', price: 20, quantity: 1 }];
const USERS = ['ann', 'bob', 'cat', 'dan', 'eve', 'fay'];
const RETURNING = USERS.slice(0, 3);

/** Since when a cart is left that is due at once. */
const LEFT_MS = 1_500;

let hot: Hot;
let ear: BusEar;
let library: Writer;
const watchers: WatcherProcess[] = [];

const settings = (lease: string): Record<string, string> => ({
  REDIS_URL: redis.url,
  // Elsewhere, so that a look has all of its steps: beside the sessions a commit announces.
  REKINDLE_BUS_REDIS_URL: `${redis.url}/1`,
  REKINDLE_STAGES: '1s,1h',
  REKINDLE_LEASE: lease,
  REKINDLE_RECONCILE_EVERY: '1d',
  // A command that was given up may have taken effect, and is repeated.
  ...PATIENT,
});

beforeEach(async () => {
  const config = loadConfig(settings('1s'));
  hot = await openHot(config);
  ear = await BusEar.open(config);
  library = libraryWriter(hot);
});

afterEach(async () => {
  await Promise.all(watchers.splice(0).map((watcher) => watcher.end('SIGKILL')));
  await ear.close();
  await hot.close();
});

describe('a watcher frozen with SIGSTOP past its lease, and woken', () => {
  const cases: { gap: Boundary['step']; other: Boundary['step']; repeats: number }[] = [
    // Neither has said anything yet: who holds the lease decides.
    { gap: 'ledgers.read', other: 'ledgers.commit', repeats: 0 },
    { gap: 'ledgers.commit', other: 'ledgers.commit', repeats: 0 },
    // It has committed: the other one says it, and it says it again.
    { gap: 'bus.publish', other: 'agenda.settle', repeats: USERS.length },
    // It has said it and did not come to strike it: the other one says it again.
    { gap: 'agenda.settle', other: 'agenda.settle', repeats: USERS.length },
  ];

  test.each(cases)(
    'before $gap: takes and breaks nothing of another’s, and goes on working',
    async ({ gap, other, repeats }) => {
      const sleeper = watcher('1s', freeze(gap));
      const holder = watcher('10m', freeze(other));
      const third = watcher('10m');
      const leftAt = await leaveCarts(USERS);

      await sleeper.go();
      await sleeper.struckDown();
      const first = await leases(USERS);
      // It takes them over when the lease has run out, and is stopped with them in hand.
      await holder.go();
      await holder.struckDown();
      const held = await leases(USERS);
      for (const [index, until] of held.entries()) expect(until).toBeGreaterThan(first[index]!);
      const backAt = await comeBack(RETURNING);
      await third.go();
      await leaveCarts(['guy']);
      await announced('guy');
      expect(await third.end()).toBe(0);

      sleeper.signal('SIGCONT');
      await leaveCarts(['hal']);
      await announced('hal');
      // What it had in hand has come to its end as well.
      expect(await sleeper.end()).toBe(0);
      expect(await leases(USERS)).toEqual(held);
      for (const user of RETURNING) expect((await hot.agenda.inspect(user)).dueAt).toBeDefined();

      holder.signal('SIGCONT');
      const saidBefore = other === 'agenda.settle';
      await settled();
      for (const user of USERS) {
        const returned = RETURNING.includes(user);
        const silentAt = returned && !saidBefore ? backAt : leftAt;
        const back = returned && saidBefore ? [['cart.rescue_cancelled', 0, backAt]] : [];
        expect(summaryOf(ear.of(user))).toEqual([['cart.abandoned', 0, silentAt], ...back]);
      }
      expect({ repeats: ear.repeats, changed: ear.changed }).toEqual({ repeats, changed: [] });
      if (gap === 'ledgers.read' || gap === 'ledgers.commit')
        expect(sleeper.output).toContain('leases ran out before the look was done');
    },
  );

  test('between read and commit: what changed meanwhile is looked at again', async () => {
    const sleeper = watcher('20s', freeze('ledgers.commit'));
    const [orders, empties, returns, stays] = ['ann', 'bob', 'cat', 'dan'] as const;
    const leftAt = await leaveCarts([orders, empties, returns, stays]);
    await sleeper.go();
    await sleeper.struckDown();
    const backAt = hot.clock.now();
    await library(orders, { did: 'ordered', at: backAt, cart: [] });
    await library(empties, { did: 'changed the cart', at: backAt, cart: [] });
    await library(returns, { did: 'touched', at: backAt, cart: CART });
    sleeper.signal('SIGCONT');
    await settled();
    expect(summaryOf(ear.of(returns))).toEqual([['cart.abandoned', 0, backAt]]);
    expect(summaryOf(ear.of(stays))).toEqual([['cart.abandoned', 0, leftAt]]);
    expect(ear.events).toHaveLength(2);
    expect(await sleeper.end()).toBe(0);
  });

  test('between publish and settle: what came since is not struck', async () => {
    const sleeper = watcher('1s', freeze('agenda.settle'));
    const doomed = watcher('1s', { ...freeze('bus.publish'), signal: 'SIGKILL' });
    const leftAt = await leaveCarts(USERS);
    await sleeper.go();
    await sleeper.struckDown();
    const backAt = await comeBack(RETURNING);
    // It records that they are back, and does not come to tell.
    await doomed.go();
    expect(await doomed.exited()).toBe('SIGKILL');
    sleeper.signal('SIGCONT');
    await settled();
    for (const user of RETURNING)
      expect(summaryOf(ear.of(user))).toEqual([
        ['cart.abandoned', 0, leftAt],
        ['cart.rescue_cancelled', 0, backAt],
      ]);
    expect(ear.events).toHaveLength(USERS.length + RETURNING.length);
    expect(await sleeper.end()).toBe(0);
  });

  test('while it listened: another listens, and it does not end that', async () => {
    const sleeper = watcher('1s');
    await sleeper.go();
    await sleeper.said('keyspace notifications arrive');
    sleeper.signal('SIGSTOP');
    const other = watcher('1s');
    await other.go();
    // The listener's lease lives for 10 s.
    await other.said('keyspace notifications arrive');
    sleeper.signal('SIGCONT');
    await sleeper.said('lost the lease');
    expect(await sleeper.end()).toBe(0);
    expect(await hot.leases.acquire('listener', 'nobody', 1)).toBe(false);
    const at = hot.clock.now();
    await foreignWriter(redis.client())('ann', { did: 'changed the cart', at, cart: CART });
    await announced('ann');
    expect(await other.end()).toBe(0);
    expect(other.output).not.toContain('lost the lease');
  });
});

function watcher(lease: string, killPoint?: KillPoint): WatcherProcess {
  const one = new WatcherProcess({ settings: settings(lease), killPoint });
  watchers.push(one);
  return one;
}

function freeze(step: Boundary['step']): KillPoint {
  return { when: 'before', step, nth: 1, signal: 'SIGSTOP' };
}

/** @returns since when they are left */
async function leaveCarts(users: readonly string[]): Promise<number> {
  const at = hot.clock.now() - LEFT_MS;
  for (const user of users) await library(user, { did: 'changed the cart', at, cart: CART });
  return at;
}

async function comeBack(users: readonly string[]): Promise<number> {
  const at = hot.clock.now();
  for (const user of users) await library(user, { did: 'touched', at, cart: CART });
  return at;
}

async function announced(user: string): Promise<void> {
  await ear.until(user, ({ type }) => type === 'cart.abandoned');
}

async function leases(users: readonly string[]): Promise<(number | undefined)[]> {
  const found = await Promise.all(users.map((user) => hot.agenda.inspect(user)));
  return found.map(({ leasedUntil }) => leasedUntil);
}

/** Until nobody needs a look soon, or is looked at, and all is heard. */
async function settled(): Promise<void> {
  await vi.waitFor(
    async () => {
      const { due, leased } = await hot.agenda.counts(hot.clock.now() + 60_000);
      expect({ due, leased, behind: await ear.behind() }).toEqual({ due: 0, leased: 0, behind: 0 });
    },
    { timeout: 60_000, interval: 50 },
  );
}

function summaryOf(
  events: readonly AnyEvent[],
): [type: string, stage: number, activityAt: number][] {
  return events
    .filter(isRescueEvent)
    .map(({ type, data }) => [type, data.stage, Date.parse(data.last_activity)]);
}
