import { Redis } from 'ioredis';
import { type PrivateRedis, startPrivateRedis } from '../../src/cli/private-redis.ts';
import { DaemonHttp } from './daemon-http.ts';
import { PlainShop } from './plain-shop.ts';
import type { Fault, Victim } from './redis-faults.ts';
import { TcpProxy } from './tcp-proxy.ts';
import { WatcherProcess } from './watcher-process.ts';

const SETTINGS = {
  REKINDLE_STAGES: '2s,1h',
  REKINDLE_LEASE: '2s',
  REKINDLE_RECONCILE_EVERY: '1s',
  REDIS_CONNECT_TIMEOUT: '2s',
  REDIS_COMMAND_TIMEOUT: '2s',
};

/** What was used up to a moment. */
interface Sample {
  readonly atMs: number;
  readonly cpuSeconds: number;
  /** Undefined where the Redis does not tell. */
  readonly commands: number | undefined;
  readonly connections: number;
  readonly logLines: number;
  readonly portErrors: number;
  readonly portSeconds: number;
  readonly portCalls: number;
}

/** What was used between two moments. */
export interface Used {
  readonly seconds: number;
  /** Of one core. */
  readonly cpu: number;
  readonly commands: number | undefined;
  readonly connections: number;
  readonly logLines: number;
  readonly portErrors: number;
  /** Mean duration of a call to Redis or the bus. */
  readonly callMs: number;
}

/** A daemon in a process of its own, the Redis that is going to fail, and a shop. */
export class WatchedRedis implements AsyncDisposable {
  readonly victim: Victim;
  readonly daemon: WatcherProcess;
  readonly http: DaemonHttp;
  readonly shop: PlainShop;
  readonly #opened: AsyncDisposableStack;

  private constructor(
    victim: Victim,
    daemon: WatcherProcess,
    http: DaemonHttp,
    shop: PlainShop,
    opened: AsyncDisposableStack,
  ) {
    this.victim = victim;
    this.daemon = daemon;
    this.http = http;
    this.shop = shop;
    this.#opened = opened;
  }

  /** @param options.busAway the Redis of the bus refuses from the start */
  static async open(
    { of, config }: Pick<Fault, 'of' | 'config'>,
    { busAway = false } = {},
  ): Promise<WatchedRedis> {
    await using opening = new AsyncDisposableStack();
    const start = async (settings: Fault['config']): Promise<[PrivateRedis, Redis]> => {
      const server = opening.use(
        await startPrivateRedis({ config: settings, readyWithinMs: 60_000 }),
      );
      const client = new Redis(server.url, {
        maxRetriesPerRequest: null,
        retryStrategy: () => 100,
      }).on('error', () => undefined);
      opening.defer(() => client.disconnect());
      return [server, client];
    };
    const notify = { 'notify-keyspace-events': 'Kghl$' };
    const [redis, control] = await start({ ...notify, ...(of === 'sessions' && config) });
    const [busRedis, busControl] = of === 'bus' ? await start(config) : [redis, control];
    const proxy = opening.use(await TcpProxy.to(busRedis.port));
    if (busAway) await proxy.refuse();
    const http = await DaemonHttp.onFreePort();
    const daemon = new WatcherProcess({
      settings: {
        ...SETTINGS,
        ...(of === 'sessions'
          ? { REDIS_URL: proxy.url }
          : { REDIS_URL: redis.url, REKINDLE_BUS_REDIS_URL: proxy.url }),
        REKINDLE_HTTP: http.address,
      },
    });
    opening.defer(async () => {
      await daemon.end('SIGKILL');
    });
    await daemon.go();
    await daemon.running();
    return new WatchedRedis(
      { redis: busRedis, proxy, control: busControl },
      daemon,
      http,
      new PlainShop(control, busControl),
      opening.move(),
    );
  }

  async sample(): Promise<Sample> {
    const metrics = await this.http.metrics();
    const { redis, control, proxy } = this.victim;
    const stats = redis.alive ? await control.info('stats') : '';
    const commands = /total_commands_processed:(\d+)/.exec(stats)?.[1];
    return {
      atMs: performance.now(),
      cpuSeconds: metrics.get('process_cpu_seconds_total') ?? 0,
      commands: commands === undefined ? undefined : Number(commands),
      connections: proxy.accepted,
      logLines: this.daemon.output.split('\n').length,
      portErrors: metrics.get('rekindle_port_errors_total') ?? 0,
      portSeconds: metrics.get('rekindle_port_seconds_sum') ?? 0,
      portCalls: metrics.get('rekindle_port_seconds_count') ?? 0,
    };
  }

  async usedSince(before: Sample): Promise<Used> {
    const after = await this.sample();
    const seconds = (after.atMs - before.atMs) / 1_000;
    const commands =
      before.commands === undefined || after.commands === undefined
        ? undefined
        : after.commands - before.commands;
    return {
      seconds,
      cpu: (after.cpuSeconds - before.cpuSeconds) / seconds,
      // It counts anew after a restart.
      commands: commands === undefined || commands < 0 ? undefined : commands,
      connections: after.connections - before.connections,
      logLines: after.logLines - before.logLines,
      portErrors: after.portErrors - before.portErrors,
      callMs:
        (1_000 * (after.portSeconds - before.portSeconds)) /
        Math.max(1, after.portCalls - before.portCalls),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
  }
}
