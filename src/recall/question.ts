/** What a query asks for: words, who is meant, and when. */
import { type Span, spansOf } from './dates.ts';
import type { Turn } from './turn.ts';
import { stemOf, termsOf, wordsOf } from './words.ts';

export interface Question {
  /** What to look for, and how much each counts. */
  readonly weights: ReadonlyMap<string, number>;
  /** The one who is asked about; undefined: nobody, or several. */
  readonly speaker: string | undefined;
  /** The times that are named. */
  readonly spans: readonly Span[];
  /** It asks for a time. */
  readonly when: boolean;
}

/**
 * Who is addressed by name is seldom who tells it: the speaker of a turn says more than a name in it. But a name may also
 * stand for what was told of somebody.
 */
const NAME_WEIGHT = 0.25;

/** "What did I order" asks the user's turns, "what did you recommend" the assistant's; in English, and Hindi in either script. */
const FIRST_PERSON = new Set(
  'i my me mine myself mera meri mere mujhe maine मेरा मेरी मेरे मुझे मैंने'.split(' '),
);
const SECOND_PERSON = new Set('you your yours aap aapne tumne tumhara आप आपने तुमने आपका'.split(' '));

const YEARS_MAX = 20;

const WHEN =
  /^\s*when\b|\b(?:what|which) (?:day|date|month|year|time)\b|\bhow long ago\b|\bkab\b|कब/i;

/** @param at the instant at which it is asked */
export function readQuestion(query: string, turns: readonly Turn[], at: number): Question {
  const words = wordsOf(query);
  const names = namesOf(turns);
  const asked = new Set(words.flatMap((word) => names.get(word) ?? []));
  // Names say it better than "you" does.
  if (asked.size === 0) {
    if (words.some((word) => FIRST_PERSON.has(word))) asked.add('user');
    if (words.some((word) => SECOND_PERSON.has(word))) asked.add('assistant');
  }
  const terms = termsOf(query);
  const nameStems = new Set([...names.keys()].map(stemOf));
  const weightOf = (term: string): number => (nameStems.has(term) ? NAME_WEIGHT : 1);
  return {
    weights: new Map(terms.map((term) => [term, weightOf(term)])),
    speaker: asked.size === 1 ? [...asked][0] : undefined,
    spans: spansOf(query, at, yearsOf(turns)),
    when: WHEN.test(query),
  };
}

/** The words of the speakers' names, and whose they are; roles are no names. */
function namesOf(turns: readonly Turn[]): Map<string, string> {
  const speakers = new Set(turns.filter(({ speaker, role }) => speaker !== role).map(speakerOf));
  return new Map([...speakers].flatMap((name) => wordsOf(name).map((word) => [word, name])));
}

function speakerOf({ speaker }: Turn): string {
  return speaker;
}

export function yearsOf(turns: readonly Turn[]): number[] {
  const years = turns.flatMap(({ at }) => (at === undefined ? [] : new Date(at).getUTCFullYear()));
  // Others may write any instant: a month is looked for in the latest years alone.
  return [...new Set(years)].sort((one, other) => other - one).slice(0, YEARS_MAX);
}
