import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { afterEach, expect, test } from 'vitest';
import type { ConnectionSettings } from '../../src/adapters/bus/redis-streams/connection.ts';
import { RedisStreamsBus } from '../../src/adapters/bus/redis-streams/redis-streams-bus.ts';
import { BusUnavailableError } from '../../src/model/errors.ts';
import type { AnyEvent } from '../../src/model/event.ts';
import type { Bus } from '../../src/ports/bus.ts';
import { silentLog } from '../support/log.ts';
import { testRedis } from '../support/redis-server.ts';
import { abandonedEvent, abandonedEvents } from '../support/sample-events.ts';
import { behind, receiveAll, settle } from './bus.ts';

const redis = testRedis();
const connect = (settings: ConnectionSettings): Redis => new Redis(redis.url, settings);
const stream = (): string => `${redis.prefix}:events`;
const opened: Bus[] = [];

function openBus(cap = 10_000): RedisStreamsBus {
  const bus = new RedisStreamsBus({
    connect,
    prefix: redis.prefix,
    cap,
    log: silentLog,
  });
  opened.push(bus);
  return bus;
}

afterEach(async () => {
  for (const bus of opened.splice(0)) await bus.close();
});

test('publishing pauses when a group is as far behind as the cap, says which, and goes on when it has caught up', async () => {
  const bus = openBus(100);
  const quick = await bus.subscribe({ group: 'quick' });
  const slow = await bus.subscribe({ group: 'slow' });
  await bus.publish(abandonedEvents(90));
  await settle(await receiveAll(quick, 90));
  // What fits is taken, so that room is used however large the batch is.
  const results = await bus.publish(abandonedEvents(11, 90));
  expect(results.filter(({ durable }) => durable)).toHaveLength(10);
  expect(results.at(-1)).toMatchObject({ durable: false, retryable: true, group: 'slow' });
  expect(await redis.client().xlen(stream())).toBe(100);
  const refusal = await refusalOf(bus, [abandonedEvent(100)]);
  expect(refusal.group).toBe('slow');
  expect(refusal.message).toBe('consumer group "slow" is 100 events behind; the cap is 100');
  // What is in hand or put off is as unsettled as what was never read.
  const [first, second, ...rest] = await receiveAll(slow, 100);
  expect((await refusalOf(bus, [abandonedEvent(100)])).group).toBe('slow');
  await first!.retry(60_000);
  await second!.deadLetter('no such user');
  expect((await refusalOf(bus, [abandonedEvent(100)])).message).toContain(
    '99 events behind and keeps 1 dead letters',
  );
  await settle(rest);
  expect(await bus.publish([abandonedEvent(100)])).toEqual([{ durable: true }]);
});

test('a batch that the cap cuts in two tells which events are durable', async () => {
  const bus = openBus(300);
  await bus.subscribe({ group: 'slow' });
  const results = await bus.publish(abandonedEvents(400));
  expect(results.filter(({ durable }) => durable)).toHaveLength(300);
  expect(results.at(-1)).toMatchObject({ durable: false, retryable: true });
  expect(results.at(-1)).toHaveProperty(
    'reason',
    expect.stringContaining('"slow" is 300 events behind'),
  );
});

test('a dead letter takes the place of one event, and holds up no others', async () => {
  const bus = openBus(50);
  const group = await bus.subscribe({ group: 'slow' });
  await bus.publish([abandonedEvent(1)]);
  const [first] = await receiveAll(group, 1);
  await first!.deadLetter('no such user');
  const results = await bus.publish(abandonedEvents(120, 2));
  expect(results.filter(({ durable }) => durable)).toHaveLength(49);
  await settle(await receiveAll(group, 49));
  const next = await bus.publish(abandonedEvents(71, 51));
  expect(next.filter(({ durable }) => durable)).toHaveLength(49);
});

test('without a subscriber events wait up to the cap, and the error says that nobody subscribes', async () => {
  const bus = openBus(20);
  await bus.publish(abandonedEvents(20));
  const refusal = await refusalOf(bus, [abandonedEvent(20)]);
  expect(refusal.group).toBeUndefined();
  expect(refusal.message).toBe(
    `nobody subscribes to the event bus: 20 events wait in ${stream()}, and the cap is 20`,
  );
  expect(await receiveAll(await bus.subscribe({ group: 'late' }), 20)).toHaveLength(20);
});

test('a group that was dead for long finds all that waited for it, and publishing goes on', async () => {
  const bus = openBus(1_000);
  const dying = await bus.subscribe({ group: 'rescue', claimMs: 200 });
  await bus.publish(abandonedEvents(1_000));
  await receiveAll(dying, 10, 10);
  await refusalOf(bus, abandonedEvents(250, 1_000));
  const revived = await bus.subscribe({ group: 'rescue', claimMs: 200 });
  const ids = new Set<string>();
  while (ids.size < 1_000) {
    const deliveries = await revived.receive(100, 1_000);
    for (const { event } of deliveries) ids.add(event.id);
    await settle(deliveries);
  }
  await bus.publish(abandonedEvents(250, 1_000));
  expect(await behind(bus, 'rescue')).toBe(250);
});

test('trim gives back all that every group has settled, and nothing of what one has not', async () => {
  const bus = openBus();
  const a = await bus.subscribe({ group: 'a' });
  const b = await bus.subscribe({ group: 'b' });
  await bus.publish(abandonedEvents(1_000));
  await settle(await receiveAll(a, 1_000));
  expect(await bus.trim()).toBe(0);
  const deliveries = await receiveAll(b, 1_000);
  await settle(deliveries.filter((_delivery, i) => i !== 702));
  expect(await bus.trim()).toBe(702);
  await settle(deliveries);
  expect(await bus.trim()).toBe(298);
  expect(await redis.client().xlen(stream())).toBe(0);
});

test('an event that waits for the morning keeps no other from being trimmed', async () => {
  const bus = openBus();
  const member = await bus.subscribe({ group: 'rescue' });
  await bus.publish(abandonedEvents(50));
  const [first, second, ...rest] = await receiveAll(member, 50);
  await first!.defer(36_000_000);
  await second!.renew();
  await settle(rest);
  expect(await bus.trim()).toBe(50);
  expect(await behind(bus, 'rescue')).toBe(2);
});

test('however seldom trim is called, the stream stays within the cap while its groups keep up', async () => {
  const bus = openBus(100);
  const member = await bus.subscribe({ group: 'rescue' });
  for (let i = 0; i < 20; i += 1) {
    await bus.publish(abandonedEvents(50, 50 * i));
    await settle(await receiveAll(member, 50));
  }
  expect(await redis.client().xlen(stream())).toBeLessThanOrEqual(100);
});

test('entries that somebody deleted or trimmed confuse neither the count nor the others', async () => {
  const bus = openBus(20);
  const member = await bus.subscribe({ group: 'rescue', claimMs: 200 });
  const client = redis.client();
  await bus.publish(abandonedEvents(10));
  const ids = (await client.xrange(stream(), '-', '+')).map(([id]) => id);
  await client.xdel(stream(), ids[5]!);
  // Redis cannot tell the lag now; what the stream holds counts.
  expect(await behind(bus, 'rescue')).toBe(9);
  await bus.publish(abandonedEvents(11, 10));
  expect((await refusalOf(bus, [abandonedEvent(30)])).group).toBe('rescue');
  const inHand = await receiveAll(member, 20);
  await client.xtrim(stream(), 'MAXLEN', '=', 5);
  await settle(inHand.slice(0, 10));
  // Of those nobody settled, five are gone for good; the others come round.
  const again = await receiveAll(member, 5);
  await settle(again);
  await member.receive(10, 300);
  expect(await behind(bus, 'rescue')).toBe(0);
  await bus.trim();
  expect(await bus.publish(abandonedEvents(20, 30))).toHaveLength(20);
});

test('a consumer that is only redis-cli reads and settles events in a group of its own', async () => {
  const bus = openBus();
  await redisCli('XGROUP', 'CREATE', stream(), 'mail', '0', 'MKSTREAM');
  await bus.publish(abandonedEvents(2));
  const read = await redisCli(
    'XREADGROUP',
    'GROUP',
    'mail',
    'one',
    'COUNT',
    '10',
    'STREAMS',
    stream(),
    '>',
  );
  const fields = read.split('\n');
  expect(fields.filter((line) => line === 'cart.abandoned')).toHaveLength(2);
  const events = fields
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as AnyEvent);
  expect(events).toEqual(abandonedEvents(2));
  expect(await behind(bus, 'mail')).toBe(2);
  await redisCli('XACK', stream(), 'mail', ...fields.filter((line) => /^\d+-\d+$/.test(line)));
  expect(await behind(bus, 'mail')).toBe(0);
  expect(await bus.trim()).toBe(2);
});

test('the consumer of docs/events.md does what that page says', async () => {
  const page = await readFile(new URL('../../docs/events.md', import.meta.url), 'utf8');
  const script = /```sh\n(.*?)```/s.exec(page)![1]!;
  const bus = openBus();
  const client = redis.client();
  await client.xgroup('CREATE', stream(), 'mail', '0', 'MKSTREAM');
  await bus.publish(abandonedEvents(3));
  // What a member that is gone left behind, a minute ago.
  await client.xreadgroup('GROUP', 'mail', 'gone', 'COUNT', 1, 'STREAMS', stream(), '>');
  const [left] = (await client.xrange(stream(), '-', '+', 'COUNT', 1))[0]!;
  await client.xclaim(stream(), 'mail', 'gone', 0, left, 'IDLE', 61_000, 'JUSTID');
  const consumer = spawn('sh', ['-c', script], {
    env: { ...process.env, REDIS_URL: redis.url, STREAM: stream() },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  const said: string[] = [];
  createInterface({ input: consumer.stdout }).on('line', (line) => said.push(line));
  try {
    await expect.poll(() => said.length, { timeout: 5_000 }).toBe(3);
    await bus.publish([abandonedEvent(3)]);
    await expect.poll(() => said.length, { timeout: 10_000 }).toBe(4);
    expect(said.map((line) => JSON.parse(line) as AnyEvent)).toEqual(abandonedEvents(4));
    await expect.poll(() => behind(bus, 'mail')).toBe(0);
  } finally {
    process.kill(-consumer.pid!, 'SIGKILL');
    await once(consumer, 'exit');
  }
});

test('junk in the hands of a member that died is put aside as well', async () => {
  const bus = openBus();
  const member = await bus.subscribe({ group: 'rescue', claimMs: 200 });
  const client = redis.client();
  await client.xadd(stream(), '*', 'a', 'b');
  await client.xreadgroup('GROUP', 'rescue', 'dead', 'STREAMS', stream(), '>');
  await bus.publish([abandonedEvent(1)]);
  await settle(await receiveAll(member, 1));
  expect(await member.receive(10, 600)).toEqual([]);
  expect(await bus.deadLetters('rescue', 10)).toMatchObject([{ event: undefined, body: 'a b' }]);
  expect(await behind(bus, 'rescue')).toBe(0);
});

test('what a member had in hand when it was killed goes to another', async () => {
  const bus = openBus();
  await bus.publish(abandonedEvents(3));
  const script = `
    import { Redis } from 'ioredis';
    import { RedisStreamsBus } from './src/adapters/bus/redis-streams/redis-streams-bus.ts';
    const log = { info() {}, warn() {} };
    const bus = new RedisStreamsBus({ connect: (settings) => new Redis('${redis.url}', settings), prefix: '${redis.prefix}', cap: 10, log });
    const member = await bus.subscribe({ group: 'rescue', claimMs: 300 });
    const deliveries = await member.receive(10, 5000);
    await deliveries[0].done();
    console.log(deliveries.length);
  `;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(line).toBe('3');
  const member = await bus.subscribe({ group: 'rescue', claimMs: 300 });
  const deliveries = await receiveAll(member, 2);
  expect(deliveries.map(({ event }) => event)).toEqual(abandonedEvents(2, 1));
  await settle(deliveries);
  expect(await behind(bus, 'rescue')).toBe(0);
});

test('what another program claimed is no longer the member’s', async () => {
  const bus = openBus();
  const member = await bus.subscribe({ group: 'rescue' });
  await bus.publish([abandonedEvent(1)]);
  const [delivery] = await receiveAll(member, 1);
  const [id] = (await redis.client().xrange(stream(), '-', '+'))[0]!;
  await redisCli('XCLAIM', stream(), 'rescue', 'somebody', '0', id);
  expect(await delivery!.renew()).toBe(false);
  expect(await delivery!.deadLetter('mine')).toBe(false);
  expect(await bus.deadLetters('rescue', 10)).toEqual([]);
});

test('after FLUSHALL the group is there again, and gets what comes', async () => {
  const bus = openBus();
  const member = await bus.subscribe({ group: 'rescue' });
  await bus.publish([abandonedEvent(1)]);
  const [lost] = await receiveAll(member, 1);
  const waiting = receiveAll(member, 1);
  await sleep(100);
  await redis.client().flushall();
  await bus.publish([abandonedEvent(2)]);
  const [next] = await waiting;
  expect(next!.event).toEqual(abandonedEvent(2));
  // What was in hand went with the rest.
  expect(await lost!.renew()).toBe(false);
  expect(await lost!.retry(0)).toBe(false);
  await settle([next!]);
  expect(await behind(bus, 'rescue')).toBe(0);
});

test('scripts that the server forgot are sent again', async () => {
  const bus = openBus();
  await bus.subscribe({ group: 'rescue' });
  await bus.publish([abandonedEvent(1)]);
  await redis.client().script('FLUSH');
  expect(await bus.publish([abandonedEvent(2)])).toEqual([{ durable: true }]);
});

test('what was refused during an outage does not arrive after it', async () => {
  const bus = openBus();
  await bus.publish([abandonedEvent(1)]);
  // One is on its way when the server goes.
  process.kill(redis.server.pid, 'SIGSTOP');
  const onItsWay = refusalOf(bus, [abandonedEvent(13)]);
  await sleep(50);
  await redis.server.kill();
  expect((await onItsWay).message).toBe('the event bus is away: the connection was lost');
  for (let i = 2; i < 12; i += 1) {
    await refusalOf(bus, [abandonedEvent(i)]);
    await sleep(20);
  }
  await redis.server.restart();
  await expect
    .poll(() => bus.publish([abandonedEvent(20)]).catch(() => undefined), { timeout: 5_000 })
    .toBeDefined();
  const ids = await redis.client().xrange(stream(), '-', '+');
  expect(ids).toHaveLength(1);
});

test('a server at its memory limit takes none of a batch, and all of it later', async () => {
  const bus = openBus();
  const client = redis.client();
  await bus.subscribe({ group: 'rescue' });
  await client.config('SET', 'maxmemory', '1');
  try {
    const refusal = await refusalOf(bus, abandonedEvents(10));
    expect(refusal.message).toContain('OOM');
    expect(refusal.cause).toBeDefined();
    expect(await client.xlen(stream())).toBe(0);
  } finally {
    await client.config('SET', 'maxmemory', '0');
  }
  expect(await bus.publish(abandonedEvents(10))).toHaveLength(10);
});

test('a server that answers no more is given up in time', async () => {
  const bus = new RedisStreamsBus({
    connect,
    prefix: redis.prefix,
    cap: 10,
    log: silentLog,
    answerWithinMs: 300,
  });
  opened.push(bus);
  await bus.publish([abandonedEvent(1)]);
  process.kill(redis.server.pid, 'SIGSTOP');
  try {
    const before = performance.now();
    expect((await refusalOf(bus, [abandonedEvent(2)])).message).toContain(
      'no answer within 300 ms',
    );
    expect(performance.now() - before).toBeLessThan(2_000);
  } finally {
    process.kill(redis.server.pid, 'SIGCONT');
  }
});

test('a member that waits costs a few commands a second, with the bus there or away', async () => {
  const bus = openBus();
  const client = redis.client();
  const member = await bus.subscribe({ group: 'rescue' });
  await member.receive(1, 10);
  const before = await commandsOf();
  await member.receive(1, 3_000);
  // Busy waiting would be thousands.
  expect((await commandsOf()) - before).toBeLessThanOrEqual(100);
  await redis.server.kill();
  const { user, system } = process.cpuUsage();
  await member.receive(1, 2_000);
  const used = process.cpuUsage({ user, system });
  expect((used.user + used.system) / 1_000).toBeLessThan(500);

  async function commandsOf(): Promise<number> {
    const info = await client.info('stats');
    return Number(/total_commands_processed:(\d+)/.exec(info)?.[1]);
  }
});

test('a member that leaves is forgotten, but not what it has in hand', async () => {
  const bus = openBus();
  const client = redis.client();
  const member = await bus.subscribe({ group: 'rescue' });
  await bus.publish([abandonedEvent(1)]);
  const [delivery] = await receiveAll(member, 1);
  await member.close();
  expect(await client.xinfo('CONSUMERS', stream(), 'rescue')).toHaveLength(1);
  // Closing takes no delivery out of the caller's hands.
  await delivery!.done();
  expect(await behind(bus, 'rescue')).toBe(0);
  const next = await bus.subscribe({ group: 'rescue' });
  await next.receive(1, 10);
  await next.close();
  expect(await client.xinfo('CONSUMERS', stream(), 'rescue')).toHaveLength(1);
});

async function refusalOf(bus: Bus, events: readonly AnyEvent[]): Promise<BusUnavailableError> {
  const outcome = await bus.publish(events).catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(BusUnavailableError);
  return outcome as BusUnavailableError;
}

async function redisCli(...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('redis-cli', ['-u', redis.url, ...args]);
  return stdout;
}
