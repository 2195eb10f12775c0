import { zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { ROUNDS_MAX } from '../../src/adapters/cold/blob/erasure.ts';
import { HOUR_MS } from '../../src/model/duration.ts';
import { ColdUnavailableError } from '../../src/model/errors.ts';
import type { ColdStore } from '../../src/ports/cold.ts';
import { HttpProxy, type Verdict } from '../servers/http-proxy.ts';
import { BlobPlaces } from '../support/blob-places.ts';
import { T, anObject, replaceCurrent } from './cold.ts';

// Each gap is some twenty requests to a server of one thread.
vi.setConfig({ testTimeout: 120_000 });

let places: BlobPlaces;
let proxy: HttpProxy;

beforeAll(async () => {
  places = await BlobPlaces.start();
  proxy = await HttpProxy.to(places.azurite.port);
}, 60_000);
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await places[Symbol.asyncDispose]();
});

type Deed = (cold: ColdStore) => Promise<unknown>;
type Check = (said: readonly [one: unknown, other: unknown], cold: ColdStore) => Promise<void>;

const MANY = 60;

/** @returns a store whose requests go through the proxy, once each, and one whose do not; both with something in them */
async function twoStores(): Promise<readonly [held: ColdStore, free: ColdStore]> {
  const cold = await places.harness.open();
  await cold.put('ann', 'transcripts', anObject('c'));
  await replaceCurrent(cold, 'ann', 'old');
  const client = places.client(proxy, { maxTries: 1 });
  return [places.storeOn(() => client), await places.harness.another()];
}

/**
 * Holds one store's first request, its second, and so on, until another store's whole deed is done.
 * @returns before how many requests it was held
 */
async function inEveryGap(one: Deed, other: Deed, check: Check): Promise<number> {
  for (let gap = 0; gap < MANY; gap += 1) {
    const [held, free] = await twoStores();
    let requests = 0;
    let meanwhile: Promise<unknown> | undefined;
    proxy.judge = async (): Promise<Verdict> => {
      if (requests++ === gap) await (meanwhile = other(free));
      return 'pass';
    };
    const said = await one(held);
    if (meanwhile === undefined) return gap;
    await check([said, await meanwhile], free);
  }
  throw new Error(`${MANY} requests`);
}

const late: Deed = (cold) => cold.put('ann', 'insights', anObject('i'));
const later: Deed = (cold) => cold.put('ann', 'insights', anObject('i', { at: T + 1 }));
const erase: Deed = (cold) => cold.erase('ann', T, T * 2);
const replace =
  (text: string, at = T): Deed =>
  async (cold) => {
    const expected = (await cold.current('ann'))?.version;
    return cold.putCurrent('ann', text, { expected, at });
  };

/** What lies in the container, tombstones apart: whatever the store would show. */
async function left(): Promise<string[]> {
  return (await places.blobs()).filter((name) => !name.startsWith('erasures/'));
}

describe('in every gap between the requests of the other', () => {
  test('a late writer and an eraser leave nothing, and the writer is never told that it stays', async () => {
    let refused = 0;
    const check: Check = async ([writer, eraser]) => {
      if (writer === 'erased') refused += 1;
      // Written first, and erased with the other two; or written, and taken by either of them.
      expect([2, 3]).toContain(eraser);
      if (writer === 'written') expect(eraser).toBe(3);
      expect(await left()).toEqual([]);
    };
    const gaps = [
      await inEveryGap(late, erase, check),
      await inEveryGap(erase, late, ([eraser, writer], cold) => check([writer, eraser], cold)),
    ];
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(3);
    expect(refused).toBeGreaterThan(3);
  });

  test('one who writes what is later loses nothing to an eraser', async () => {
    const check: Check = async ([writer], cold) => {
      expect(writer).toBe('written');
      expect(await left()).toEqual(['insights/ann/i']);
      expect(await cold.get('ann', 'insights', 'i')).toBe(anObject('i').text);
    };
    await inEveryGap(later, erase, check);
    await inEveryGap(erase, later, ([eraser, writer], cold) => check([writer, eraser], cold));
  });

  test('two erasers remove everything once', async () => {
    await inEveryGap(erase, erase, async ([one, other]) => {
      expect(Number(one) + Number(other)).toBe(2);
      expect(await left()).toEqual([]);
    });
  });

  test('of two who replace `current` one does, or one after the other', async () => {
    const seen = new Set<string>();
    await inEveryGap(replace('one'), replace('other'), async ([one, other], cold) => {
      expect(other).toBe('written');
      const text = (await cold.current('ann'))?.text ?? '';
      seen.add(`${String(one)}, then ${text}`);
    });
    // The one was before the other, was refused for it, or came after it; never was it told that it is written over.
    expect([...seen].toSorted()).toEqual([
      'conflict, then other',
      'written, then one',
      'written, then other',
    ]);
  });

  test('one who replaces `current` and an eraser leave none', async () => {
    const check: Check = async ([writer]) => {
      expect(writer).toMatch(/written|erased/);
      expect(await left()).toEqual([]);
    };
    await inEveryGap(replace('new'), erase, check);
    await inEveryGap(erase, replace('new'), ([eraser, writer], cold) =>
      check([writer, eraser], cold),
    );
  });

  test('a `current` that is later than an erasure is kept, or was refused for what stood before', async () => {
    const check: Check = async ([writer], cold) => {
      expect(writer).toMatch(/written|conflict/);
      expect((await cold.current('ann'))?.text).toBe(writer === 'written' ? 'new' : undefined);
    };
    await inEveryGap(replace('new', T + 1), erase, check);
    await inEveryGap(erase, replace('new', T + 1), async ([eraser, writer], cold) => {
      expect(writer).toBe('written');
      await check([writer, eraser], cold);
    });
  });

  test('a reader sees what stood before, or that it is gone, and never what came late', async () => {
    const current: Deed = async (cold) => (await cold.current('ann'))?.text;
    await inEveryGap(current, replace('new'), async ([seen]) => {
      expect(['old', 'new']).toContain(seen);
    });
    await inEveryGap(current, erase, async ([seen]) => {
      expect(['old', undefined]).toContain(seen);
    });
    await inEveryGap(erase, current, async ([, seen]) => {
      expect(['old', undefined]).toContain(seen);
    });
    const read: Deed = (cold) => cold.get('ann', 'insights', 'i');
    const names: Deed = (cold) => cold.names('ann', 'insights', { limit: 9 });
    let looks = 0;
    await inEveryGap(
      late,
      async (cold) => {
        await erase(cold);
        looks += 1;
        return [await read(cold), await names(cold), await cold.count('ann')];
      },
      async ([, seen]) => expect(seen).toEqual([undefined, [], 0]),
    );
    expect(looks).toBeGreaterThanOrEqual(3);
  });

  test('a sweep takes nothing from a writer, and ends what an eraser began', async () => {
    const sweep: Deed = (cold) => cold.sweep();
    await inEveryGap(later, sweep, async ([writer, swept], cold) => {
      expect([writer, swept]).toEqual(['written', 0]);
      expect(await cold.count('ann')).toBe(3);
    });
    const check: Check = async ([eraser, swept], cold) => {
      expect(Number(eraser) + Number(swept)).toBe(2);
      expect(await left()).toEqual([]);
      expect(await late(cold)).toBe('erased');
    };
    await inEveryGap(erase, sweep, check);
    await inEveryGap(sweep, erase, ([swept, eraser], cold) => check([eraser, swept], cold));
  });
});

describe('a writer that dies before its second look', () => {
  /** Lets a late writer's object stand although the erasure has ended. */
  async function dies(object = anObject('i')): Promise<ColdStore> {
    const [held, free] = await twoStores();
    proxy.judge = async ({ method }): Promise<Verdict> => {
      if (method !== 'PUT') return 'pass';
      await erase(free);
      proxy.judge = ({ method: next }) => (next === 'PUT' ? 'pass' : 'cut');
      return 'pass';
    };
    await expect(held.put('ann', 'insights', object)).rejects.toThrow(ColdUnavailableError);
    expect(await left()).toEqual(['insights/ann/i']);
    return free;
  }

  test('leaves what nobody sees', async () => {
    const cold = await dies();
    expect(await cold.get('ann', 'insights', 'i')).toBeUndefined();
    expect(await cold.names('ann', 'insights', { limit: 9 })).toEqual([]);
    expect(await cold.count('ann')).toBe(0);
  });

  test('leaves what makes way for a later object of its name', async () => {
    const cold = await dies();
    const object = anObject('i', { at: T + 1, text: 'anew' });
    expect(await cold.put('ann', 'insights', object)).toBe('written');
    expect(await cold.get('ann', 'insights', 'i')).toBe('anew');
    expect(await cold.erase('ann', T, T * 2)).toBe(0);
  });

  test('leaves what a sweep removes an hour later, and then the owner’s name is forgotten', async () => {
    const cold = await dies();
    const [tombstone = ''] = (await places.blobs()).filter((name) => name.startsWith('erasures/'));
    const told = async (): Promise<string> => {
      const bytes = await places.raw.getBlobClient(tombstone).downloadToBuffer();
      return zstdDecompressSync(bytes).toString();
    };
    expect(await cold.sweep()).toBe(0);
    expect(await told()).toContain('"ann"');
    places.harness.pass(HOUR_MS);
    expect(await cold.sweep()).toBe(1);
    expect(await left()).toEqual([]);
    expect(await told()).not.toContain('ann');
    expect(await cold.sweep()).toBe(0);
    expect(await late(cold)).toBe('erased');
  });

  test('leaves what a repeated erasure removes', async () => {
    const cold = await dies();
    expect(await cold.erase('ann', T, T * 2)).toBe(1);
    expect(await left()).toEqual([]);
  });
});

test('one whose place others write to all the time is told so', async () => {
  const [held, free] = await twoStores();
  let rounds = 0;
  proxy.judge = async ({ method }): Promise<Verdict> => {
    if (method !== 'PUT') return 'pass';
    rounds += 1;
    // The same version under another ETag each time.
    await places.faults.change('ann', 'insights', 'current', (bytes) => bytes);
    return 'pass';
  };
  await expect(replace('new')(held)).rejects.toThrow(/all the time/);
  expect(rounds).toBe(ROUNDS_MAX);
  expect((await free.current('ann'))?.text).toBe('old');
});
