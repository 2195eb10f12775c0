import { gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import { COLD_TEXT_MAX_BYTES } from '../../src/model/cold-object.ts';
import { ColdUnavailableError, DamagedObjectError } from '../../src/model/errors.ts';
import type { ColdKind, ColdStore } from '../../src/ports/cold.ts';
import { type ColdHarness, T, anObject, replaceCurrent } from './cold.ts';

/** Ways to do harm to the store that was opened last. */
export interface ColdFaults {
  /** Changes the bytes in which an object (or `current`, of the insights) stands. */
  readonly change: (
    owner: string,
    kind: ColdKind,
    name: string,
    to: (bytes: Buffer) => Buffer,
  ) => Promise<void>;
  /** Lets so many requests of stores reach the place; from then on nobody answers, until what it gives is called. */
  readonly failAfter: (requests: number) => () => void;
}

const ENCODINGS: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  zstd: (bytes) => bytes,
  gzip: (bytes) => gzipSync(zstdDecompressSync(bytes)),
  plain: (bytes) => zstdDecompressSync(bytes),
};

/** More requests than any call needs. */
const MANY = 200;
const LATER = T * 2;

/** What every adapter of the cold port promises of damage, and of a store that fails. */
export function coldFaultsContract(
  name: string,
  harness: () => ColdHarness,
  faults: () => ColdFaults,
): void {
  // Every byte, every bit and every request has a try of its own.
  vi.setConfig({ testTimeout: 120_000 });

  async function opened(): Promise<ColdStore> {
    const cold = await harness().open();
    await cold.put('ann', 'transcripts', anObject('c'));
    return cold;
  }

  /** @returns the text, or that it is damaged */
  async function read(cold: ColdStore): Promise<string | undefined> {
    return cold.get('ann', 'transcripts', 'c').catch((error: unknown) => {
      expect(error).toBeInstanceOf(DamagedObjectError);
      expect(String(error)).toMatch(/transcripts.ann.c.* is damaged: /);
      return 'damaged';
    });
  }

  async function change(to: (bytes: Buffer) => Buffer): Promise<void> {
    await faults().change('ann', 'transcripts', 'c', to);
  }

  describe.each(Object.entries(ENCODINGS))(`${name}: an object in %s`, (_encoding, encode) => {
    test('comes back, and stands', async () => {
      const cold = await opened();
      await change(encode);
      expect(await read(cold)).toBe(anObject('c').text);
      expect(await cold.put('ann', 'transcripts', anObject('c'))).toBe('stands');
    });

    test('that was cut off anywhere is found damaged', async () => {
      const cold = await opened();
      await change(encode);
      let whole: Buffer = Buffer.alloc(0);
      await change((bytes) => (whole = bytes));
      expect(whole.length).toBeGreaterThan(50);
      for (let length = 0; length < whole.length; length += 1) {
        await change(() => whole.subarray(0, length));
        expect(await read(cold), `${length} bytes`).toBe('damaged');
      }
    });

    test('with any bit turned over is found damaged, or comes back as it was written', async () => {
      const cold = await opened();
      await change(encode);
      let whole: Buffer = Buffer.alloc(0);
      await change((bytes) => (whole = bytes));
      let found = 0;
      for (let bit = 0; bit < whole.length * 8; bit += 1) {
        const bad = Buffer.from(whole);
        bad[bit >> 3]! ^= 1 << (bit & 7);
        await change(() => bad);
        const text = await read(cold);
        if (text === 'damaged') found += 1;
        else expect(text, `bit ${bit}`).toBe(anObject('c').text);
      }
      // Headers of encodings hold bits that mean nothing to the content.
      expect(found).toBeGreaterThan(whole.length * 8 * 0.8);
    });
  });

  describe(`${name}: damage`, () => {
    test.each<[string, (bytes: Buffer) => Buffer]>([
      ['nothing', () => Buffer.alloc(0)],
      ['something else', () => Buffer.from('{"about":"c"}')],
      ['noise', () => Buffer.from(Array.from({ length: 999 }, (_none, n) => (n * 167) % 256))],
      ['more than any object', () => zstdCompressSync(Buffer.alloc(COLD_TEXT_MAX_BYTES + 9_999))],
      ['more than any object, in gzip', () => gzipSync(Buffer.alloc(COLD_TEXT_MAX_BYTES + 9_999))],
      ['more, uncompressed', () => Buffer.alloc(COLD_TEXT_MAX_BYTES + 4_000_000, '{"rekindle":1 ')],
      ['a text that was changed', (bytes) => replaced(bytes, '"about"', '"About"')],
      ['another length', (bytes) => replaced(bytes, '"bytes":1', '"bytes":2')],
      ['a newer version', (bytes) => replaced(bytes, '"rekindle":1', '"rekindle":2')],
      [
        'more behind it',
        (bytes) => zstdCompressSync(Buffer.concat([zstdDecompressSync(bytes), Buffer.from(' ')])),
      ],
    ])('by %s is never returned, is counted, and mended by the same put', async (_what, to) => {
      const cold = await opened();
      await change(to);
      expect(await read(cold)).toBe('damaged');
      expect(await cold.count('ann')).toBe(1);
      expect(await cold.names('ann', 'transcripts', { limit: 9 })).toEqual(['c']);
      expect(await cold.put('ann', 'transcripts', anObject('c'))).toBe('written');
      expect(await read(cold)).toBe(anObject('c').text);
      expect(await cold.put('ann', 'transcripts', anObject('c'))).toBe('stands');
    });

    test('by another object, or another owner’s, is seen', async () => {
      const cold = await opened();
      await cold.put('ann', 'transcripts', anObject('c2'));
      await cold.put('bob', 'transcripts', anObject('c'));
      for (const [owner, other] of [
        ['ann', 'c2'],
        ['bob', 'c'],
      ] as const) {
        let theirs: Buffer = Buffer.alloc(0);
        await faults().change(owner, 'transcripts', other, (bytes) => (theirs = bytes));
        await change(() => theirs);
        expect(await read(cold)).toBe('damaged');
      }
    });

    test('of `current` is said with the version under which it can be replaced', async () => {
      const cold = await opened();
      const version = await replaceCurrent(cold, 'ann', 'now');
      await faults().change('ann', 'insights', 'current', (bytes) => bytes.subarray(1));
      const error: unknown = await cold.current('ann').catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(DamagedObjectError);
      expect(error).toMatchObject({ version });
      const how = { expected: version, at: T };
      expect(await cold.putCurrent('ann', 'made anew', how)).toBe('written');
      expect((await cold.current('ann'))?.text).toBe('made anew');
    });

    test('keeps nothing from being erased, nor what is later from staying', async () => {
      const cold = await opened();
      await cold.put('ann', 'transcripts', anObject('later', { at: T + 1 }));
      await replaceCurrent(cold, 'ann', 'now');
      for (const [kind, one] of [
        ['transcripts', 'c'],
        ['transcripts', 'later'],
        ['insights', 'current'],
      ] as const)
        await faults().change('ann', kind, one, () => Buffer.from('spoilt'));
      expect(await cold.erase('ann', T, LATER)).toBe(2);
      expect(await cold.names('ann', 'transcripts', { limit: 9 })).toEqual(['later']);
      expect(await cold.current('ann')).toBeUndefined();
    });
  });

  describe(`${name}: a store that goes away`, () => {
    /** Has a call fail at its first request, its second, and so on, until one succeeds. @returns how often it failed */
    async function atEveryRequest(
      call: (cold: ColdStore) => Promise<unknown>,
      after: (cold: ColdStore, failures: number) => Promise<void>,
    ): Promise<number> {
      for (let requests = 0; requests < MANY; requests += 1) {
        const cold = await opened();
        await replaceCurrent(cold, 'ann', 'old');
        const end = faults().failAfter(requests);
        const error: unknown = await call(cold).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        end();
        if (error !== undefined) expect(error).toBeInstanceOf(ColdUnavailableError);
        await after(cold, requests);
        if (error === undefined) return requests;
      }
      throw new Error(`fails with ${MANY} requests`);
    }

    test('in any step of a put leaves the object whole or not at all, and it can be put again', async () => {
      const object = anObject('new');
      const failures = await atEveryRequest(
        (cold) => cold.put('ann', 'insights', object),
        async (cold) => {
          expect([undefined, object.text]).toContain(await cold.get('ann', 'insights', 'new'));
          expect(await cold.put('ann', 'insights', object)).toMatch(/written|stands/);
          expect(await cold.get('ann', 'insights', 'new')).toBe(object.text);
          expect(await cold.count('ann')).toBe(3);
        },
      );
      expect(failures).toBeGreaterThan(0);
    });

    test('in any step of a new `current` leaves the old one or the new one, under a version that can be replaced', async () => {
      const failures = await atEveryRequest(
        async (cold) => {
          const expected = (await cold.current('ann'))?.version;
          expect(await cold.putCurrent('ann', 'new', { expected, at: T })).toBe('written');
        },
        async (cold) => {
          expect((await cold.current('ann'))?.text).toMatch(/^(old|new)$/);
          await replaceCurrent(cold, 'ann', 'newer');
          expect(await cold.count('ann')).toBe(2);
        },
      );
      expect(failures).toBeGreaterThan(0);
    });

    test('in any step of an erasure keeps what is refused refused, and a repeat or a sweep ends it', async () => {
      const failures = await atEveryRequest(
        (cold) => cold.erase('ann', T, harness().now() + 1_000),
        async (cold, requests) => {
          const left = await cold.count('ann');
          const begun = (await cold.put('ann', 'insights', anObject('late'))) === 'erased';
          if (left < 2) expect(begun).toBe(true);
          if (begun) {
            // However long: what is not ended is not forgotten.
            if (left > 0) harness().pass(2_000);
            if (requests % 2 === 0) await cold.sweep();
            else await cold.erase('ann', T, harness().now() + 1_000);
            expect(await cold.count('ann')).toBe(0);
          } else expect(await cold.erase('ann', T, LATER)).toBe(3);
        },
      );
      expect(failures).toBeGreaterThan(0);
    });

    test('refuses to read, and reads when it is back', async () => {
      const readings: ((cold: ColdStore) => Promise<unknown>)[] = [
        (cold) => cold.get('ann', 'transcripts', 'c'),
        (cold) => cold.get('ann', 'transcripts', 'none'),
        (cold) => cold.current('ann'),
        (cold) => cold.current('nobody'),
        (cold) => cold.names('ann', 'transcripts', { limit: 9 }),
        (cold) => cold.count('nobody'),
        (cold) => cold.sweep(),
      ];
      for (const reading of readings)
        expect(
          await atEveryRequest(reading, async (cold) =>
            expect(await read(cold)).toBe(anObject('c').text),
          ),
        ).toBeGreaterThan(0);
    });
  });
}

function replaced(bytes: Buffer, what: string, by: string): Buffer {
  const plain = zstdDecompressSync(bytes).toString();
  expect(plain).toContain(what);
  return gzipSync(plain.replace(what, by));
}
