import { expect, test } from 'vitest';
import { Health } from '../../../src/runtime/health.ts';
import { Telemetry, instrument } from '../../../src/runtime/telemetry.ts';

class Store {
  readonly #secretly = 'kept';
  readonly name = 'store';

  async read(key: string): Promise<string> {
    return `${key} ${this.#secretly}`;
  }

  readTwice(key: string): Promise<string> {
    return this.read(key).then(() => this.read(key));
  }

  async fail(): Promise<never> {
    throw new Error('away');
  }

  keyOf(user: string): string {
    return `${this.#secretly}:${user}`;
  }

  async watch(): Promise<void> {
    // Waits on purpose.
  }
}

test('an instrumented port does what it did, timed, with its failures counted', async () => {
  const telemetry = new Telemetry();
  const store = instrument(new Store(), 'store', telemetry, ['watch']);
  expect(await store.read('a')).toBe('a kept');
  expect(await store.readTwice('b')).toBe('b kept');
  expect(store.keyOf('c')).toBe('kept:c');
  expect(store.name).toBe('store');
  await store.watch();
  await expect(store.fail()).rejects.toThrow('away');
  const text = await telemetry.render();
  expect(text).toContain('rekindle_port_seconds_count{port="store",method="read"} 1');
  expect(text).toContain('rekindle_port_seconds_count{port="store",method="readTwice"} 1');
  expect(text).toContain('rekindle_port_seconds_count{port="store",method="fail"} 1');
  expect(text).toContain('rekindle_port_errors_total{port="store",method="fail"} 1');
  expect(text).not.toContain('method="keyOf"');
  expect(text).not.toContain('method="watch"');
});

test('two ports share the metrics, two telemetries share nothing', async () => {
  const telemetry = new Telemetry();
  await instrument(new Store(), 'one', telemetry).read('a');
  await instrument(new Store(), 'two', telemetry).read('a');
  const other = new Telemetry();
  expect((await telemetry.render()).match(/_count\{/g)).toHaveLength(2);
  expect(await other.render()).not.toContain('rekindle_port_seconds_count');
});

test('a metric asked for again is the same one, and of one kind only', async () => {
  const telemetry = new Telemetry();
  const options = { name: 'rekindle_looks_total', help: 'Looks.', labels: ['outcome'] } as const;
  telemetry.counter(options).inc({ outcome: 'nothing' });
  telemetry.counter(options).inc({ outcome: 'nothing' }, 2);
  expect(await telemetry.render()).toContain('rekindle_looks_total{outcome="nothing"} 3');
  expect(() => telemetry.gauge(options)).toThrow(/another kind/);
});

test('a gauge that cannot be read costs its own value and no other', async () => {
  const telemetry = new Telemetry({ processMetrics: true });
  telemetry.gauge({ name: 'rekindle_due_users', help: 'Due.' }, (gauge) => gauge.set(7));
  telemetry.gauge({ name: 'rekindle_behind_events', help: 'Behind.' }, () => {
    throw new Error('away');
  });
  telemetry.gauge({ name: 'rekindle_armed_users', help: 'Armed.' }, () =>
    Promise.reject(new Error('away')),
  );
  const text = await telemetry.render();
  expect(text).toContain('rekindle_due_users 7');
  expect(text).toContain('process_resident_memory_bytes');
});

test('health is as bad as its worst check; one that throws or hangs has failed', async () => {
  const health = new Health(20);
  expect((await health.report()).status).toBe('ok');
  health.register('redis', () => ({ status: 'ok', detail: 'answers' }));
  health.register('notifications', async () => ({ status: 'degraded', detail: 'none arrive' }));
  expect((await health.report()).status).toBe('degraded');
  health.register('bus', () => {
    throw new Error('away');
  });
  health.register('jobs', () => new Promise(() => undefined));
  expect(await health.report()).toEqual({
    status: 'failed',
    checks: {
      redis: { status: 'ok', detail: 'answers' },
      notifications: { status: 'degraded', detail: 'none arrive' },
      bus: { status: 'failed', detail: 'away' },
      jobs: { status: 'failed', detail: 'no answer within 20 ms' },
    },
  });
  expect(() => health.register('bus', () => ({ status: 'ok', detail: '' }))).toThrow(/already/);
});
