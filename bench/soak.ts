/** `npm run soak`: minutes of mixed activity while watchers are killed at random, and whether anything is lost or grows. */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { startPrivateRedis } from '../src/cli/private-redis.ts';
import { openBus, openHot } from '../src/compose.ts';
import { loadConfig } from '../src/config.ts';
import { ForeignShop } from '../src/demo/foreign-shop.ts';
import { planShoppers } from '../src/demo/shoppers.ts';
import { Shop } from '../src/demo/shop.ts';
import { openRekindle } from '../src/index.ts';
import { MINUTE_MS } from '../src/model/duration.ts';
import { UsageError, errorMessage } from '../src/model/errors.ts';
import { EXIT, runMain } from '../src/runtime/main.ts';
import { machine, today } from './machine.ts';
import { compareAll, leftOver } from './soak/consistency.ts';
import { Inspector } from './soak/inspector.ts';
import { type SoakReport, complaints, pageLines, reportLines } from './soak/report.ts';
import { Samples } from './soak/samples.ts';
import { SubscriberProcess } from './soak/subscriber-process.ts';
import { Stalls } from './soak/stalls.ts';
import {
  FOREIGN_TTL_MS,
  FORGOTTEN_AFTER_MS,
  OUTLIVES_MS,
  settingsOf,
  timingOf,
} from './soak/terms.ts';
import { Victims } from './soak/victims.ts';
import { WatcherProcess } from './watcher-process.ts';

const USAGE = `Runs a shop for some minutes, kills watchers at random meanwhile, and compares what was heard with the shop's own record.

npm run soak -- [options]
  --minutes N   how long people chat and shop, 10 by default; the end takes two more
  --people N    how many come each minute, 600 by default
  --seed N      the same seed gives the same people, 1 by default
  --markdown    print the whole of docs/soak.md
  --help

Example:
  npm run soak -- --minutes 2 --people 300
`;

/** What is young grows: a process warms up, and Redis fills until as much goes as comes. */
const WARM_UP_MINUTES = 3;
const SETTLED_AFTER_MINUTES = FORGOTTEN_AFTER_MS / MINUTE_MS;

/** Past the last instant at which an announcement is out for sure. */
const GRACE_MS = MINUTE_MS;

interface Options {
  readonly minutes: number;
  readonly people: number;
  readonly seed: number;
  readonly markdown: boolean;
  readonly help: boolean;
}

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (options.help) {
    process.stdout.write(USAGE);
    return EXIT.done;
  }
  const report = await soak(options);
  const wrong = complaints(report);
  const lines = options.markdown ? pageLines(report) : reportLines(report);
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
  return wrong.length === 0 ? EXIT.done : EXIT.failed;
}

async function soak({ minutes, people, seed }: Options): Promise<SoakReport> {
  await using closing = new AsyncDisposableStack();
  const server = closing.use(
    await startPrivateRedis({
      config: { appendonly: 'yes', 'notify-keyspace-events': 'Kghl$' },
    }),
  );
  const settings = settingsOf(server.url);
  const config = loadConfig(settings);
  const hot = await openHot(config);
  closing.defer(() => hot.close());
  const bus = await openBus(config);
  closing.defer(() => bus.close());
  const redis = new Redis(server.url);
  closing.defer(() => redis.disconnect());
  const rekindle = await openRekindle({ env: settings });
  closing.defer(() => rekindle.close());
  const foreign = new ForeignShop(server.url, (user) => hot.sessions.keyOf(user), FOREIGN_TTL_MS);
  closing.defer(() => foreign.close());
  const subscriber = closing.use(await SubscriberProcess.start(settings, seed));

  // The one that is never killed.
  const watcher = closing.use(
    await WatcherProcess.start({ settings, flags: ['--inspect=127.0.0.1:0'] }),
  );
  const inspector = await inspect(watcher);
  closing.defer(() => inspector.close());
  const victims = closing.use(new Victims(settings, seed));
  const samples = new Samples(watcher, inspector, redis, config.prefix);

  const spanMs = minutes * MINUTE_MS;
  const shop = new Shop(
    planShoppers({ seed, users: Math.round(people * minutes), foreigners: true }, timingOf(spanMs)),
    rekindle,
    foreign,
    hot.clock,
  );
  const over = new AbortController();
  const startAt = hot.clock.now();
  const stalls = new Stalls();
  const work = Promise.all([
    samples.take(over.signal),
    victims.run(over.signal),
    stalls.watch(redis, over.signal),
  ]);
  await Promise.race([shop.open(startAt, startAt + spanMs, over.signal), work, subscriber.died]);
  over.abort();
  await work;

  const deadline = hot.clock.now() + OUTLIVES_MS + GRACE_MS;
  let heard = compareAll(shop.visits, subscriber.events, Infinity);
  let left = await leftOver(hot, bus);
  while (hot.clock.now() < deadline) {
    if (heard.missing === 0 && Object.values(left).every((count) => count === 0)) break;
    await sleep(1_000);
    heard = compareAll(shop.visits, subscriber.events, Infinity);
    left = await leftOver(hot, bus);
  }

  const came = shop.visits.filter(({ deeds }) => deeds.length > 0);
  return {
    machine: machine(),
    date: today(),
    minutes,
    seed,
    people: came.length,
    foreign: came.filter(({ shopper }) => shopper.foreign).length,
    messages: shop.messages,
    orders: came.flatMap(({ deeds }) => deeds).filter(({ did }) => did === 'ordered').length,
    killed: victims.killed,
    warnings: warningsOf(watcher),
    tookEffect: subscriber.events.length,
    repeats: subscriber.repeats,
    retried: subscriber.retried,
    dropped: subscriber.dropped,
    heard,
    left,
    stalledMs: stalls.longestMs,
    warmUpMinutes: WARM_UP_MINUTES,
    settledAfterMinutes: SETTLED_AFTER_MINUTES,
    trends: samples.trends(WARM_UP_MINUTES, SETTLED_AFTER_MINUTES),
  };
}

async function inspect(watcher: WatcherProcess): Promise<Inspector> {
  const listens = 'Debugger listening on ';
  const [line] = watcher.lines(({ msg }) => String(msg).startsWith(listens));
  return Inspector.connect(String(line?.['msg']).slice(listens.length));
}

function warningsOf(watcher: WatcherProcess): string[] {
  const lines = watcher.lines(({ level }) => ['warn', 'error', 'fatal'].includes(String(level)));
  return [
    ...new Set(
      lines.map(({ level, msg, err }) => {
        const { message } = (err ?? {}) as { readonly message?: string };
        return `${String(level)}: ${String(msg)}${message === undefined ? '' : ` (${message})`}`;
      }),
    ),
  ];
}

function parseOptions(args: readonly string[]): Options {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        minutes: { type: 'string', default: '10' },
        people: { type: 'string', default: '600' },
        seed: { type: 'string', default: '1' },
        markdown: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    const [minutes, people, seed] = [values.minutes, values.people, values.seed].map(Number);
    if (!minutes || !people || !seed || minutes < 0 || people < 0)
      throw new UsageError('give numbers above zero');
    return { ...values, minutes, people, seed };
  } catch (error) {
    throw new UsageError(`${errorMessage(error)}\n\n${USAGE}`);
  }
}

await runMain(() => main(process.argv.slice(2)));
// What failed may have left connections open.
if (process.exitCode !== EXIT.done) process.exit();
