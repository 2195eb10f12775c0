/**
 * Puts what was said into the order in which it answers a query, without a model. Two or more people talk: the answer to a
 * question stands behind it, in other words than its own; whoever is asked about has mostly said it; and one session is
 * about few things. So a turn is judged by
 *
 *   1. its words: BM25 with the query, and the words that its best finds have in common (Rocchio 1971, Lavrenko 2001)
 *   2. the turns around it; of a question all goes to what answers it
 *   3. its session as a whole
 *   4. the times that are named, by the date of the turn and by what it says of dates
 *   5. who says it, and whether it tells or asks
 *
 * Each constant is a half, a quarter or one: none was fitted. docs/recall.md says what each does, and what doubling and
 * halving it changes.
 */
import { DAY_MS } from '../model/duration.ts';
import { type Span, spansOf } from './dates.ts';
import { type Question, readQuestion, yearsOf } from './question.ts';
import { TermIndex } from './term-index.ts';
import type { Turn } from './turn.ts';
import { termsOf } from './words.ts';

/** How much each sign counts beside the words of the turn itself. */
export const WEIGHTS = {
  /** What a turn has of one or two turns before or behind it. */
  neighbour: 0.25,
  /** What an answer has of its question. */
  question: 1,
  session: 0.5,
  /** Beside the rarest word. */
  date: 1,
  /** More, of what the one says who is asked about. */
  speaker: 0.5,
  /** More, of what names a time where the query asks for one. */
  when: 0.25,
  /** Less, of what only asks. */
  asking: 0.25,
  /** What the best finds have in common, beside a word of the query. */
  common: 0.25,
  /** Beside the rarest word, of a turn whose embedding is that of the query. */
  likeness: 1,
  /** More, of what was said just now; half of it a month ago. */
  recency: 0.125,
  /** More, of what is as important as can be. */
  importance: 0.125,
} as const;

export type Weights = Readonly<Record<keyof typeof WEIGHTS, number>>;

/** So many finds are asked for what they have in common, and so many words of it are taken. */
const COMMON_FINDS = 5;
const COMMON_TERMS = 10;

/** What happened is told of within a week. */
const TOLD_WITHIN_MS = 7 * DAY_MS;

/** Who names a year means little by it. */
const NARROW_MS = 31 * DAY_MS;
const WIDE = 0.25;

const RECENCY_HALF_LIFE_MS = 30 * DAY_MS;

/** What tells of a time. */
const TIME =
  /\b(?:yesterday|today|tonight|tomorrow|last|next|ago|weeks?|months?|years?|weekend|\w+day|recently|since|january|february|march|april|june|july|august|september|october|november|december|\d+)\b|\bMay\b/;

export interface RankOptions {
  /** When it is asked, Unix milliseconds. */
  readonly at: number;
  /** How near the embedding of each entry is to the query's, by memory id: a cosine. */
  readonly likeness?: ReadonlyMap<string, number>;
  readonly weights?: Weights;
}

/** How well a turn answers: comparable within one ranking only. */
export interface Ranked {
  readonly turn: Turn;
  readonly score: number;
}

/**
 * Ranks turns for a query, best first; where nothing fits, the newest first. The same input gives the same order.
 * @param turns in the order in which they were said, those of a session side by side
 */
export function rankTurns(turns: readonly Turn[], query: string, options: RankOptions): Ranked[] {
  if (turns.length === 0) return [];
  const { at, likeness, weights = WEIGHTS } = options;
  const question = readQuestion(query, turns, at);
  const index = new TermIndex(turns.map(({ text }) => termsOf(text)));
  const own = ownScores(index, question, weights);
  const sessions = sessionScores(turns, index, question.weights);
  const dated = dateScores(turns, question.spans);
  const unit = index.greatestRarity;
  const ranked = turns.map((turn, place) => {
    const near = Math.max(0, likeness?.get(turn.memoryId ?? '') ?? 0);
    const found =
      (own[place] ?? 0) +
      aroundOf(turns, own, place, weights) +
      weights.session * (sessions.get(turn.conversation) ?? 0) +
      unit * (weights.date * (dated[place] ?? 0) + weights.likeness * near);
    return { turn, score: found * mannerOf(turn, question, at, weights), place };
  });
  return ranked
    .toSorted((one, other) => other.score - one.score || laterFirst(one, other))
    .map(({ turn, score }) => ({ turn, score }));
}

interface Placed {
  readonly turn: Turn;
  readonly place: number;
}

function laterFirst(one: Placed, other: Placed): number {
  return (other.turn.at ?? 0) - (one.turn.at ?? 0) || other.place - one.place;
}

/** What the words of a turn are worth by themselves. */
function ownScores(index: TermIndex, { weights }: Question, by: Weights): Float64Array {
  const widened = new Map([...commonTerms(index, weights, by.common), ...weights]);
  return index.scores(widened);
}

/** Words that the best finds have in common and the query lacks: what it is about may have other names. */
function commonTerms(
  index: TermIndex,
  asked: ReadonlyMap<string, number>,
  weight: number,
): [string, number][] {
  const scores = index.scores(asked);
  const best = [...scores.keys()]
    .filter((place) => (scores[place] ?? 0) > 0)
    .sort((one, other) => (scores[other] ?? 0) - (scores[one] ?? 0) || one - other)
    .slice(0, COMMON_FINDS);
  const worth = new Map<string, number>();
  const others = best.flatMap((place) => index.termsAt(place)).filter((term) => !asked.has(term));
  const rarities = index.rarities(others);
  for (const place of best) {
    for (const term of new Set(index.termsAt(place))) {
      const rarity = rarities.get(term);
      if (rarity !== undefined)
        worth.set(term, (worth.get(term) ?? 0) + (scores[place] ?? 0) * rarity);
    }
  }
  const common = [...worth].sort((one, other) => other[1] - one[1]).slice(0, COMMON_TERMS);
  const most = common[0]?.[1] ?? 1;
  return common.map(([term, value]) => [term, (weight * value) / most]);
}

/** What a turn has of those around it, in its session. */
function aroundOf(turns: readonly Turn[], own: Float64Array, place: number, by: Weights): number {
  const here = turns[place]?.conversation;
  let sum = 0;
  for (const distance of [-2, -1, 1, 2]) {
    const other = turns[place + distance];
    if (!other || other.conversation !== here) continue;
    const asks = distance === -1 && other.text.includes('?');
    sum += (asks ? by.question : by.neighbour) * (own[place + distance] ?? 0);
  }
  return sum;
}

/** How well each session fits as a whole. */
function sessionScores(
  turns: readonly Turn[],
  index: TermIndex,
  weights: ReadonlyMap<string, number>,
): Map<string, number> {
  const texts = new Map<string, string[]>();
  for (const [place, { conversation }] of turns.entries()) {
    const text = texts.get(conversation) ?? [];
    text.push(...index.termsAt(place));
    texts.set(conversation, text);
  }
  const scores = new TermIndex([...texts.values()]).scores(weights);
  return new Map(
    [...texts.keys()].map((conversation, place) => [conversation, scores[place] ?? 0]),
  );
}

/** 1 for what was said at a time that is asked about or tells of it, less for what was said soon after. */
function dateScores(turns: readonly Turn[], spans: readonly Span[]): number[] {
  if (spans.length === 0) return [];
  const years = yearsOf(turns);
  return turns.map(({ at, text }) => {
    if (at === undefined) return 0;
    const told = spansOf(text, at, years).filter((span) => span.to - span.from <= NARROW_MS);
    return Math.max(
      ...spans.map((span) => {
        const worth = span.to - span.from <= NARROW_MS ? 1 : WIDE;
        if (at >= span.from && at < span.to) return worth;
        if (told.some(({ from, to }) => from < span.to && to > span.from)) return worth;
        return at >= span.to && at < span.to + TOLD_WITHIN_MS ? worth / 2 : 0;
      }),
    );
  });
}

/** A factor: who says it, in which manner, when. */
function mannerOf(turn: Turn, { speaker, when }: Question, at: number, by: Weights): number {
  const { text, importance = 0.5 } = turn;
  const age = Math.max(0, at - (turn.at ?? 0));
  return (
    (speaker === turn.speaker || speaker === turn.role ? 1 + by.speaker : 1) *
    (when && TIME.test(text) ? 1 + by.when : 1) *
    (text.trimEnd().endsWith('?') ? 1 - by.asking : 1) *
    (1 + by.recency * 2 ** (-age / RECENCY_HALF_LIFE_MS) + by.importance * importance)
  );
}
