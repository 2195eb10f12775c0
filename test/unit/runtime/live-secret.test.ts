import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SecretUnavailableError } from '../../../src/model/errors.ts';
import { LiveSecrets } from '../../../src/runtime/live-secret.ts';
import { VirtualClock } from '../../../src/runtime/virtual-clock.ts';
import { recordingLogger } from '../../support/recording-logger.ts';

const MINUTE_MS = 60_000;

let time: VirtualClock;
let vault: Map<string, string>;
let away: Set<string>;
let reads: number;
let recorded: ReturnType<typeof recordingLogger>;
const opened: LiveSecrets[] = [];

beforeEach(() => {
  time = new VirtualClock(0);
  vault = new Map([
    ['redis', 'first-one'],
    ['bus', 'first-two'],
  ]);
  away = new Set();
  reads = 0;
  recorded = recordingLogger();
});
afterEach(async () => {
  for (const { service } of opened.splice(0)) await service.stop(AbortSignal.abort());
});

async function open(everyMs?: number): Promise<LiveSecrets> {
  const secrets = await LiveSecrets.open(vault.keys(), {
    read: async (name) => {
      reads += 1;
      const value = vault.get(name);
      if (away.has(name) || value === undefined)
        throw new SecretUnavailableError(`${name} is away`);
      return value;
    },
    time,
    log: recorded.log,
    ...(everyMs !== undefined && { everyMs }),
  });
  opened.push(secrets);
  return secrets;
}

const messages = (): unknown[] => recorded.lines().map((line) => line['msg']);

describe('a live secret', () => {
  test('is read before anything starts, or nothing starts', async () => {
    const secrets = await open();
    expect(secrets.of('redis').value).toBe('first-one');
    expect(() => secrets.of('other')).toThrow(RangeError);
    away.add('bus');
    await expect(open()).rejects.toThrow(SecretUnavailableError);
  });

  test('is read again every five minutes, and who listens hears of what is new', async () => {
    const secrets = await open();
    const heard: string[] = [];
    secrets.of('redis').onChange((value) => heard.push(value));
    secrets.of('bus').onChange((value) => heard.push(value));
    await secrets.service.start();
    await time.advanceTo(5 * MINUTE_MS - 1);
    expect(reads).toBe(2);
    vault.set('redis', 'second-one');
    await time.advanceTo(5 * MINUTE_MS);
    expect(secrets.of('redis').value).toBe('second-one');
    await time.advanceTo(60 * MINUTE_MS);
    expect(heard).toEqual(['second-one']);
    expect(reads).toBe(2 + 12 * 2);
  });

  test('keeps its value while the store is away, which is said once, and the others go on', async () => {
    const secrets = await open();
    await secrets.service.start();
    away.add('redis');
    vault.set('redis', 'second-one').set('bus', 'second-two');
    await time.advanceTo(60 * MINUTE_MS);
    expect(secrets.of('redis').value).toBe('first-one');
    expect(secrets.of('bus').value).toBe('second-two');
    expect(messages()).toEqual(['a secret has a new value', 'failed, tries again']);
    // Asked more often than every five minutes, for it may be back soon; and bounded all the same.
    expect(reads / 2).toBeGreaterThan(12);
    expect(reads / 2).toBeLessThan(1_000);
    away.clear();
    await time.advanceTo(time.now() + 5 * MINUTE_MS);
    expect(secrets.of('redis').value).toBe('second-one');
    expect(messages().slice(2)).toEqual(['a secret has a new value', 'works again']);
  });

  test('is told to each listener, whatever another does, until it listens no more', async () => {
    const secrets = await open();
    const secret = secrets.of('redis');
    const heard: string[] = [];
    const listener = (value: string): void => void heard.push(value);
    secret.onChange(() => {
      throw new Error(`cannot use ${secret.value}`);
    });
    const end = secret.onChange(listener);
    secret.onChange(listener);
    vault.set('redis', 'second-one');
    await secrets.refresh();
    expect(heard).toEqual(['second-one', 'second-one']);
    end();
    vault.set('redis', 'third-one');
    await secrets.refresh();
    expect(heard).toEqual(['second-one', 'second-one', 'third-one']);
  });

  test('stands in no log and no dump', async () => {
    const secrets = await open(MINUTE_MS);
    secrets.of('redis').onChange((value) => {
      throw new TypeError(value);
    });
    vault.set('redis', 'second-one');
    await secrets.refresh();
    away.add('bus');
    await expect(secrets.refresh()).rejects.toThrow('bus is away');
    expect(messages()).toContain('a listener of a secret failed');
    const shown = [
      inspect(secrets, { depth: 9, showHidden: true }),
      inspect(secrets.of('redis'), { depth: 9, showHidden: true }),
      JSON.stringify([secrets, secrets.of('redis')]),
      JSON.stringify(recorded.lines()),
    ].join('\n');
    expect(shown).not.toMatch(/(first|second)-(one|two)/);
  });
});
