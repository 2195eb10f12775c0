import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SqliteRescueLog } from '../../src/adapters/report/sqlite/sqlite-rescue-log.ts';
import { UnsuitableStoreError } from '../../src/model/errors.ts';
import type { AnyEvent } from '../../src/model/event.ts';
import type { Span } from '../../src/ports/rescue-log.ts';
import { factOf } from '../../src/rescue/report/fact.ts';
import { type Report, buildReport } from '../../src/rescue/report/report.ts';
import { expectedLines } from '../support/rescue-oracle.ts';
import {
  abandonedEvent,
  cancelledEvent,
  erasedEvent,
  recoveredEvent,
  touchedEvent,
} from '../support/sample-events.ts';
import { assertValidEvent } from '../support/schemas.ts';

const ALL: Span = { from: 0, to: Date.UTC(2100, 0, 1) };
const DAY = 86_400_000;
const START = Date.UTC(2026, 2, 1);

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rekindle-report-'));
  file = join(folder, 'report.sqlite');
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

async function tell(log: SqliteRescueLog, events: readonly AnyEvent[], keptFrom = 0) {
  return log.fold(
    events.map((event) => factOf(event)!),
    keptFrom,
  );
}

async function reportOf(events: readonly AnyEvent[], span = ALL): Promise<Report> {
  const log = new SqliteRescueLog(':memory:');
  try {
    await tell(log, events);
    return buildReport(await log.count(span));
  } finally {
    await log.close();
  }
}

/** One user's story: all five types in the order of the world. */
const story = (n: number): AnyEvent[] => [
  abandonedEvent(n),
  touchedEvent(n),
  cancelledEvent(n),
  recoveredEvent(n),
];

test('what came of an announcement stands in its row', async () => {
  const report = await reportOf([...story(1), ...story(2), abandonedEvent(3)]);
  expect(report.rows).toEqual([
    {
      stage: 0,
      channel: 'whatsapp',
      announced: 3,
      allowed: { yes: 3, no: 0, unknown: 0, holdout: 0 },
      touched: 2,
      cancelled: { resumed: 2, ordered: 0, emptied: 0, opted_out: 0, ended: 0 },
      recovered: {
        direct: { orders: 0, value: 0 },
        assisted: { orders: 2, value: 79.6 },
        organic: { orders: 0, value: 0 },
      },
    },
  ]);
  expect(report.sent).toEqual([{ stage: 0, channel: 'whatsapp', messages: 2, announcements: 2 }]);
  expect(report.treatment).toMatchObject({ users: 3, recovered: 2, value: 79.6, rate: 2 / 3 });
  expect(report.lift).toBeNull();
});

test('what became of an announcement that was never told is counted as such', async () => {
  const report = await reportOf([touchedEvent(1), recoveredEvent(1), cancelledEvent(2)]);
  expect(report.rows).toEqual([]);
  expect(report.unmatched).toEqual({ touched: 1, recovered: 1, cancelled: 1 });
});

test('lift compares users of the hold-out with all others, contacted or not', async () => {
  const held = (n: number): AnyEvent => {
    const event = abandonedEvent(n);
    const contact = { ...event.data.contact, allowed: 'no', basis: 'holdout' } as const;
    return { ...event, data: { ...event.data, contact } };
  };
  const users = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);
  const report = await reportOf([
    ...users(0, 70).map(abandonedEvent),
    ...users(0, 56).map(recoveredEvent),
    ...users(100, 80).map(held),
    ...users(100, 48).map(recoveredEvent),
  ]);
  expect(report.rows).toMatchObject([{ allowed: { yes: 70, no: 0, holdout: 80 } }]);
  expect(report.treatment).toMatchObject({ users: 70, recovered: 56 });
  expect(report.control).toMatchObject({ users: 80, recovered: 48 });
  expect(report.lift?.difference).toBeCloseTo(0.2, 9);
  expect(report.lift?.interval.low).toBeCloseTo(0.0524, 4);
  expect(report.lift?.interval.high).toBeCloseTo(0.3339, 4);
  expect(report.lift?.relative).toBeCloseTo(1 / 3, 9);
});

describe('any order and any repetition', () => {
  const at = fc.integer({ min: 0, max: 40 }).map((days) => START + days * DAY);
  const happening = fc.record({
    user: fc.constantFrom('ann', 'bob', 'eve'),
    episode: fc.integer({ min: 0, max: 20 }).map((days) => START + days * DAY),
    stage: fc.integer({ min: 0, max: 1 }),
    type: fc.constantFrom(
      ...(['cart.abandoned', 'cart.touched', 'cart.rescue_cancelled'] as const),
      ...(['cart.recovered', 'cart.abandoned', 'user.erased'] as const),
    ),
    at,
    held: fc.boolean(),
    channel: fc.constantFrom('whatsapp', 'email'),
    reason: fc.constantFrom('resumed' as const, 'ordered' as const),
    class: fc.constantFrom('direct' as const, 'organic' as const),
  });
  type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

  /** The id says what the event says, so that two that are alike are one. */
  function eventOf(one: Happening): AnyEvent {
    const { user, stage, type, channel } = one;
    const when = new Date(Math.max(one.at, one.episode)).toISOString();
    const episode = new Date(one.episode).toISOString();
    const told = (event: AnyEvent, data: object): AnyEvent =>
      ({ ...event, id: idOf(one), time: when, data: { ...event.data, ...data } }) as AnyEvent;
    const announcement_id = idOf({ ...one, type: 'cart.abandoned' });
    const common = { user, episode, stage, announcement_id };
    switch (type) {
      case 'cart.abandoned': {
        const event = abandonedEvent(1);
        const contact = one.held
          ? { ...event.data.contact, allowed: 'no', basis: 'holdout' }
          : event.data.contact;
        return told(event, { user, episode, stage, contact, channel });
      }
      case 'cart.touched':
        return told(touchedEvent(1), { ...common, channel, at: when });
      case 'cart.rescue_cancelled':
        return told(cancelledEvent(1), { ...common, reason: one.reason });
      case 'cart.recovered':
        return told(recoveredEvent(1), { ...common, class: one.class, ordered_at: when });
      case 'user.erased':
        return told(erasedEvent(1), { user, erased_at: when });
    }
  }

  function idOf(one: Happening): string {
    const { type, user, episode, stage, channel } = one;
    const parts = {
      'cart.abandoned': [episode, stage],
      'cart.rescue_cancelled': [episode, stage],
      'cart.recovered': [episode, stage],
      'cart.touched': [episode, stage, channel],
      'user.erased': [one.at],
    };
    return JSON.stringify([type, user, ...parts[type]]);
  }

  /** One event of each id, as on a bus: what is told again is the same. */
  const history = fc
    .array(happening, { minLength: 1, maxLength: 40 })
    .map((all) => [...new Map(all.map((one) => [idOf(one), eventOf(one)])).values()]);
  const span = fc.tuple(at, at).map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) }));
  const orders = history.chain((events) =>
    fc.record({
      events: fc.constant(events),
      told: fc
        .array(fc.nat({ max: events.length - 1 }), { maxLength: 40 })
        .map((again) => [...events, ...again.map((index) => events[index]!)])
        .chain((all) => fc.shuffledSubarray(all, { minLength: all.length })),
      cuts: fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 5 }),
      span,
      keptFrom: fc.constantFrom(0, START + 5 * DAY),
      sweeps: fc.boolean(),
    }),
  );

  test('gives the report that all events together give, counted one by one', async () => {
    await fc.assert(
      fc.asyncProperty(orders, async ({ events, told, cuts, span: window, keptFrom, sweeps }) => {
        const some = new SqliteRescueLog(':memory:');
        try {
          for (let i = 0, n = 0; i < told.length; n += 1) {
            const cut = cuts[n % cuts.length]!;
            await tell(some, told.slice(i, i + cut), keptFrom);
            if (sweeps) await some.sweep(keptFrom);
            i += cut;
          }
          const report = buildReport(await some.count(window));
          expect(linesOf(report)).toEqual(summed(expectedLines(events, window, keptFrom)));
        } finally {
          await some.close();
        }
      }),
      { numRuns: 500 },
    );
  }, 60_000);

  /** What the report says, in the oracle's words, with how often. */
  function linesOf({ rows, sent, treatment, control }: Report): Record<string, number> {
    const lines: [string, number][] = [];
    for (const row of rows) {
      const group = `${String(row.stage)} ${row.channel ?? '-'}`;
      for (const [answer, count] of Object.entries(row.allowed))
        lines.push([`${group} ${answer}`, count]);
      lines.push([`${group} touched`, row.touched]);
      for (const [reason, count] of Object.entries(row.cancelled))
        lines.push([`${group} ${reason}`, count]);
      for (const [kind, { orders: count, value }] of Object.entries(row.recovered)) {
        lines.push([`${group} ${kind}`, count], [`${group} ${kind} value`, value]);
      }
    }
    for (const { stage, channel, messages } of sent)
      lines.push([`${String(stage)} sent ${channel}`, messages]);
    for (const [name, arm] of Object.entries({ treatment, control }))
      lines.push(
        [`${name} users`, arm.users],
        [`${name} ordered`, arm.recovered],
        [`${name} value`, arm.value],
      );
    return Object.fromEntries(lines.filter(([, count]) => count > 0));
  }

  function summed(lines: readonly string[]): Record<string, number> {
    const sums: Record<string, number> = {};
    const add = (name: string, count: number) => {
      if (count > 0) sums[name] = Math.round(((sums[name] ?? 0) + count) * 10_000) / 10_000;
    };
    for (const line of lines) {
      const [, arm, what, value] =
        /^(treatment|control) (ordered|did not order) (.+)$/.exec(line) ?? [];
      const [, order, worth] = /^(\d \w+ (?:direct|organic)) (.+)$/.exec(line) ?? [];
      if (arm !== undefined) {
        add(`${arm} users`, 1);
        if (what === 'ordered') add(`${arm} ordered`, 1);
        add(`${arm} value`, Number(value));
      } else if (order !== undefined) {
        add(order, 1);
        add(`${order} value`, Number(worth));
      } else add(line, 1);
    }
    return sums;
  }
});

describe('who was erased', () => {
  test('leaves nothing that was counted, and what is told late of before is refused', async () => {
    const log = new SqliteRescueLog(file);
    await tell(log, [...story(1), ...story(2)]);
    expect(await tell(log, [erasedEvent(1)])).toEqual({ added: 1, repeated: 0, refused: 0 });
    expect(await tell(log, [erasedEvent(1)])).toEqual({ added: 0, repeated: 1, refused: 0 });
    expect(await tell(log, story(1))).toEqual({ added: 0, repeated: 0, refused: 4 });
    expect(buildReport(await log.count(ALL)).rows).toMatchObject([{ announced: 1, touched: 1 }]);
    await log.close();
  });

  test('and comes back is counted anew', async () => {
    const log = new SqliteRescueLog(file);
    await tell(log, [erasedEvent(1)]);
    const { data, ...event } = abandonedEvent(1);
    const later = new Date(Date.parse(erasedEvent(1).data.erased_at) + DAY).toISOString();
    const anew = { ...event, id: `${event.id}-2`, time: later, data: { ...data, episode: later } };
    expect(await tell(log, [anew])).toMatchObject({ added: 1 });
    await log.close();
  });

  test('has no name in the file, before or after, and neither have ids that tell of users', async () => {
    const texts = new Set<string>();
    for (const event of story(1)) {
      assertValidEvent(event);
      texts.add(event.id);
    }
    texts.add(abandonedEvent(1).data.user);
    texts.add(touchedEvent(1).data.message_id);
    texts.add(recoveredEvent(1).data.order_id!);
    const log = new SqliteRescueLog(file);
    const seen = (): string =>
      readdirSync(folder)
        .map((name) => readFileSync(join(folder, name), 'latin1'))
        .join();
    await tell(log, story(1));
    expect(seen()).toContain('whatsapp');
    for (const text of texts) expect(seen()).not.toContain(text);
    await tell(log, [erasedEvent(1)]);
    await log.close();
    for (const text of texts) expect(seen()).not.toContain(text);
    const raw = new DatabaseSync(file);
    raw.exec('VACUUM');
    raw.close();
    expect(seen()).not.toContain('whatsapp');
  });
});

test('the same user has another name in every file', async () => {
  const names = await Promise.all(
    ['a', 'b'].map(async (name) => {
      const path = join(folder, name);
      const log = new SqliteRescueLog(path);
      await tell(log, [abandonedEvent(1)]);
      await log.close();
      const raw = new DatabaseSync(path);
      const row = raw.prepare('SELECT hex(user) AS user FROM announcement').get();
      raw.close();
      return row?.['user'];
    }),
  );
  expect(new Set(names).size).toBe(2);
});

test('what is older than what is kept goes, and is not taken again', async () => {
  const log = new SqliteRescueLog(file);
  await tell(log, [...story(1), erasedEvent(9)]);
  const later = Date.parse(abandonedEvent(1).time) + DAY;
  expect(await log.sweep(later)).toBe(5);
  expect(await log.sweep(later)).toBe(0);
  expect(await tell(log, story(1), later)).toEqual({ added: 0, repeated: 0, refused: 4 });
  await log.close();
});

test('one fact that cannot be kept takes its whole batch with it', async () => {
  const log = new SqliteRescueLog(file);
  const facts = [...story(1), ...story(2)].map((event) => factOf(event)!);
  const broken = { ...factOf(recoveredEvent(3)), value: null } as never;
  await expect(log.fold([...facts, broken], 0)).rejects.toThrow();
  expect((await log.count(ALL)).announced).toEqual([]);
  await log.close();
});

describe('a file that cannot be used', () => {
  const bytes = (): Buffer => readFileSync(file);

  async function refused(): Promise<string[]> {
    const before = bytes();
    const said = [false, true].map((readOnly) => {
      try {
        new SqliteRescueLog(file, { readOnly });
        return 'it was opened';
      } catch (error) {
        expect(error).toBeInstanceOf(UnsuitableStoreError);
        return (error as Error).message;
      }
    });
    expect(bytes().equals(before)).toBe(true);
    return said;
  }

  test('because it is no SQLite file is named, and left as it is', async () => {
    writeFileSync(file, 'no database. '.repeat(1_000));
    for (const said of await refused()) expect(said).toMatch(/the report's file .* is damaged/);
  });

  test('because a newer version made it is named, and left as it is', async () => {
    await new SqliteRescueLog(file).close();
    const raw = new DatabaseSync(file);
    raw.exec('PRAGMA user_version = 99');
    raw.close();
    for (const said of await refused())
      expect(said).toMatch(/version 99, made by a newer Rekindle/);
  });

  test('because it is another program’s is named, and left as it is', async () => {
    const raw = new DatabaseSync(file);
    raw.exec('CREATE TABLE mine (x)');
    raw.close();
    for (const said of await refused()) expect(said).toMatch(/another program's/);
  });

  test('because it is a copy of its first half is named, and left as it is', async () => {
    const log = new SqliteRescueLog(file);
    await tell(log, [...Array(300).keys()].flatMap(story));
    await log.close();
    const half = bytes().subarray(0, bytes().length / 2);
    writeFileSync(file, half);
    const damaged = (): unknown => new SqliteRescueLog(file, { readOnly: true }).count(ALL);
    await expect(Promise.resolve().then(damaged)).rejects.toThrow(/is damaged/);
    expect(bytes().equals(half)).toBe(true);
  });
});
