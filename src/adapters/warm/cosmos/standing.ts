/** What stands under names, and the head beside it: one round trip. */
import type { EntryDocument, Head, HeadDocument } from './document.ts';
import { RANK } from './document.ts';
import { HEAD_FIELDS, type Heads, type SeenHead, hiddenUpTo } from './heads.ts';
import { Conditions } from './query.ts';
import type { Call } from './requests.ts';

/** An entry as it stands, for whoever would write or remove it. */
export interface Standing {
  readonly id: string;
  readonly etag: string;
  readonly version: string;
  readonly partCount: number;
  /** Somebody sees it: neither expired nor being erased. */
  readonly there: boolean;
}

/** Names that are asked for at once: as many as a batch has. */
const AT_ONCE = 100;

export async function standingOf(
  call: Call,
  heads: Heads,
  partition: string,
  names: readonly string[],
  now: number,
): Promise<{ readonly head: SeenHead; readonly standing: ReadonlyMap<string, Standing> }> {
  const standing = new Map<string, Standing>();
  let head = heads.last(partition);
  for (let from = 0; from === 0 || from < names.length; from += AT_ONCE) {
    const some = names.slice(from, from + AT_ONCE);
    const asked = new Conditions().addIn('c.id', some.length > 0 ? some : ['']);
    const rows = await call.query<Row>(
      asked.spec(
        (named) =>
          `SELECT ${HEAD_FIELDS}, c.id, c._etag AS etag, c.version, c.entry.timestamp AS timestamp, c.entry.expiresAt AS expiresAt, c.entry.parts AS partCount FROM c WHERE c.rank = ${RANK.head} OR ${named}`,
      ),
      { partition, pageSize: AT_ONCE + 1 },
    );
    head = heads.note(partition, headOf(rows));
    const hidden = hiddenUpTo(head) ?? -Infinity;
    for (const row of rows) {
      if (row.rank !== RANK.entry) continue;
      const { id, etag, version, timestamp, expiresAt, partCount = 0 } = row;
      const there = expiresAt > now && timestamp > hidden;
      standing.set(id, { id, etag, version, partCount, there });
    }
  }
  return { head, standing };
}

type Row =
  | (Head & { readonly rank: typeof RANK.head })
  | {
      readonly rank: typeof RANK.entry;
      readonly id: string;
      readonly etag: string;
      readonly version: string;
      readonly timestamp: number;
      readonly expiresAt: number;
      readonly partCount?: number;
    };

interface Ranked {
  readonly rank: number;
}

/** The head among what was found. */
export function headOf(rows: readonly (Ranked | (Head & Ranked))[]): Head | undefined {
  return rows.find(({ rank }) => rank === RANK.head) as (Head & Ranked) | undefined;
}

export function entriesOf(
  rows: readonly (EntryDocument | HeadDocument)[],
): readonly EntryDocument[] {
  return rows.filter((row) => row.rank === RANK.entry);
}
