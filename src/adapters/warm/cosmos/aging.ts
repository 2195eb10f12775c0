/**
 * The owners with aged entries: the one query over all partitions. It gives entries, oldest first; an owner is named at his
 * oldest one, which is asked of his own partition, so that nobody is named twice in a pass.
 */
import type { AgedOwner, Page, PageRequest } from '../../../ports/warm.ts';
import { RANK } from './document.ts';
import { HEAD_FIELDS, hiddenUpTo } from './heads.ts';
import type { Conditions } from './query.ts';
import { decodeCursor, encodeCursor, thereOf } from './query.ts';
import { headOf } from './standing.ts';
import type { Ground } from './ground.ts';

/** Owners that are asked about at once. */
const AT_ONCE = 8;

/** Owners that one query passes over; more would make the query itself large. */
const PASSED_MAX = 500;

/** Where an entry stands among all of its kind. */
interface Place {
  readonly timestamp: number;
  readonly owner: string;
  readonly key: string;
}

interface Aged extends Place {
  readonly agentId: string;
}

export async function agedOwners(
  groundOf: (partition: string) => Ground,
  { call, clock }: Pick<Ground, 'call' | 'clock'>,
  memoryType: string,
  before: number,
  { limit, cursor }: PageRequest,
): Promise<Page<AgedOwner>> {
  const named: Aged[] = [];
  const passed = new Set<string>();
  let after = cursor === undefined ? undefined : placeOf(cursor);
  for (let more = true; more && named.length <= limit; ) {
    const wanted = limit + 1 - named.length;
    const rows = await call.queryAll<Aged>(
      agedQuery(memoryType, before, after, [...passed].slice(-PASSED_MAX), clock.now()),
      wanted,
    );
    more = rows.length === wanted;
    const oldest = await oldestOf(groundOf, memoryType, rows);
    for (const row of rows) {
      after = row;
      const own = oldest.get(row.owner);
      if (passed.has(row.owner)) continue;
      // A row that is later than the oldest: its owner was named before. One that is earlier is seen by nobody any more.
      const order = own ? compare(own, row) : -1;
      if (order <= 0) passed.add(row.owner);
      if (order === 0) named.push(row);
    }
  }
  const items = named.slice(0, limit);
  const last = named.length > limit ? items.at(-1) : undefined;
  return {
    items: items.map(({ agentId, timestamp }) => ({ agentId, oldestAt: timestamp })),
    cursor: last && encodeCursor('aged', last.timestamp, last.owner, last.key),
  };
}

function agedQuery(
  memoryType: string,
  before: number,
  after: Place | undefined,
  passed: readonly string[],
  now: number,
) {
  const there = thereOf(now, undefined)
    .add('c.entry.type = ?', memoryType)
    .add('c.entry.timestamp < ?', before);
  if (passed.length > 0) there.add('NOT ARRAY_CONTAINS(?, c.owner)', passed);
  if (after)
    there.add(
      'c.entry.timestamp >= ? AND (c.entry.timestamp > ? OR c.owner >= ?) AND (c.entry.timestamp > ? OR c.owner > ? OR c.entry.key > ?)',
      after.timestamp,
      after.timestamp,
      after.owner,
      after.timestamp,
      after.owner,
      after.key,
    );
  return there.spec(
    (conditions) =>
      `SELECT c.owner, c.entry.agentId, c.entry.timestamp, c.entry.key FROM c WHERE ${conditions} ORDER BY c.entry.timestamp ASC, c.owner ASC, c.entry.key ASC`,
  );
}

/** The place of the oldest entry of the kind that is there, of each of these owners. */
async function oldestOf(
  groundOf: (partition: string) => Ground,
  memoryType: string,
  rows: readonly Aged[],
): Promise<ReadonlyMap<string, Place>> {
  const oldest = new Map<string, Place>();
  const left = [...new Set(rows.map(({ owner }) => owner))];
  const lane = async (): Promise<void> => {
    for (let owner = left.shift(); owner !== undefined; owner = left.shift()) {
      const place = await oldestOfOne(groundOf(owner), memoryType);
      if (place) oldest.set(owner, place);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return oldest;
}

async function oldestOfOne(ground: Ground, memoryType: string): Promise<Place | undefined> {
  const { call, heads, clock, partition } = ground;
  let hidden = hiddenUpTo(heads.last(partition));
  for (;;) {
    const there: Conditions = thereOf(clock.now(), hidden).add('c.entry.type = ?', memoryType);
    const rows = await call.query<{ readonly rank: number } & Place>(
      there.spec(
        (conditions) =>
          `SELECT ${HEAD_FIELDS}, c.owner, c.entry.timestamp, c.entry.key FROM c WHERE c.rank = ${RANK.head} OR ${conditions} ORDER BY c.rank ASC, c.entry.timestamp ASC, c.entry.key ASC`,
      ),
      { partition, pageSize: 2, limit: 2 },
    );
    const seen = hiddenUpTo(heads.note(partition, headOf(rows)));
    if (seen === hidden) return rows.find(({ rank }) => rank === RANK.entry);
    hidden = seen;
  }
}

function placeOf(cursor: string): Place {
  const parts = decodeCursor('aged', cursor, 'number', 'string', 'string');
  const [timestamp, owner, key] = parts as [number, string, string];
  return { timestamp, owner, key };
}

function compare(one: Place, other: Place): number {
  const parts = (place: Place) => [place.timestamp, place.owner, place.key] as const;
  const [a, b] = [parts(one), parts(other)];
  for (const [index, part] of a.entries()) {
    const against = b[index] ?? part;
    if (part !== against) return part < against ? -1 : 1;
  }
  return 0;
}
