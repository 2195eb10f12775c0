import { afterAll, describe, expect, test } from 'vitest';
import type { ColdStore } from '../../src/ports/cold.ts';
import { ColdPlaces } from '../support/cold-places.ts';
import { inColdProcess } from '../support/cold-process.ts';
import { T, anObject, replaceCurrent } from './cold.ts';

const places = new ColdPlaces();

afterAll(() => {
  places.remove();
});

/** More calls to the file system than one call of the store makes. */
const MANY = 200;
/** Processes are started for each. */
const LONG_MS = 240_000;

/** Has a process die in front of its first call to the file system, its second, and so on, until it lives. @returns how many died */
async function atEveryCall(
  script: string,
  after: (cold: ColdStore, deaths: number) => Promise<void>,
): Promise<number> {
  for (let dieAt = 0; dieAt < MANY; dieAt += 1) {
    const cold = await places.harness.open();
    await cold.put('ann', 'transcripts', anObject('c'));
    await replaceCurrent(cold, 'ann', 'old');
    const end = await inColdProcess(`const cold = await open(); armed(); ${script}`, {
      folder: places.folder,
      dieAt,
    });
    if (end.signal === null) expect(end.stderr).toBe('');
    await after(cold, dieAt);
    if (end.signal === null) return dieAt;
  }
  throw new Error(`dies with ${MANY} calls`);
}

describe('a process that is killed', () => {
  test(
    'in front of any call of a put leaves the object whole or not at all, and no lock',
    async () => {
      const object = anObject('new');
      const deaths = await atEveryCall(
        `await cold.put('ann', 'insights', ${JSON.stringify(object)});`,
        async (cold) => {
          expect([undefined, object.text]).toContain(await cold.get('ann', 'insights', 'new'));
          expect(await cold.put('ann', 'insights', object)).toMatch(/written|stands/);
          expect(await cold.get('ann', 'insights', 'new')).toBe(object.text);
          expect(await cold.count('ann')).toBe(3);
        },
      );
      expect(deaths).toBeGreaterThan(10);
    },
    LONG_MS,
  );

  test(
    'in front of any call of a new `current` leaves the old one or the new one',
    async () => {
      const deaths = await atEveryCall(
        `await cold.putCurrent('ann', 'new', { expected: (await cold.current('ann')).version, at: T });`,
        async (cold) => {
          expect((await cold.current('ann'))?.text).toMatch(/^(old|new)$/);
          await replaceCurrent(cold, 'ann', 'newer');
          expect((await cold.current('ann'))?.text).toBe('newer');
          expect(places.files().filter((file) => file.includes('current'))).toHaveLength(1);
        },
      );
      expect(deaths).toBeGreaterThan(10);
    },
    LONG_MS,
  );

  test(
    'in front of any call of an erasure keeps it in force once something went, and a sweep ends it',
    async () => {
      const deaths = await atEveryCall(`await cold.erase('ann', T, T * 2);`, async (cold) => {
        const left = await cold.count('ann');
        const begun = (await cold.put('ann', 'insights', anObject('late'))) === 'erased';
        if (left < 2) expect(begun).toBe(true);
        if (begun) await cold.sweep();
        else await cold.erase('ann', T, T * 2);
        expect(await cold.count('ann')).toBe(0);
        expect(places.files().filter((file) => file.includes('ann'))).toEqual([]);
      });
      expect(deaths).toBeGreaterThan(10);
    },
    LONG_MS,
  );

  test(
    'at any moment among others keeps what it was told is written, and loses no count',
    async () => {
      const cold = await places.harness.open();
      const script = `
        const cold = await open();
        console.log('begun');
        for (let n = 0; ; n += 1) {
          const name = process.pid + '-' + n;
          const outcome = await cold.put('ann', 'insights', { name, text: name, at: T });
          const found = await cold.current('ann');
          const text = String(Number(found?.text ?? 0) + 1);
          const second = await cold.putCurrent('ann', text, { expected: found?.version, at: T });
          process.stdout.write(name + ' ' + outcome + ' ' + second + '\\n');
        }`;
      const { folder } = places;
      let counted = 0;
      const deaths = 12;
      for (let round = 0; round < deaths; round += 2) {
        const ends = await Promise.all(
          [0, 1].map((n) =>
            inColdProcess(script, { folder, killAfterMs: 40 + 37 * round + 90 * n }),
          ),
        );
        for (const { stdout, stderr } of ends) {
          expect(stderr).toBe('');
          const whole = stdout.slice(0, stdout.lastIndexOf('\n') + 1);
          for (const [, name, outcome, second] of whole.matchAll(/^(\S+) (\S+) (\S+)$/gm)) {
            expect(outcome).toBe('written');
            expect(await cold.get('ann', 'insights', name!)).toBe(name);
            if (second === 'written') counted += 1;
          }
        }
      }
      expect(counted).toBeGreaterThan(20);
      // Who was killed may have written and not said so: once each.
      const text = Number((await cold.current('ann'))?.text);
      expect(text).toBeGreaterThanOrEqual(counted);
      expect(text).toBeLessThanOrEqual(counted + deaths);
      for (const name of await cold.names('ann', 'insights', { limit: 1_000 }))
        expect(await cold.get('ann', 'insights', name)).toBe(name);
    },
    LONG_MS,
  );
});
