/** What warm may have to say: the newest, and what a search finds, each asked for at once and by a deadline. */
import type { StoredEntry, WarmStore } from '../ports/warm.ts';
import type { Deadline } from './deadline.ts';
import { type Turn, turnsOfEntry } from './turn.ts';

/** So many of the newest entries are read, and so many that a search finds: of a usual user that is all there is. */
const NEWEST = 100;
const FOUND = 50;

export interface CandidateRequest {
  readonly query: string;
  readonly embedding?: readonly number[] | undefined;
  readonly deadline: Deadline;
}

export interface Candidates {
  /** In the order in which they were said, those of a session side by side. */
  readonly turns: readonly Turn[];
  /** How near each entry is to the query, by memory id. */
  readonly likeness: ReadonlyMap<string, number>;
  /** What did not answer. */
  readonly failures: readonly {
    readonly reason: 'deadline' | 'unavailable';
    readonly detail: string;
  }[];
  /** Entries that could not be understood. */
  readonly unreadable: readonly { readonly id: string; readonly detail: string }[];
  /** There is more than was read. */
  readonly more: boolean;
}

export async function candidatesOf(
  warm: Pick<WarmStore, 'find' | 'search' | 'similar'>,
  user: string,
  { query, embedding, deadline }: CandidateRequest,
): Promise<Candidates> {
  const [newest, found, similar] = await Promise.all([
    deadline.answerOf(() => warm.find(user, {}, 'newest', { limit: NEWEST })),
    query === ''
      ? { value: [] }
      : deadline.answerOf(() => warm.search(user, query, { limit: FOUND })),
    embedding === undefined
      ? { value: [] }
      : deadline.answerOf(() => warm.similar(user, embedding, { limit: FOUND })),
  ]);
  const near = 'value' in similar ? similar.value : [];
  const entries = new Map<string, StoredEntry>();
  const read = 'value' in newest ? newest.value.items : [];
  for (const stored of [...read, ...('value' in found ? found.value : []), ...near])
    entries.set(stored.entry.memoryId, stored);
  const { turns, unreadable } = turnsIn([...entries.values()]);
  return {
    turns,
    likeness: new Map(near.map(({ entry, score }) => [entry.memoryId, score])),
    failures: [newest, found, similar].flatMap((answer) => ('value' in answer ? [] : [answer])),
    unreadable,
    more: 'value' in newest && newest.value.cursor !== undefined,
  };
}

function turnsIn(entries: readonly StoredEntry[]): Pick<Candidates, 'turns' | 'unreadable'> {
  const unreadable: { id: string; detail: string }[] = [];
  const turns = entries
    .map(({ entry }) => entry)
    .toSorted(
      (one, other) =>
        textOf(one.attributes['session']).localeCompare(textOf(other.attributes['session'])) ||
        (one.stepNumber ?? 0) - (other.stepNumber ?? 0) ||
        one.timestamp - other.timestamp,
    )
    .flatMap((entry) => {
      try {
        return turnsOfEntry(entry);
      } catch (error) {
        unreadable.push({ id: entry.memoryId, detail: String(error) });
        return [];
      }
    });
  return { turns, unreadable };
}

function textOf(value: string | number | boolean | undefined): string {
  return value === undefined ? '' : String(value);
}
