import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBus } from '../../src/compose.ts';
import { loadConfig } from '../../src/config.ts';
import { SeededRandom } from '../../src/demo/random.ts';
import { HOUR_MS } from '../../src/model/duration.ts';
import { ServiceBusServer } from '../servers/service-bus/service-bus-server.ts';
import { testRedis } from '../support/redis-server.ts';
import { abandonedEvents } from '../support/sample-events.ts';
import {
  SUBSCRIBER_BOUNDARIES,
  type SubscriberKillPoint,
} from '../support/subscriber-kill-points.ts';

/** How often a process dies at each boundary. */
const ROUNDS = 6;

const REPLICAS = 2;

/** A subscriber lives for up to so many turns of the step at which it dies. */
const NTH_MAX = 4;

/** Events a publication, and how often: more than two subscribers that die all the time leave undone for long. */
const BATCH = 5;
const EVERY_MS = 25;

const SETTLE_MS = 60_000;

const main = fileURLToPath(new URL('../support/doomed-subscriber.ts', import.meta.url));
const compileCache = fileURLToPath(
  new URL('../../node_modules/.cache/doomed-subscriber', import.meta.url),
);

/** As `claimMs` of the subscribers that die: what they held comes back so soon. */
const CLAIM_MS = 1_500;

const redis = testRedis();

interface Running {
  readonly exited: Promise<string | number>;
  readonly output: () => string;
  readonly kill: (signal: NodeJS.Signals) => void;
}

function spawnSubscriber(
  settings: Readonly<Record<string, string>>,
  killPoint: SubscriberKillPoint | undefined,
): Running {
  const child = spawn(process.execPath, [main], {
    env: {
      PATH: process.env['PATH'],
      NODE_COMPILE_CACHE: compileCache,
      ...settings,
      ...(killPoint && { KILL_POINT: JSON.stringify(killPoint) }),
    },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text));
  const exited = once(child, 'exit').then(
    ([code, signal]) => (signal as string | null) ?? (code as number),
  );
  return { exited, output: () => output, kill: (signal) => void child.kill(signal) };
}

/** Each boundary equally often, in no order. */
function killPoints(random: SeededRandom): SubscriberKillPoint[] {
  return Array.from({ length: ROUNDS }, () => SUBSCRIBER_BOUNDARIES)
    .flat()
    .map((boundary) => ({ boundary, place: random.next() }))
    .sort((a, b) => a.place - b.place)
    .map(({ boundary }) => ({ ...boundary, nth: 1 + Math.floor(random.between(0, NTH_MAX)) }));
}

let broker: ServiceBusServer;
beforeAll(async () => {
  broker = await ServiceBusServer.start();
  broker.broker.addTopic('rekindle', { duplicateWindowMs: HOUR_MS });
});
afterAll(() => broker.stop());

test.each([
  ['Redis Streams', () => ({})],
  [
    'Service Bus',
    () => ({
      REKINDLE_BUS: 'service-bus',
      SERVICEBUS_CONNECTION_STRING: broker.connectionString,
      SERVICEBUS_ADMIN_URL: broker.administrationUrl,
    }),
  ],
])(
  'two subscribers, killed with SIGKILL at every step: every event takes effect, and none twice, over %s',
  async (name, settingsOf) => {
    const settings = { REDIS_URL: redis.url, ...settingsOf() };
    const points = killPoints(new SeededRandom(7));
    const bus = await openBus(loadConfig(settings));
    // A topic keeps nothing for a group that is not there yet.
    await (await bus.subscribe({ group: 'rescue', claimMs: CLAIM_MS })).close();
    const all: Running[] = [];
    const over = new AbortController();
    try {
      let published = 0;
      const publishing = (async () => {
        while (!over.signal.aborted) {
          await bus.publish(abandonedEvents(BATCH, published));
          published += BATCH;
          await sleep(EVERY_MS);
        }
      })();
      const left: (SubscriberKillPoint | undefined)[] = [...points];
      const survivors: Running[] = [];
      const replica = async (): Promise<void> => {
        for (;;) {
          const point = left.shift();
          const running = spawnSubscriber(settings, point);
          all.push(running);
          if (!point) {
            survivors.push(running);
            return;
          }
          const how = await running.exited;
          if (how !== 'SIGKILL' || !running.output().includes('struck down'))
            throw new Error(`a subscriber ended with ${how}: ${running.output()}`);
        }
      };
      await Promise.all(Array.from({ length: REPLICAS }, replica));
      over.abort();
      await publishing;

      const behind = async (): Promise<number> =>
        (await bus.groups()).find(({ group }) => group === 'rescue')?.behind ?? Infinity;
      const deadline = Date.now() + SETTLE_MS;
      while ((await behind()) > 0 && Date.now() < deadline) await sleep(50);
      expect(await behind()).toBe(0);

      const client = redis.client();
      const effects = await client.hgetall('effects');
      const ids = abandonedEvents(published).map(({ id }) => id);
      const repeats = Number(await client.get('repeats'));
      const missing = ids.filter((id) => effects[id] === undefined);
      const twice = ids.filter((id) => effects[id] !== undefined && effects[id] !== '1');
      process.stdout.write(
        `subscriber over ${name}: ${points.length} kills (${SUBSCRIBER_BOUNDARIES.length} boundaries, ${ROUNDS} each); ` +
          `${published} events, ${missing.length} without effect, ${twice.length} with more than one; ` +
          `${repeats} calls were told that they may be repeats\n`,
      );
      expect({ missing, twice }).toEqual({ missing: [], twice: [] });
      expect(Object.keys(effects)).toHaveLength(published);
      expect(await bus.deadLetters('rescue', 1)).toEqual([]);
      expect(repeats).toBeGreaterThan(0);

      for (const one of survivors) one.kill('SIGTERM');
      expect(await Promise.all(survivors.map(({ exited }) => exited))).toEqual([0, 0]);
    } finally {
      over.abort();
      for (const one of all) one.kill('SIGKILL');
      await bus.close();
    }
  },
  60_000 + SETTLE_MS + ROUNDS * 30_000,
);
