import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { ColdUnavailableError } from '../../src/model/errors.ts';
import { COLD_TEXT_MAX_BYTES } from '../../src/model/cold-object.ts';
import type { ColdStore } from '../../src/ports/cold.ts';
import { ColdPlaces } from '../support/cold-places.ts';
import { T, anObject, replaceCurrent } from './cold.ts';

const places = new ColdPlaces();

afterAll(() => {
  places.remove();
});

function currents(): string[] {
  const folder = join(places.folder, 'insights', 'ann');
  return readdirSync(folder).filter((file) => file.startsWith('current@'));
}

/** A store in which the `current` before the one that holds was left behind, as by a writer that died. */
async function withLeftover(): Promise<ColdStore> {
  const cold = await places.harness.open();
  await replaceCurrent(cold, 'ann', 'old', T + 5);
  const [file] = currents();
  const path = join(places.folder, 'insights', 'ann', file!);
  const old = readFileSync(path);
  await replaceCurrent(cold, 'ann', 'new', T);
  writeFileSync(path, old);
  expect(currents()).toHaveLength(2);
  return cold;
}

describe('a `current` that was left behind', () => {
  test('does not hold, is not counted, and goes with the next write', async () => {
    const cold = await withLeftover();
    expect((await cold.current('ann'))?.text).toBe('new');
    expect(await cold.count('ann')).toBe(1);
    await replaceCurrent(cold, 'ann', 'newer');
    expect(currents()).toHaveLength(1);
  });

  test('goes with an erasure, and never holds again, wherever that is cut short', async () => {
    let error: unknown = 'not tried';
    for (let requests = 0; error !== undefined; requests += 1) {
      const cold = await withLeftover();
      const end = places.faults.failAfter(requests);
      error = await cold.erase('ann', T, T * 2).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      end();
      if (error !== undefined) expect(error).toBeInstanceOf(ColdUnavailableError);
      expect(['new', undefined]).toContain((await cold.current('ann'))?.text);
      await cold.erase('ann', T, T * 2);
      expect(await cold.count('ann')).toBe(0);
    }
  });
});

test('an object that would be larger than any is given up before it is decompressed whole', async () => {
  const cold = await places.harness.open();
  await cold.put('ann', 'transcripts', anObject('c'));
  const bomb = zstdCompressSync(Buffer.alloc(4 * COLD_TEXT_MAX_BYTES));
  await places.faults.change('ann', 'transcripts', 'c', () => bomb);
  await expect(cold.get('ann', 'transcripts', 'c')).rejects.toThrow(
    /c@1800000000000\.json\.zst is damaged: it cannot be decompressed .*larger than/,
  );
});
