/** The real connections of a look, cut or refused in the middle of each of its calls. */
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connectRedis } from '../../src/adapters/redis/connection.ts';
import { RedisStreamsBus } from '../../src/adapters/bus/redis-streams/redis-streams-bus.ts';
import { MINUTE_MS } from '../../src/model/duration.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { type Around, aroundStep } from '../support/around-step.ts';
import { HOT_DEFAULTS } from '../support/hot-options.ts';
import { LookWorld } from '../support/look-world.ts';
import { silentLog } from '../support/log.ts';
import { redisHot } from '../support/redis-hot.ts';
import { testRedis } from '../support/redis-server.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { inEffect, readWire, told } from '../support/told.ts';
import { POLICY, SHIRT } from '../support/watched-user.ts';

const STEPS = [
  ['agenda', 'claim'],
  ['ledgers', 'read'],
  ['ledgers', 'commit'],
  ['bus', 'publish'],
  ['agenda', 'settle'],
] as const;

/** The bus is elsewhere, or beside the sessions, where a commit announces. */
const PLACED = [
  ...STEPS.map(([port, step]) => ({ where: 'elsewhere', hot: {}, port, step })),
  ...STEPS.slice(0, 3).map(([port, step]) => {
    return { where: 'beside', hot: { busCap: 1_000 }, port, step };
  }),
];
type Placed = (typeof PLACED)[number];

const [FIRST, SECOND, THIRD] = POLICY.stagesMs as [number, number, number];
const TIMEOUTS = { redisConnectTimeoutMs: 1_000, redisCommandTimeoutMs: 1_000 };

/** Of each kind: one to be announced, to be cancelled, to go on to the next stage, with nothing to tell. */
const EACH = 15;
const users = (kind: string): string[] =>
  Array.from({ length: EACH }, (_none, i) => `${kind}-${i}`);
const all = (kind: string, ...told: string[]): [string, string[]][] =>
  users(kind).map((user) => [user, told]);
const EXPECTED = Object.fromEntries([
  ...all('new', 'announced 0', 'announced 1', 'announced 2'),
  ...all('back', 'announced 0', 'cancelled 0: resumed', 'announced 1', 'announced 2'),
  ...all('later', 'announced 0', 'announced 1', 'announced 2'),
]);

const redis = testRedis();
let proxy: TcpProxy;
let closing: (() => unknown)[];
/** How often each call was cut, and how long its reply is. */
const figures: string[] = [];
beforeEach(async () => {
  proxy = await TcpProxy.to(redis.server.port);
  closing = [];
});
afterEach(async () => {
  for (const close of closing) await close();
  await proxy.close();
});

/** Looks at a batch with something around one step, then, when the lease has ended, until nothing is due. */
async function lookThrough(
  { port, step, hot }: Placed,
  around: Around,
  afterwards: () => Promise<unknown> = async () => undefined,
): Promise<void> {
  await redis.client().flushall();
  const client = (): ReturnType<typeof connectRedis> => {
    const connection = connectRedis(proxy.url, TIMEOUTS, silentLogger);
    closing.push(() => connection.disconnect());
    return connection;
  };
  const bus = new RedisStreamsBus({
    connect: (settings) => connectRedis(proxy.url, TIMEOUTS, silentLogger, settings),
    prefix: 'rekindle',
    cap: 1_000,
    answerWithinMs: 1_000,
    log: silentLog,
  });
  closing.push(() => bus.close());
  const world = new LookWorld(redisHot({ client }, hot));
  const looker = world.newLooker((ports) => ({ ...ports, bus }));
  const app = world.application('foreign');
  for (const user of [...users('back'), ...users('later')]) await app.acts(user, [SHIRT]);
  await world.runUntil(world.now + SECOND - FIRST, looker);
  for (const user of users('new')) await app.acts(user, [SHIRT]);
  for (const user of users('plain')) await app.acts(user);
  await world.runUntil(world.now + FIRST - 1, looker);
  world.outage(1);
  for (const user of users('back')) await app.acts(user);

  const doomed = world.newLooker((ports) => aroundStep({ ...ports, bus }, port, step, around));
  await doomed.lookOnce().catch(() => undefined);
  await afterwards();
  world.outage(HOT_DEFAULTS.leaseMs);
  // The connection may take a moment to come back; a breaker opens again within a minute.
  await expect
    .poll(() => world.runUntil(world.now + MINUTE_MS, looker).then(() => true), { timeout: 10_000 })
    .toBe(true);
  // What was not recorded shows when the later stages are judged.
  await world.runUntil(world.now + THIRD, looker);
  expect(world.faults).toEqual([]);
  const wire = await readWire(redis.client());
  expect(told(wire)).toEqual(EXPECTED);
  const sequences = inEffect(wire).map(({ data, sequence }) => `${data.user} ${sequence}`);
  expect(new Set(sequences).size).toBe(sequences.length);
  for (const user of Object.keys(EXPECTED)) expect(await world.pendingOf(user)).toBe(0);
  expect((await world.hot.agenda.counts(world.now)).leased).toBe(0);
}

describe('what is due is told once, although the connection is cut', () => {
  test.for(PLACED)(
    'before $step of $port and in the middle of its reply, the bus $where',
    async (step) => {
      let bytes = 0;
      await lookThrough(step, async (call) => {
        const from = proxy.replied;
        const result = await call();
        bytes = proxy.replied - from;
        return result;
      });
      const cuts = [0, 1, Math.floor(bytes / 2), bytes - 1];
      const ways = [
        () => proxy.cutRequest(),
        ...cuts.map((after) => () => proxy.cutReplyAfter(after)),
      ];
      for (const way of ways) {
        let cut: Promise<void> | undefined;
        await lookThrough(step, (call) => {
          cut ??= way();
          return call();
        });
        // It never happens where the reply was shorter than the one that was measured.
        await cut;
      }
      figures.push(
        `${ways.length} of ${step.port}.${step.step}, the bus ${step.where} (${bytes} bytes)`,
      );
    },
  );
});

describe('what is due is told once, although memory runs out', () => {
  test.for(PLACED)(
    'before $step of $port and for the rest of the look, the bus $where',
    async (step) => {
      const control = redis.client();
      await lookThrough(
        step,
        async (call) => {
          await control.config('SET', 'maxmemory', '1mb');
          return call();
        },
        () => control.config('SET', 'maxmemory', '0'),
      );
    },
  );
});

afterAll(() => {
  process.stdout.write(`cut-in-mid-batch: ${figures.join(', ')}\n`);
});
