import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ServiceGroup } from '../../../src/runtime/service-group.ts';
import { BaseService, serviceOf } from '../../../src/runtime/service.ts';

const patiently = (): AbortSignal => AbortSignal.timeout(5_000);

/** Writes down what its hooks were called for, each taking its time. */
class Witness extends BaseService {
  readonly calls: string[] = [];
  readonly #failing: boolean;

  constructor(name = 'witness', failing = false) {
    super(name);
    this.#failing = failing;
  }

  protected override async onStart(): Promise<void> {
    this.calls.push('start');
    await sleep(1);
    if (this.#failing) throw new Error('cannot start');
    this.calls.push('started');
  }

  protected override async onQuiet(): Promise<void> {
    this.calls.push('quiet');
    await sleep(1);
  }

  protected override async onStop(): Promise<void> {
    this.calls.push('stop');
    await sleep(1);
    this.calls.push('stopped');
  }

  breakDown(reason: unknown): void {
    this.die(reason);
  }
}

describe('a service', () => {
  test('goes through start, quiet and stop, each once however often it is called', async () => {
    const service = new Witness();
    await Promise.all([service.start(), service.start()]);
    await Promise.all([service.quiet(), service.quiet()]);
    await Promise.all([service.stop(patiently()), service.stop(patiently())]);
    await service.start();
    expect(service.calls).toEqual(['start', 'started', 'quiet', 'stop', 'stopped']);
  });

  test('that was stopped before its start never starts', async () => {
    const service = new Witness();
    await service.stop(patiently());
    await service.start();
    expect(service.calls).toEqual([]);
  });

  test('that is stopped during its start finishes the start first', async () => {
    const service = new Witness();
    const started = service.start();
    await service.stop(patiently());
    await started;
    expect(service.calls).toEqual(['start', 'started', 'stop', 'stopped']);
  });

  test('that is quieted during its start is told to cut it short', async () => {
    let cut = false;
    const service = serviceOf('slow', {
      start: async (stopping) => {
        await sleep(60_000, undefined, { signal: stopping }).catch(() => undefined);
        cut = stopping.aborted;
      },
    });
    const started = service.start();
    await service.quiet();
    await started;
    expect(cut).toBe(true);
    await service.stop(patiently());
  });

  test('that cannot start has released what it took, and says why it could not', async () => {
    const service = new Witness('failing', true);
    await expect(service.start()).rejects.toThrow('cannot start');
    expect(service.calls).toEqual(['start', 'stop', 'stopped']);
    await service.stop(patiently());
    expect(service.calls).toHaveLength(3);
  });

  test('that does not give up in time holds up nobody', async () => {
    const service = serviceOf('stubborn', { stop: () => new Promise(() => undefined) });
    await service.start();
    await expect(service.stop(AbortSignal.abort())).rejects.toThrow(
      /stubborn did not stop in time/,
    );
  });

  test('is stopped by the least patient of those who stop it', async () => {
    const service = serviceOf('working', {
      stop: (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
    });
    await service.start();
    const patient = service.stop(patiently());
    await service.stop(AbortSignal.timeout(5));
    await patient;
  });

  test('keeps its order whatever comes in whatever order (stress)', async () => {
    const step = fc.constantFrom('start', 'quiet', 'stop', 'wait');
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 8 }), fc.boolean(), async (steps, failing) => {
        const service = new Witness('stressed', failing);
        const calls: Promise<unknown>[] = [];
        for (const next of steps) {
          if (next === 'start') calls.push(service.start().catch(() => undefined));
          else if (next === 'quiet') calls.push(service.quiet());
          else if (next === 'stop') calls.push(service.stop(patiently()));
          else await sleep(1);
        }
        calls.push(service.stop(patiently()));
        await Promise.all(calls);
        const order = failing
          ? /^(start,stop,stopped)?$/
          : /^(start,started,(quiet,)?stop,stopped)?$/;
        expect(service.calls.join()).toMatch(order);
      }),
      { numRuns: 200 },
    );
  });
});

describe('a group', () => {
  test('starts in order and stops in reverse', async () => {
    const order: string[] = [];
    const named = (name: string) =>
      serviceOf(name, {
        start: async () => void order.push(`+${name}`),
        quiet: async () => void order.push(`~${name}`),
        stop: async () => void order.push(`-${name}`),
      });
    const group = new ServiceGroup('all', [named('a'), named('b'), named('c')]);
    await group.start();
    await group.quiet();
    await group.stop(patiently());
    expect(order.join(' ')).toBe('+a +b +c ~c ~b ~a -c -b -a');
  });

  test('stops every one whatever another says, and rethrows the first error', async () => {
    const stopped: string[] = [];
    const group = new ServiceGroup('all', [
      serviceOf('a', { stop: async () => void stopped.push('a') }),
      serviceOf('b', { stop: () => Promise.reject(new Error('b is stuck')) }),
      serviceOf('c', { stop: () => Promise.reject(new Error('c is stuck')) }),
      serviceOf('d', { stop: async () => void stopped.push('d') }),
    ]);
    await group.start();
    await expect(group.stop(patiently())).rejects.toThrow('c is stuck');
    expect(stopped).toEqual(['d', 'a']);
  });

  test('whose member cannot start has stopped those before it and never starts those after', async () => {
    const [a, b, c] = [new Witness('a'), new Witness('b', true), new Witness('c')];
    await expect(new ServiceGroup('all', [a, b, c]).start()).rejects.toThrow('cannot start');
    expect(a.calls).toEqual(['start', 'started', 'stop', 'stopped']);
    expect(c.calls).toEqual([]);
  });

  test('that is quieted during its start cuts short the member that is starting', async () => {
    const slow = serviceOf('slow', {
      start: (stopping) => sleep(60_000, undefined, { signal: stopping }).catch(() => undefined),
    });
    const never = new Witness();
    const group = new ServiceGroup('outer', [new ServiceGroup('inner', [slow]), never]);
    const started = group.start();
    await group.quiet();
    await started;
    await group.stop(patiently());
    expect(never.calls).toEqual([]);
  });

  test('that is stopped during its start starts no more members', async () => {
    const [a, b] = [new Witness('a'), new Witness('b')];
    const group = new ServiceGroup('all', [a, b]);
    const started = group.start();
    await group.stop(patiently());
    await started;
    expect(a.calls.at(-1)).toBe('stopped');
    expect(b.calls).toEqual([]);
  });

  test('dies with its first member that does', async () => {
    const member = new Witness();
    const group = new ServiceGroup('outer', [new ServiceGroup('inner', [member])]);
    expect(group.died.aborted).toBe(false);
    member.breakDown(new Error('broken'));
    expect(group.died.reason).toEqual(new Error('broken'));
  });
});
