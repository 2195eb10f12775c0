import { existsSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/model/duration.ts';
import { type Announcement, type BacktestRow, backtest } from '../../src/replay/backtest.ts';
import { openEventFile } from '../../src/replay/event-file.ts';
import type { ShopEvent } from '../../src/replay/shop-event.ts';
import { describeUnless } from '../support/did-not-run.ts';

const OTTO = '../shared/data/clickstream/otto_sample_28d.csv';

const START = Date.UTC(2022, 7, 1);
const G = 30 * MINUTE_MS;

describeUnless(
  existsSync(OTTO) ? undefined : `${OTTO} is not here`,
  'on the clickstream of a real shop',
  () => {
    test('it gives the known answers', async () => {
      const file = await openEventFile(OTTO);
      const rows = await backtest(file.inFileOrder(), {
        idleMs: [10 * MINUTE_MS, 30 * MINUTE_MS, 60 * MINUTE_MS],
      });
      const known = { events: 862, visitors: 20, announced: 12 };
      expect(rows).toEqual([
        {
          ...known,
          ...{ idleMs: 10 * MINUTE_MS, runs: 162, runsClosed: 152 },
          ...{ idleWithCart: 114, idleWithNewItems: 23, returned24h: 86 },
        },
        {
          ...known,
          ...{ idleMs: 30 * MINUTE_MS, runs: 144, runsClosed: 134 },
          ...{ idleWithCart: 104, idleWithNewItems: 21, returned24h: 76 },
        },
        {
          ...known,
          ...{ idleMs: 60 * MINUTE_MS, runs: 138, runsClosed: 128 },
          ...{ idleWithCart: 99, idleWithNewItems: 21, returned24h: 71 },
        },
      ]);
    });

    test('its announcements are those of the reference', async () => {
      const events: ShopEvent[] = [];
      for await (const event of (await openEventFile(OTTO)).byTime()) events.push(event);
      await expectAsReference(events, [10 * MINUTE_MS, 30 * MINUTE_MS, 60 * MINUTE_MS]);
    });
  },
);

test('a cart that goes quiet is announced once, at the threshold', async () => {
  const events = story(
    [0, 'view'],
    [1, 'addtocart', 'shoe'],
    [2, 'view'],
    [500, 'view', 'hat', 'other'],
  );
  const { row, announcements } = await run(events, G);
  expect(announcements).toEqual([
    {
      idleMs: G,
      user: 'ann',
      episode: START + MINUTE_MS,
      stage: 0,
      at: START + 2 * MINUTE_MS + G,
      id: expect.stringMatching(/^[\da-f-]{36}$/) as string,
    },
  ]);
  expect(row).toMatchObject({ events: 4, visitors: 2, announced: 1 });
});

test('what is due at an instant happens before the activity of that instant', async () => {
  const late = story([0, 'addtocart', 'shoe'], [30, 'purchase', 'shoe']);
  expect((await run(late, G)).announcements).toHaveLength(1);
  const inTime = story([0, 'addtocart', 'shoe'], [29, 'purchase', 'shoe']);
  expect((await run(inTime, G)).announcements).toHaveLength(0);
});

test('the last instant of the file is looked at, nothing after it', async () => {
  const until = (minutes: number): ShopEvent[] =>
    story([0, 'addtocart', 'shoe'], [minutes, 'view', 'hat', 'other']);
  expect((await run(until(30), G)).row).toMatchObject({ announced: 1, runsClosed: 1 });
  expect((await run(until(29), G)).row).toMatchObject({ announced: 0, runsClosed: 0 });
});

test('an order closes the episode, and what it leaves behind opens none', async () => {
  const ordered = story(
    [0, 'addtocart', 'shoe'],
    [1, 'addtocart', 'hat'],
    [2, 'purchase', 'shoe'],
    [90, 'view'],
    [200, 'view'],
  );
  const { row } = await run(ordered, G);
  expect(row).toMatchObject({ announced: 0, idleWithCart: 2, idleWithNewItems: 1, returned24h: 2 });
});

test('the thing last seen of a visitor counts as returned up to 24 hours later, and not after', async () => {
  const back = (minutes: number): ShopEvent[] =>
    story([0, 'addtocart', 'shoe'], [minutes, 'view'], [minutes + 60, 'view', 'hat', 'other']);
  expect((await run(back(24 * 60), G)).row).toMatchObject({ idleWithCart: 2, returned24h: 1 });
  expect((await run(back(24 * 60 + 1), G)).row).toMatchObject({ idleWithCart: 2, returned24h: 0 });
});

test('no events are no announcements', async () => {
  expect((await run([], G)).row).toEqual({
    ...{ idleMs: G, events: 0, visitors: 0, runs: 0, runsClosed: 0 },
    ...{ idleWithCart: 0, idleWithNewItems: 0, announced: 0, returned24h: 0 },
  });
});

test('thresholds judged together are as each judged alone', async () => {
  await fc.assert(
    fc.asyncProperty(histories, async (events) => {
      const together = await backtest([events], { idleMs: THRESHOLDS });
      const alone = await Promise.all(
        THRESHOLDS.map(async (idleMs) => (await run(events, idleMs)).row),
      );
      expect(together).toEqual(alone);
    }),
    { numRuns: 100 },
  );
});

test('the order of the file matters only within a visitor and an instant', async () => {
  await fc.assert(
    fc.asyncProperty(histories, async (events) => {
      const byVisitor = Object.values(Object.groupBy(events, ({ user }) => user)).flatMap(
        (own = []) => own,
      );
      const options = { idleMs: THRESHOLDS };
      expect(await backtest([byVisitor], options)).toEqual(await backtest([events], options));
    }),
    { numRuns: 100 },
  );
});

test('the policy, driven look by look, announces what the whole history says', async () => {
  await fc.assert(
    fc.asyncProperty(histories, (events) => expectAsReference(events, THRESHOLDS)),
    { numRuns: 2_000 },
  );
}, 60_000);

const THRESHOLDS = [10 * MINUTE_MS, G, HOUR_MS, 30 * HOUR_MS, 8 * DAY_MS];

/** Gaps that matter: none, a threshold, the cool-down, all of them a moment more or less, and sums of them. */
const edges = [0, ...THRESHOLDS, DAY_MS, 7 * DAY_MS, 7 * DAY_MS - G, 7 * DAY_MS + G];
const gaps = fc.oneof(
  { weight: 2, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 3 * HOUR_MS }) },
  {
    weight: 5,
    arbitrary: fc
      .tuple(fc.constantFrom(...edges), fc.constantFrom(-1, 0, 0, 1))
      .map(([edge, more]) => Math.max(0, edge + more)),
  },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 9 * DAY_MS }) },
);

/** Visitors shop in turns, few items are touched often, and the file is in order of time. */
const histories = fc
  .array(
    fc.record({
      gap: gaps,
      user: fc.constantFrom('ann', 'bob', 'cleo'),
      kind: fc.constantFrom<ShopEvent['kind']>(
        ...(['addtocart', 'addtocart', 'addtocart', 'removefromcart', 'purchase'] as const),
        ...(['view', 'view', 'fav', 'message'] as const),
      ),
      item: fc.constantFrom('shoe', 'hat', 'sock'),
    }),
    { maxLength: 25 },
  )
  .map((steps) => {
    let at = START;
    return steps.map(({ gap, user, kind, item }): ShopEvent => {
      at += gap;
      return { at, user, kind, item };
    });
  });

interface Said {
  readonly user: string;
  readonly at: number;
}

/**
 * The same question answered from the whole history at once, with neither looks nor a ledger: an addition opens an
 * episode when none is open; an order, an emptied cart, and the end of the cool-down close it; a silence of the
 * threshold announces it once, if the silence comes to that length before the end of all.
 */
function reference(events: readonly ShopEvent[], idleMs: number): Said[] {
  const lastAt = Math.max(...events.map(({ at }) => at));
  const said: Said[] = [];
  for (const own of Object.values(Object.groupBy(events, ({ user }) => user))) {
    if (!own) continue;
    const cart = new Set<string | undefined>();
    let open = false;
    let saidAt: number | undefined;
    own.forEach(({ user, at, kind, item }, index) => {
      if (saidAt !== undefined && at >= saidAt + 7 * DAY_MS) {
        open = false;
        saidAt = undefined;
      }
      if (kind === 'addtocart') cart.add(item);
      if (kind === 'removefromcart' || kind === 'purchase') cart.delete(item);
      if (kind === 'addtocart') open = true;
      if (kind === 'purchase' || cart.size === 0) {
        open = false;
        saidAt = undefined;
      }
      const silentUntil = own[index + 1]?.at ?? lastAt;
      if (open && saidAt === undefined && silentUntil >= at + idleMs) {
        saidAt = at + idleMs;
        said.push({ user, at: saidAt });
      }
    });
  }
  return inOrder(said);
}

async function expectAsReference(
  events: readonly ShopEvent[],
  thresholds: readonly number[],
): Promise<void> {
  for (const idleMs of thresholds) {
    const { row, announcements } = await run(events, idleMs);
    const said = announcements.map(({ user, at }) => ({ user, at }));
    const expected = events.length > 0 ? reference(events, idleMs) : [];
    expect(inOrder(said), `threshold ${idleMs}`).toEqual(expected);
    expect(row.announced).toBe(expected.length);
    expect(new Set(announcements.map(({ id }) => id)).size).toBe(expected.length);
  }
}

function inOrder(said: readonly Said[]): Said[] {
  return said.toSorted((one, other) => one.at - other.at || (one.user < other.user ? -1 : 1));
}

async function run(
  events: readonly ShopEvent[],
  idleMs: number,
): Promise<{ row: BacktestRow; announcements: Announcement[] }> {
  const announcements: Announcement[] = [];
  const [row] = await backtest([events], {
    idleMs: [idleMs],
    onAnnouncement: (announcement) => announcements.push(announcement),
  });
  return { row: row!, announcements };
}

/** Minutes, what, with which item, by whom. */
function story(
  ...steps: readonly (readonly [number, ShopEvent['kind'], string?, string?])[]
): ShopEvent[] {
  return steps.map(([minutes, kind, item, user = 'ann']) => ({
    at: START + minutes * MINUTE_MS,
    user,
    kind,
    item,
  }));
}
