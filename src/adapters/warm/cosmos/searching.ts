/** Search by words: which entries hold how many of them is asked of the store, what fits best is told here. */
import type { Scored, SearchRequest } from '../../../ports/warm.ts';
import { hiddenUpTo } from './heads.ts';
import type { Conditions } from './query.ts';
import { addFilter, thereOf } from './query.ts';
import { getEntries } from './reading.ts';
import { askedWords } from './words.ts';
import type { Ground } from './ground.ts';

/** The newest so many of those that hold the words are weighed. */
const WEIGHED_MAX = 1_000;

/** How much a long entry counts less; as in BM25. */
const LENGTH_SHARE = 0.75;

interface Candidate {
  readonly memoryId: string;
  readonly length: number;
  /** `w0`, `w1` …: whether it holds that word. */
  readonly [word: `w${number}`]: boolean;
}

export async function searchEntries(
  ground: Ground,
  text: string,
  request: SearchRequest,
): Promise<readonly Scored[]> {
  const words = askedWords(text);
  if (words.length === 0) return [];
  for (;;) {
    const hidden = hiddenUpTo(ground.heads.last(ground.partition));
    const found = await searchOnce(ground, words, request);
    // What is being erased had its place among the best: they are looked for again without it.
    if (hiddenUpTo(ground.heads.last(ground.partition)) === hidden) return found;
  }
}

async function searchOnce(
  ground: Ground,
  words: readonly string[],
  { limit, filter = {} }: SearchRequest,
): Promise<readonly Scored[]> {
  const scores = new Map<string, number>();
  for (const [index, operator] of (['AND', 'OR'] as const).entries()) {
    if (scores.size >= limit || (index > 0 && words.length === 1)) break;
    const candidates = await candidatesOf(ground, words, operator, filter);
    for (const { memoryId, score } of weighed(candidates, words.length))
      if (!scores.has(memoryId)) scores.set(memoryId, score + (operator === 'AND' ? 1 : 0));
  }
  const best = [...scores].slice(0, limit).map(([memoryId]) => memoryId);
  const found = await getEntries(ground, best, filter);
  return found.map((stored) => ({ ...stored, score: scores.get(stored.entry.memoryId) ?? 0 }));
}

async function candidatesOf(
  { call, heads, clock, partition }: Ground,
  words: readonly string[],
  operator: 'AND' | 'OR',
  filter: SearchRequest['filter'],
): Promise<readonly Candidate[]> {
  const there: Conditions = addFilter(
    thereOf(clock.now(), hiddenUpTo(heads.last(partition))),
    filter ?? {},
  );
  const holds = words.map((word) => `ARRAY_CONTAINS(c.entry.words, ${there.value(word)})`);
  const joined = holds.join(` ${operator} `);
  there.add(operator === 'AND' ? joined : `(${joined})`);
  const columns = holds.map((hold, index) => `${hold} AS w${index}`).join(', ');
  return call.query<Candidate>(
    there.spec(
      (conditions) =>
        `SELECT c.entry.memoryId, c.entry.length, ${columns} FROM c WHERE ${conditions} ORDER BY c.entry.timestamp DESC`,
    ),
    { partition, pageSize: WEIGHED_MAX, limit: WEIGHED_MAX },
  );
}

/** Best first: rare words count more, long entries less; of those that are as good the newest. */
function weighed(
  candidates: readonly Candidate[],
  words: number,
): readonly { readonly memoryId: string; readonly score: number }[] {
  const names = Array.from({ length: words }, (_none, index) => `w${index}` as const);
  const mean =
    candidates.reduce((sum, { length }) => sum + length, 0) / Math.max(1, candidates.length);
  const weights = names.map((name) => {
    const holding = candidates.filter((candidate) => candidate[name]).length;
    return Math.log(1 + (candidates.length - holding + 0.5) / (holding + 0.5));
  });
  return candidates
    .map((candidate) => {
      const { memoryId, length } = candidate;
      const held = names.reduce(
        (sum, name, index) => sum + (candidate[name] ? (weights[index] ?? 0) : 0),
        0,
      );
      const fit = held / (1 - LENGTH_SHARE + LENGTH_SHARE * (length / Math.max(1, mean)));
      return { memoryId, score: fit / (1 + fit) };
    })
    .toSorted((one, other) => other.score - one.score);
}
