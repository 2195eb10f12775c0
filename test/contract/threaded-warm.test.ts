import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ThreadedWarm } from '../../src/adapters/warm/sqlite/threaded-warm.ts';
import { UnsuitableStoreError, WarmUnavailableError } from '../../src/model/errors.ts';

const clock = { now: () => 1_800_000_000_000, sleep: () => Promise.resolve() };
const ENTRY = {
  memoryId: 'm',
  agentId: 'ann',
  timestamp: 1,
  content: 'x',
  metadata: {
    compressionLevel: 1,
    importanceScore: 0,
    retrievalCount: 0,
    creationTime: 1,
    lastAccessTime: 1,
  },
  attributes: {},
  sources: [],
} as const;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rekindle-thread-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

test('a file that cannot be used is refused when it is opened, in the words of the adapter', async () => {
  const file = join(folder, 'warm.sqlite');
  writeFileSync(file, 'these are the words of somebody else, and no database at all. '.repeat(9));
  const opening = ThreadedWarm.open(file, clock);
  await expect(opening).rejects.toThrow(UnsuitableStoreError);
  await expect(opening).rejects.toThrow(/damaged, or no SQLite database/);
});

test('once closed it refuses every call, and closing it again is no trouble', async () => {
  const warm = await ThreadedWarm.open(join(folder, 'warm.sqlite'), clock);
  const counting = warm.count('ann');
  await warm.close();
  expect(await counting).toBe(0);
  await warm.close();
  await expect(warm.count('ann')).rejects.toThrow(WarmUnavailableError);
});

test('what is asked while it is being closed is refused, each alone', async () => {
  const warm = await ThreadedWarm.open(join(folder, 'warm.sqlite'), clock);
  const closing = warm.close();
  await new Promise((resolve) => process.nextTick(resolve));
  const asked = [warm.get('ann', ['m']), warm.count('ann')].map((one) =>
    expect(one).rejects.toThrow(/was closed/),
  );
  await Promise.all(asked);
  await closing;
});

test('reads of one turn see what was written before, and one that fails leaves the others', async () => {
  const warm = await ThreadedWarm.open(join(folder, 'warm.sqlite'), clock);
  await warm.put('ann', [{ entry: ENTRY }]);
  const [found, wrong, got, count] = await Promise.allSettled([
    warm.find('ann', {}, 'newest', { limit: 5 }),
    warm.find('ann', {}, 'newest', { limit: 5, cursor: 'none' }),
    warm.get('ann', ['m']),
    warm.count('ann'),
  ]);
  expect(found).toMatchObject({ value: { items: [{ entry: ENTRY }], cursor: undefined } });
  expect(wrong).toMatchObject({ status: 'rejected' });
  expect(got).toMatchObject({ value: [{ entry: ENTRY }] });
  expect(count).toMatchObject({ value: 1 });
  await warm.put('ann', [{ entry: { ...ENTRY, memoryId: 'n' } }]);
  expect(await warm.count('ann')).toBe(2);
  await warm.close();
});

test('what cannot be told to a thread fails alone, whatever is asked beside it', async () => {
  const warm = await ThreadedWarm.open(join(folder, 'warm.sqlite'), clock);
  const attributes = { callback: () => undefined } as never;
  const asked = [warm.count('ann'), warm.find('ann', {}, 'newest', { limit: 1 })] as const;
  const impossible = warm.put('ann', [{ entry: { ...ENTRY, attributes } }]);
  await expect(impossible).rejects.toThrow(/could not be cloned/);
  expect(await asked[0]).toBe(0);
  expect((await asked[1]).items).toEqual([]);
  expect(await warm.count('ann')).toBe(0);
  await warm.close();
});

test('the event loop goes on while the file is waited for', async () => {
  const file = join(folder, 'warm.sqlite');
  const warm = await ThreadedWarm.open(file, clock);
  const other = new DatabaseSync(file);
  other.exec('BEGIN IMMEDIATE');
  let turns = 0;
  const turning = setInterval(() => (turns += 1), 1);
  await expect(warm.put('ann', [{ entry: ENTRY }])).rejects.toThrow(WarmUnavailableError);
  clearInterval(turning);
  // On one thread it would have waited with the file, and made no turn.
  expect(turns).toBeGreaterThan(3);
  other.exec('ROLLBACK');
  other.close();
  await expect(warm.put('ann', [{ entry: ENTRY }])).resolves.toMatchObject([
    { outcome: 'written' },
  ]);
  await warm.close();
});

test('what is read back is what the file has, not what it was given', async () => {
  const file = join(folder, 'warm.sqlite');
  const warm = await ThreadedWarm.open(file, clock);
  const other = new DatabaseSync(file);
  other.exec(`CREATE TRIGGER spoils AFTER INSERT ON entry WHEN NEW.id = 'spoilt'
    BEGIN UPDATE entry SET content = 'y' WHERE version = NEW.version; END`);
  other.close();
  const spoilt = { ...ENTRY, memoryId: 'spoilt' };
  const near = { ...ENTRY, memoryId: 'near', embedding: [0.1] };
  const writes = [ENTRY, spoilt, near].map((entry) => ({ entry }));
  expect(await warm.put('ann', writes, { readBack: true })).toMatchObject([
    { outcome: 'written', stands: ENTRY },
    { outcome: 'written', stands: { ...spoilt, content: 'y' } },
    { outcome: 'written', stands: { ...near, embedding: [Math.fround(0.1)] } },
  ]);
  await warm.close();
});

test('the log of many writes is brought into the file meanwhile, and closing leaves none', async () => {
  const file = join(folder, 'warm.sqlite');
  const warm = await ThreadedWarm.open(file, clock);
  const { size } = statSync(file);
  await Promise.all(
    Array.from({ length: 600 }, (_none, n) =>
      warm.put('ann', [{ entry: { ...ENTRY, memoryId: `m${n}` } }]),
    ),
  );
  await vi.waitFor(() => {
    expect(statSync(file).size).toBeGreaterThan(size);
  }, 5_000);
  await warm.close();
  expect(readdirSync(folder)).toEqual(['warm.sqlite']);
});
