import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

interface Child {
  readonly process: ChildProcess;
  /** Waits for this text in the log. */
  says(text: string): Promise<void>;
  /** Exit code, and what was logged. */
  ended(): Promise<{ code: number | null; log: string }>;
}

/** A process whose main runs a service with these hooks. */
function run(hooks: string, options = ''): Child {
  const script = `
    import { setTimeout as sleep } from 'node:timers/promises';
    import { UsageError } from './src/model/errors.ts';
    import { createLogger } from './src/runtime/logger.ts';
    import { runService } from './src/runtime/run.ts';
    import { serviceOf } from './src/runtime/service.ts';
    const log = createLogger({ level: 'debug', pretty: false });
    const held = setInterval(() => undefined, 1_000);
    const service = serviceOf('test', ${hooks});
    process.exitCode = await runService(service, { log, ${options} });
  `;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  children.push(child);
  let log = '';
  const heard = new Set<() => void>();
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString();
    for (const check of heard) check();
  });
  return {
    process: child,
    says: (text) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (log.includes(text)) resolve();
        };
        heard.add(check);
        check();
      }),
    ended: async () => {
      const [code] = (await once(child, 'close')) as [number | null];
      return { code, log };
    },
  };
}

describe('the main of a process', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    'stops cleanly at %s and ends by itself',
    async (signal) => {
      const child = run(`{
      quiet: async () => log.info({}, 'quiet now'),
      stop: async () => { log.info({}, 'stopping now'); clearInterval(held); },
    }`);
      await child.says('running');
      child.process.kill(signal);
      const { code, log } = await child.ended();
      expect(code).toBe(0);
      expect(log.indexOf('quiet now')).toBeLessThan(log.indexOf('stopping now'));
      expect(log).not.toContain('still holds');
    },
  );

  test('finishes what is in hand, until the deadline', async () => {
    const child = run(
      `{
        stop: async (signal) => {
          await sleep(60_000, undefined, { signal }).catch(() => undefined);
          clearInterval(held);
        },
      }`,
      'stopDeadlineMs: 300',
    );
    await child.says('running');
    child.process.kill('SIGTERM');
    const { code, log } = await child.ended();
    expect(code).toBe(0);
    expect(log).toContain('the deadline cut off what was in hand');
  });

  test('exits at once at a second signal', async () => {
    const child = run('{ stop: () => sleep(60_000) }');
    await child.says('running');
    child.process.kill('SIGTERM');
    await child.says('a second signal forces');
    child.process.kill('SIGTERM');
    expect(await child.ended()).toMatchObject({
      code: 1,
      log: expect.stringContaining('forced') as string,
    });
  });

  test('exits although a service does not stop, and says which', async () => {
    const child = run(
      '{ stop: () => new Promise(() => undefined) }',
      'stopDeadlineMs: 100, exitWithinMs: 100',
    );
    await child.says('running');
    child.process.kill('SIGTERM');
    const { code, log } = await child.ended();
    expect(code).toBe(1);
    expect(log).toContain('test did not stop in time');
  });

  test('names what still holds the process after a clean stop, and exits', async () => {
    const child = run('{}', 'exitWithinMs: 200');
    await child.says('running');
    child.process.kill('SIGTERM');
    const { code, log } = await child.ended();
    expect(code).toBe(0);
    expect(log).toMatch(/"resources":\[[^\]]*"Timeout".*still holds the process/);
  });

  test('that is stopped during its start does not wait for the signal to come again', async () => {
    const child = run(
      `{
        start: async (stopping) => {
          log.info({}, 'starting');
          await sleep(60_000, undefined, { signal: stopping }).catch(() => undefined);
        },
        stop: async () => clearInterval(held),
      }`,
    );
    await child.says('starting');
    child.process.kill('SIGTERM');
    expect((await child.ended()).code).toBe(0);
  });

  test('ends with 2 for wrong usage, in words without a stack, and with 1 for any other failure', async () => {
    const wrong = run(`{
      start: () => Promise.reject(new UsageError('REKINDLE_HTTP is in use')),
      stop: async () => clearInterval(held),
    }`);
    const { code, log } = await wrong.ended();
    expect(code).toBe(2);
    expect(log).toContain('cannot start: REKINDLE_HTTP is in use');
    expect(log).not.toContain('"stack"');
    const broken = run(`{
      start: () => Promise.reject(new Error('broken')),
      stop: async () => clearInterval(held),
    }`);
    expect((await broken.ended()).code).toBe(1);
  });

  test('logs a crash before it ends', async () => {
    const child = run(
      `{ start: async () => { setTimeout(() => { throw new Error('a bug'); }, 10); } }`,
    );
    const { code, log } = await child.ended();
    expect(code).toBe(1);
    expect(log).toMatch(/"level":"fatal".*a bug.*"msg":"crashed"/);
  });
});
