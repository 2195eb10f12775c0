import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { Keys } from '../../src/adapters/hot/redis/keys.ts';
import { SeededRandom } from '../../src/demo/random.ts';
import { DAY_MS, SECOND_MS } from '../../src/model/duration.ts';
import type { Quarantined } from '../../src/ports/ledger.ts';
import {
  expectedOutcomes,
  isBroken,
  isHeavy,
  isImpossible,
  keyspaceOf,
  mendedOutcomes,
  outcomes,
  remembered,
  tellings,
  userOf,
  withHealthy,
} from '../support/hostile-outcomes.ts';
import { CONFIDENTIAL, type HostileSession, validFields } from '../support/hostile-session.ts';
import { hostileSessions } from '../support/hostile-sessions.ts';
import { LookWorld, START } from '../support/look-world.ts';
import { memoryHot } from '../support/memory-hot.ts';
import { type TestRedis, testRedis } from '../support/redis-server.ts';
import { RunningWatcher } from '../support/running-watcher.ts';
import { POLICY } from '../support/watched-user.ts';
import { isPlain, keyOf, writePlainSession, writeSession } from '../support/write-session.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const keys = new Keys('session:<user_id>', 'rekindle');

/** On a machine that does nothing else, what is waited for takes a few seconds. */
const PATIENCE_MS = 60_000;

/** What a terminal obeys instead of showing it; the ends of our own lines apart. */
const COMMANDS_A_TERMINAL = /[\p{Cf}\p{Zl}\p{Zp}]|[^\n\P{Cc}]/u;

/** Those whom `rekindle inspect` is asked about. */
const INSPECTED = [
  'the id "broken \\u001b[2J\\u001b[H"',
  'current_intent for a terminal',
  'a TTL of three hundred thousand years',
  'an opt-out that is a word',
];

const STAGES = { REKINDLE_STAGES: '1s,1h' };

describe.each([
  { how: 'noticed by notifications', flags: 'Kghl$', reconcileEvery: '1h' },
  { how: 'found by reconcile alone', flags: '', reconcileEvery: '1s' },
])('hostile sessions $how', ({ flags, reconcileEvery }) => {
  const redis = testRedis({
    config: { 'notify-keyspace-events': flags, 'enable-debug-command': 'yes' },
  });
  const notified = flags !== '';
  const settings = (): Record<string, string> => ({
    REDIS_URL: redis.url,
    REKINDLE_RECONCILE_EVERY: reconcileEvery,
    ...STAGES,
  });

  test(
    'stop nobody, reach nobody else, are shown in quarantine, and leave it when they are mended',
    async () => {
      const client = redis.client();
      const now = Date.now();
      // In the background a pass works a twentieth of its time: megabytes would take it a minute.
      const hostile = hostileSessions(now).filter((session) => notified || !isHeavy(session));
      const sessions = withHealthy(hostile, now);
      const write = async (some: readonly HostileSession[]): Promise<void> => {
        for (const session of some) await writeSession(client, keys, session);
      };
      // Some are there before the daemon is.
      const early = notified ? 0 : sessions.length / 2;
      await write(sessions.slice(0, early));
      await using watcher = await RunningWatcher.start(settings());
      const become = async (
        some: readonly HostileSession[],
        expected: (some: readonly HostileSession[]) => Record<string, string>,
      ): Promise<void> => {
        const now = (): Promise<Record<string, string>> =>
          outcomes(watcher.hot, watcher.events, some);
        await expect.poll(now, { timeout: PATIENCE_MS, interval: 200 }).toEqual(expected(some));
      };
      if (notified)
        await expect
          .poll(() => watcher.logged.some(({ msg }) => msg === 'keyspace notifications arrive'))
          .toBe(true);
      await write(sessions.slice(early));
      const written = await keyspaceOf(client);
      if (notified) {
        await become(sessions.filter(isNoticed), expectedOutcomes);
        await rekindle(redis, 'reconcile', '--once');
      }
      await become(sessions, expectedOutcomes);
      expect(await keyspaceOf(client)).toEqual(written);
      expect(sessions.map(userOf)).toEqual(
        expect.arrayContaining([...new Set(await remembered(watcher.hot))]),
      );
      await expectShown(redis, sessions.filter(isBroken));
      for (const name of INSPECTED) {
        const user = userOf(sessions.find((session) => session.name === name)!);
        expect(await rekindle(redis, 'inspect', '--', user)).not.toMatch(COMMANDS_A_TERMINAL);
      }

      const broken = sessions.filter(isBroken);
      for (const session of broken) await mend(client, session);
      // Nobody is notified of what becomes of a ledger, or of who is no user.
      if (notified) await rekindle(redis, 'reconcile', '--once');
      await become(sessions, mendedOutcomes);
      for (const { told, own } of tellings(watcher.events, sessions))
        expect(told).toMatchObject(own);
      await expectShown(redis, []);
      expectDiscreet(watcher);
      report(sessions, watcher.events.length);
    },
    4 * PATIENCE_MS,
  );
});

test('the hot tier in memory makes the same of them', async () => {
  const world: LookWorld = new LookWorld(
    memoryHot(() => world.now),
    { hotTtlMs: DAY_MS },
  );
  const sessions = withHealthy(hostileSessions(START).filter(isPlain), START);
  for (const session of sessions) await writePlainSession(world.hot, session);
  // A TTL of a millisecond ends.
  world.outage(1);
  await world.reconcile();
  // The first stage of those who are quiet at the start, and of those who are only seen then.
  await world.runFor(POLICY.stagesMs[0]!);
  expect(await outcomes(world.hot, world.bus.wire, sessions)).toEqual(expectedOutcomes(sessions));
  expect(world.faults).toEqual([]);
});

describe('sessions that are deleted, spoilt and written anew all the time', () => {
  const redis = testRedis({ config: { 'notify-keyspace-events': 'Kghl$' } });

  test.each(['copy', 'manage'])(
    'hold nobody up, and are announced once they stay as they should be: %s',
    async (foreign) => {
      const settings = { REDIS_URL: redis.url, REKINDLE_FOREIGN: foreign, ...STAGES };
      await using watcher = await RunningWatcher.start(settings);
      const client = redis.client();
      const restless = Array.from({ length: 20 }, (_none, index) => `restless ${index}`);
      const healthy = Array.from({ length: 100 }, (_none, index) => `healthy ${index}`);
      /** What each was told last, by the product in its cart. */
      const told = (users: readonly string[]): Record<string, unknown> =>
        Object.fromEntries(
          users.map((user) => {
            const last = watcher.events.findLast(({ data }) => data.user === user);
            return [user, last?.type === 'cart.abandoned' && last.data.cart.items?.[0]?.product_id];
          }),
        );
      const own = (users: readonly string[], more = ''): Record<string, unknown> =>
        Object.fromEntries(users.map((user) => [user, `${user}${more}`]));

      const random = new SeededRandom(5);
      const stir = async (): Promise<void> => {
        const user = random.pick(restless);
        const key = keyOf(user);
        const fields = { ...validFields(user, Date.now()), last_activity: String(Date.now()) };
        await random.pick<() => Promise<unknown>>([
          () => client.del(key),
          () => client.multi().del(key).set(key, 'x').exec(),
          () => client.multi().del(key).rpush(key, 'x').exec(),
          () =>
            client
              .multi()
              .del(key)
              .hset(key, { ...fields, cart: '{' })
              .exec(),
          () => client.multi().del(key).hset(key, fields).exec(),
          () => client.multi().del(key).hset(key, fields).pexpire(key, 1).exec(),
        ])();
      };
      for (const user of healthy) {
        await client.hset(keyOf(user), validFields(user, Date.now()));
        for (let turn = 0; turn < 10; turn += 1) await stir();
      }
      const deadline = Date.now() + PATIENCE_MS;
      while (Object.values(told(healthy)).includes(false) && Date.now() < deadline) await stir();
      expect(told(healthy)).toEqual(own(healthy));

      for (const user of restless)
        await client
          .multi()
          .del(keyOf(user))
          .hset(keyOf(user), validFields(`${user} at last`, Date.now()))
          .exec();
      await expect
        .poll(() => told(restless), { timeout: PATIENCE_MS })
        .toEqual(own(restless, ' at last'));
      // A pass of reconcile may list whom a look has just mended; it goes over its list at the end.
      await expect
        .poll(async () => (await watcher.hot.ledgers.quarantined(1)).total, {
          timeout: PATIENCE_MS,
        })
        .toBe(0);
      expectDiscreet(watcher);
    },
    4 * PATIENCE_MS,
  );
});

/** What `Kghl$` tells of, if it is of somebody who can be a user, and did something. */
function isNoticed(session: HostileSession): boolean {
  const kind = session.session;
  const told = !('set' in kind || 'zset' in kind || 'stream' in kind);
  return told && !isImpossible(session) && session.name !== 'rekindle forged: no activity';
}

async function rekindle(redis: TestRedis, ...args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [main, ...args], {
    env: { PATH: process.env['PATH'], REDIS_URL: redis.url, ...STAGES },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [output, exit] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  expect(exit).toEqual([0, null]);
  return output;
}

/** By the command, for programs and for people. */
async function expectShown(redis: TestRedis, broken: readonly HostileSession[]): Promise<void> {
  const shown = broken.map((session): [string, string] => [
    userOf(session),
    session.expected.replace('quarantined: ', ''),
  ]);
  const limit = String(10_000);
  const { total, entries } = JSON.parse(
    await rekindle(redis, 'quarantine', '--json', '--limit', limit),
  ) as { total: number; entries: Quarantined[] };
  expect(total).toBe(broken.length);
  expect(new Map(entries.map(({ user, reason }) => [user, reason]))).toEqual(new Map(shown));
  for (const { user, key } of entries) expect(key).toBe(`session:${user}`);

  const printed = await rekindle(redis, 'quarantine', '--limit', limit);
  expect(printed).not.toMatch(COMMANDS_A_TERMINAL);
  expect(printed).not.toContain(CONFIDENTIAL);
  const lines = printed.trimEnd().split('\n');
  expect(lines.pop()).toBe(`${broken.length} in quarantine`);
  const LINE = /^\d{4}-\d\d-\d\dT\S+Z {2}("session:.*") +([a-z0-9_]+) +\S/;
  const read = lines.map((line): [string, string] => {
    const [, key = '""', reason = ''] = LINE.exec(line) ?? [];
    return [(JSON.parse(key) as string).slice('session:'.length), reason];
  });
  expect(new Map(read)).toEqual(new Map(shown));
}

/** What its program writes when it is told. */
async function mend(client: Redis, session: HostileSession): Promise<void> {
  const { user, name, ledger, mend: fields } = session;
  const now = Date.now();
  if (isImpossible(session)) await client.del(keyOf(user));
  else if (ledger) await client.del(keys.ledger(String(user)));
  else if (fields)
    await client.hset(keyOf(user), { last_activity: String(now / SECOND_MS), ...fields });
  else await client.multi().del(keyOf(user)).hset(keyOf(user), validFields(name, now)).exec();
}

/** Nothing went wrong of itself, and what was said stays where it was said. */
function expectDiscreet({ logged }: RunningWatcher): void {
  const told = logged.filter(({ level }) => level !== 'debug' && level !== 'trace');
  expect(told.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
  expect(JSON.stringify(told)).not.toContain(CONFIDENTIAL);
}

function report(sessions: readonly HostileSession[], events: number): void {
  const hostile = sessions.filter(({ name }) => !name.startsWith('healthy '));
  const count = (outcome: string): number =>
    hostile.filter(({ expected }) => expected.startsWith(outcome)).length;
  process.stdout.write(
    `hostile: ${hostile.length} sessions: ${count('announced')} announced, ${count('waits')} waited, ` +
      `${count('nothing')} had nothing to tell, ${count('quarantined')} in quarantine until mended; ` +
      `${sessions.length - hostile.length} healthy ones between them; ${events} events\n`,
  );
}
