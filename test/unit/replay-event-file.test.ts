import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UsageError } from '../../src/model/errors.ts';
import {
  type EventFileReport,
  describeBadRows,
  openEventFile,
} from '../../src/replay/event-file.ts';
import type { ShopEvent } from '../../src/replay/shop-event.ts';

const HEADER = 'ts_ms,visitor_id,event,item_id,category_id,session_id,price';
const REES46 =
  'event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session';

let folder = '';
let files = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rekindle-test-'));
});

afterAll(() => rm(folder, { recursive: true }));

describe('what is read', () => {
  test('the fields of each row, under either header', async () => {
    const own = await readText(`${HEADER}\n1659304800025,ann,addtocart,shoe,7,s1,19.90\n`);
    expect(own.events).toEqual([
      { at: 1_659_304_800_025, user: 'ann', kind: 'addtocart', item: 'shoe', price: 19.9 },
    ]);
    const rees46 = await readText(
      `${REES46}\n2019-10-01 00:00:00 UTC,cart,44600062,2103807459595387724,,shiseido,35.79,541312140,72d76fde\n`,
    );
    expect(rees46.events).toEqual([
      {
        at: Date.UTC(2019, 9, 1),
        user: '541312140',
        kind: 'addtocart',
        item: '44600062',
        price: 35.79,
      },
    ]);
  });

  test('every kind of event, each dialect in its own words', async () => {
    const own = ['view', 'fav', 'addtocart', 'removefromcart', 'purchase', 'message'];
    const ours = await readText([HEADER, ...own.map((kind) => `1,ann,${kind},i,,,`)].join('\n'));
    expect(ours.events.map(({ kind }) => kind)).toEqual(own);
    const words = ['view', 'cart', 'remove_from_cart', 'purchase', 'addtocart'];
    const theirs = await readText(
      [REES46, ...words.map((kind) => `2019-10-01 00:00:00 UTC,${kind},i,,,,,ann,`)].join('\n'),
    );
    expect(theirs.events.map(({ kind }) => kind)).toEqual([
      'view',
      'addtocart',
      'removefromcart',
      'purchase',
    ]);
    expect(theirs.report.firstBadRows).toEqual([
      { line: 6, reason: 'unknown event_type "addtocart"' },
    ]);
  });

  test('columns in any order, with others between them', async () => {
    const { events } = await readText('item_id,colour,event,ts_ms,visitor_id\nshoe,red,view,5,ann');
    expect(events).toEqual([{ at: 5, user: 'ann', kind: 'view', item: 'shoe', price: undefined }]);
  });

  test('a byte order mark, CRLF, blank lines, and a last line without an end', async () => {
    const { events, report } = await readText(
      `\u{FEFF}${HEADER}\r\n1,ann,view,i,,,\r\n\r\n2,ann,view,i,,,`,
    );
    expect(events.map(({ at }) => at)).toEqual([1, 2]);
    expect(report.badRows).toBe(0);
  });

  test('quoted fields, over several lines too, with lines counted as the file has them', async () => {
    const { events, report } = await readText(
      `${HEADER}\n1,"ann, ""the one""",view,i,,,\n2,"two\nlines",view,i,,,\nx,ann,view,i,,,\n`,
    );
    expect(events.map(({ user }) => user)).toEqual(['ann, "the one"', 'two\nlines']);
    expect(report.firstBadRows).toEqual([{ line: 5, reason: 'unreadable ts_ms "x"' }]);
  });

  test('ids as they are: no trimming, no numbers', async () => {
    const { events } = await readText(`${HEADER}\n1, 007 ,view,0099999999999999999999,,,`);
    expect(events).toMatchObject([{ user: ' 007 ', item: '0099999999999999999999' }]);
  });

  test('a price that cannot be read is none', async () => {
    const { events, report } = await readText(`${HEADER}\n1,ann,view,i,,,cheap\n2,ann,view,i,,,-1`);
    expect(events.map(({ price }) => price)).toEqual([undefined, undefined]);
    expect(report.badRows).toBe(0);
  });

  test('a gzipped file, whatever its name, in several members too', async () => {
    const rows = gzipSync(`${HEADER}\n1,ann,view,i,,,\n`);
    const more = gzipSync('2,ann,view,i,,,\n');
    for (const name of ['events.csv.gz', 'events.csv']) {
      const { events } = await read(await put(Buffer.concat([rows, more]), name));
      expect(events.map(({ at }) => at)).toEqual([1, 2]);
    }
    const misnamed = await read(await put(`${HEADER}\n1,ann,view,i,,,\n`, 'plain.gz'));
    expect(misnamed.events).toHaveLength(1);
  });

  test('a header alone is no events', async () => {
    const { events, report } = await readText(HEADER);
    expect(events).toEqual([]);
    expect(report).toEqual({ events: 0, badRows: 0, firstBadRows: [], late: 0 });
  });

  test('how far it is, in bytes of the file as it lies on the disk', async () => {
    const text = gzipSync(`${HEADER}\n${'1,ann,view,i,,,\n'.repeat(50_000)}`);
    const path = await put(text);
    const seen: number[] = [];
    const file = await openEventFile(path, {
      onProgress: (readBytes, totalBytes) => {
        expect(totalBytes).toBe(text.length);
        seen.push(readBytes);
      },
    });
    await collect(file.inFileOrder());
    expect(seen).toEqual(seen.toSorted((one, other) => one - other));
    expect(seen.at(-1)).toBe(text.length);
  });
});

describe('bad rows are skipped, counted, and named by their line', () => {
  const good = '1,ann,view,i,,,';
  const bad: readonly (readonly [string, string, string])[] = [
    ['too few columns', '1,ann,view', 'expected 7 columns, found 3'],
    ['too many columns', '1,ann,view,i,,,,', 'expected 7 columns, found 8'],
    ['a time that is none', 'soon,ann,view,i,,,', 'unreadable ts_ms "soon"'],
    ['a time of zero', '0,ann,view,i,,,', 'unreadable ts_ms "0"'],
    ['a time far ahead', '999999999999999,ann,view,i,,,', 'unreadable ts_ms "999999999999999"'],
    ['an unknown event', '1,ann,click,i,,,', 'unknown event "click"'],
    ['no visitor', '1,,view,i,,,', 'visitor_id is missing'],
    [
      'a visitor that is too long',
      `1,${'x'.repeat(513)},view,i,,,`,
      'visitor_id: a user id has 1 to 512 bytes; this one has 513',
    ],
    ['no item where one is needed', '1,ann,addtocart,,,,', 'item_id is missing'],
    ['a quote within a field', '1,an"n",view,i,,,', 'broken quotes, or a row that is too long'],
    ['a quote never closed', '1,"ann,view,i,,,', 'broken quotes, or a row that is too long'],
    [
      'an absurd length',
      `1,ann,view,${'i'.repeat(200_000)},,,`,
      'broken quotes, or a row that is too long',
    ],
    ['control characters', '\u001B[31m,ann,view,i,,,', String.raw`unreadable ts_ms "\u001b[31m"`],
  ];

  test.each(bad)('%s', async (_name, row, reason) => {
    const { events, report } = await readText([HEADER, good, row, good, good].join('\n'));
    expect(report.firstBadRows).toEqual([{ line: 3, reason }]);
    expect(report.badRows).toBe(1);
    expect(events).toHaveLength(3);
    expect(report.events).toBe(3);
  });

  test('a view needs no item', async () => {
    const { report } = await readText(`${HEADER}\n1,ann,view,,,,\n1,ann,message,,,,`);
    expect(report).toMatchObject({ events: 2, badRows: 0 });
  });

  test.each([
    '2019-13-01 00:00:00 UTC',
    '2019-02-30 00:00:00 UTC',
    '2019-10-01 24:00:01 UTC',
    '2019-10-01 00:00:00 CET',
    '2019-10-01',
    '1569888000',
  ])('a date that does not exist or may mean anything: %s', async (time) => {
    const { report } = await readText(`${REES46}\n${time},view,i,,,,,ann,`);
    expect(report.firstBadRows).toEqual([{ line: 2, reason: `unreadable event_time "${time}"` }]);
  });

  test('stray quotes that meet each other cost their own lines only', async () => {
    const { events, report } = await readText(
      [HEADER, '1,"ann,view,i,,,', '2,ann,view,i,,,', '3,"ann,view,i,,,', '4,ann,view,i,,,'].join(
        '\n',
      ),
    );
    expect(report.firstBadRows.map(({ line }) => line)).toEqual([2, 4]);
    expect(events.map(({ at }) => at)).toEqual([2, 4]);
  });

  test('a broken row among quoted ones costs itself only', async () => {
    const quoted = '"1","ann","view","i","","",""';
    const { events, report } = await readText([HEADER, quoted, '"1","a"n","",', quoted].join('\n'));
    expect(report.firstBadRows.map(({ line }) => line)).toEqual([3]);
    expect(events).toHaveLength(2);
  });

  test('the first twenty are named, the rest is counted', async () => {
    const rows = Array.from({ length: 25 }, () => 'x,ann,view,i,,,');
    const { path, report } = await readText([HEADER, ...rows].join('\n'));
    const lines = describeBadRows(path, report);
    expect(lines).toHaveLength(21);
    expect(lines[0]).toBe(`${path}:2: unreadable ts_ms "x"`);
    expect(lines[20]).toBe(`${path}: 5 more bad rows`);
  });
});

describe('what cannot be read at all', () => {
  test.each([
    ['', /it is empty; accepted headers/],
    [
      'a,b,c\n1,2,3\n',
      /its first line is no header of events; accepted headers[^]*ts_ms.*event_time/s,
    ],
    ['1659304800025,ann,view,i,,,\n', /no header of events/],
    ['ts_ms,visitor_id,event\n', /needed: ts_ms, visitor_id, event, item_id/],
    ['x'.repeat(1_000_000), /no header of events/],
  ])('a header that is none of ours shows those that are (%#)', async (text, message) => {
    const opening = openEventFile(await put(text));
    await expect(opening).rejects.toThrow(message);
    await expect(opening).rejects.toBeInstanceOf(UsageError);
  });

  test('a file that is not there, or is none', async () => {
    const missing = join(folder, 'missing.csv');
    await expect(openEventFile(missing)).rejects.toThrow(
      new UsageError(`${missing} does not exist`),
    );
    await expect(openEventFile(folder)).rejects.toThrow(/is a folder/);
  });

  test('a gzipped file that was cut short says so', async () => {
    const whole = gzipSync(`${HEADER}\n${'1,ann,view,i,,,\n'.repeat(100_000)}`);
    const path = await put(whole.subarray(0, whole.length / 2));
    const file = await openEventFile(path);
    await expect(collect(file.inFileOrder())).rejects.toThrow(`${path} cannot be read to its end`);
  });

  test('reading stops when it is told to', async () => {
    const path = await put(`${HEADER}\n${'1,ann,view,i,,,\n'.repeat(100_000)}`);
    const stop = new AbortController();
    const file = await openEventFile(path, { signal: stop.signal });
    const reading = file.inFileOrder();
    await reading.next();
    stop.abort();
    await expect(collect(reading)).rejects.toThrow(/abort/i);
  });
});

test('an unsorted file is given by time, ties as they stand, and says how many came late', async () => {
  const { path } = await readText(
    [HEADER, '3,c,view,,,,', '1,a,view,,,,', '2,b,view,,,,', '3,d,view,,,,', '1,e,view,,,,'].join(
      '\n',
    ),
  );
  const file = await openEventFile(path);
  const users: string[] = [];
  for await (const { user } of file.byTime()) users.push(user);
  expect(users.join('')).toBe('aebcd');
  expect(file.report.late).toBe(3);
});

async function put(content: string | Buffer, name = 'events.csv'): Promise<string> {
  files += 1;
  const path = join(folder, `${files}-${name}`);
  await writeFile(path, content);
  return path;
}

interface Read {
  readonly path: string;
  readonly events: readonly ShopEvent[];
  readonly report: EventFileReport;
}

async function readText(text: string): Promise<Read> {
  return read(await put(text));
}

async function read(path: string): Promise<Read> {
  const file = await openEventFile(path);
  const events = await collect(file.inFileOrder());
  return { path, events, report: file.report };
}

async function collect(batches: AsyncIterable<readonly ShopEvent[]>): Promise<ShopEvent[]> {
  const events: ShopEvent[] = [];
  for await (const batch of batches) events.push(...batch);
  return events;
}
