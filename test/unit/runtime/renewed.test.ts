import { expect, test } from 'vitest';
import { Renewed } from '../../../src/runtime/renewed.ts';
import { VirtualClock } from '../../../src/runtime/virtual-clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';

/** A value that is another one every minute, unless it cannot be had. */
class Source {
  readonly time = new VirtualClock();
  asked = 0;
  away = false;
  value = 'one';

  open(): Promise<Renewed<string>> {
    return Renewed.open({
      ...{ name: 'value', log: silentLogger, time: this.time },
      renew: async () => {
        this.asked += 1;
        if (this.away) throw new Error('away');
        return { value: this.value, askAgainInMs: 60_000 };
      },
    });
  }
}

test('is asked for when it is opened, and that fails where it cannot be had', async () => {
  const source = new Source();
  expect((await source.open()).current()).toBe('one');
  source.away = true;
  await expect(source.open()).rejects.toThrow('away');
});

test('is renewed in time while somebody listens, and told when it is another', async () => {
  const source = new Source();
  const renewed = await source.open();
  const heard: string[] = [];
  const forget = renewed.onChange(() => heard.push(renewed.current()));
  await source.time.advanceTo(59_999);
  expect(source.asked).toBe(1);
  await source.time.advanceTo(60_000);
  expect([source.asked, heard]).toEqual([2, []]);
  source.value = 'two';
  await source.time.advanceTo(120_000);
  expect(heard).toEqual(['two']);
  forget();
});

test('stays as it was while it cannot be had, and is asked for again soon', async () => {
  const source = new Source();
  const renewed = await source.open();
  const heard: string[] = [];
  const forget = renewed.onChange(() => heard.push(renewed.current()));
  source.away = true;
  source.value = 'two';
  await source.time.advanceTo(600_000);
  expect(renewed.current()).toBe('one');
  expect(source.asked).toBeGreaterThan(30);
  source.away = false;
  await source.time.advanceTo(615_000);
  expect(heard).toEqual(['two']);
  forget();
});

test('is asked for no more once nobody listens, and again when somebody does', async () => {
  const source = new Source();
  const renewed = await source.open();
  const forget = [renewed.onChange(() => undefined), renewed.onChange(() => undefined)];
  for (const one of forget) one();
  await source.time.advanceTo(600_000);
  expect([source.asked, source.time.nextAt()]).toEqual([1, undefined]);
  source.value = 'two';
  const again = renewed.onChange(() => undefined);
  await source.time.advanceTo(600_001);
  expect(renewed.current()).toBe('two');
  again();
});

test('a listener that throws keeps nobody from hearing', async () => {
  const source = new Source();
  const renewed = await source.open();
  const heard: string[] = [];
  const forget = [
    renewed.onChange(() => {
      throw new Error('listener');
    }),
    renewed.onChange(() => heard.push(renewed.current())),
  ];
  source.value = 'two';
  await source.time.advanceTo(60_000);
  expect(heard).toEqual(['two']);
  for (const one of forget) one();
});
