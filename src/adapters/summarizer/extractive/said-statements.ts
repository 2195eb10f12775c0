/** What a user says of what they want and are, as statements with the messages they stand in. */
import type { InsightSource } from '../../../model/insight.ts';
import { type Clause, clausesOf } from './clauses.ts';
import { factsIn } from './facts.ts';
import type { Heard, HeardSentence } from './heard.ts';
import { likesIn } from './likes.ts';
import { plain, word } from './plain.ts';
import type { Slot, Statement } from './statement.ts';
import { wishesIn } from './service-wishes.ts';
import { COLOURS, RELATIONS, sizesIn } from './values.ts';

export interface Stated {
  readonly statement: Statement;
  /** The sentence it stands in. */
  readonly sentence: HeardSentence;
  readonly sources: readonly InsightSource[];
}

type Found = Omit<Stated, 'sentence'>;

/** Somebody wants something for themselves. */
const WANTS = word(
  "i(?:'m|'d|'ll)?(?: [a-z']+){0,3} (?:want|need|like|love|prefer|wear|take|pay|choose|hate|dislike|avoid|looking for|go for|go with|fan of)",
  "my (?:[a-z]+ )?(?:size|colou?r|brand|budget|style|preference)|my favou?rite|i'm (?:an? )?size|prefer(?:red|ably)?|only|please",
  'mujhe|muje|mujhko|mujhse|mera|meri|mere|main|mai|hum|hamesha|chahiye|chahie|chaiye|pasand|pehent[aie]|pehnt[aie]|karunga|karungi|dunga|dungi',
  'मुझे|मुझको|मुझसे|मेरा|मेरी|मेरे|मैं|हम|हमेशा|चाहिए|चाहिये|पसंद|पहनता|पहनती',
);

/** Of goods they want, rather than of goods they have: `please send the red one back` tells no colour to show. */
const WANTS_GOODS = word(
  "i(?:'m|'d|'ll)?(?: [a-z']+){0,3} (?:want|need|like|love|prefer|wear|choose|hate|dislike|avoid|looking for|go for|go with|fan of)",
  'my favou?rite|prefer(?:red|ably)?|mujhe|muje|mujhko|chahiye|chahie|chaiye|pasand|pehent[aie]|pehnt[aie]',
  'मुझे|मुझको|चाहिए|चाहिये|पसंद|पहनता|पहनती',
);

/** What is had, or is to go. */
const HAD = word(
  'return|returning|returned|refund|cancel|exchange|replace|received|arrived|delivered|ordered|bought|broken|defective|damaged|torn|wrong|problem|issue|missing',
  'wapas|vaapas|wapis|galat|kharab|mila|mili|mangaya|toota|phata',
  'वापस|गलत|खराब|मिला|मिली|मंगाया|टूटा|फटा',
);

/** Of somebody else. */
const OF_OTHERS = word(
  "(?:he|she|they|he's|she's|they're|his|her|their) [a-z]+|(?:uske|uski|uska|unke|unki|unka|unko|usko)",
);

/** What an assistant's question asks for, so that `M please` is an answer. */
const ASKED: Readonly<Partial<Record<Slot, RegExp>>> = {
  size: word('sizes?|saiz|साइज|नाप'),
  colour: word('colou?rs?|rang|रंग'),
};

/** More words are a story of their own. */
const ANSWER_WORDS = 6;

/** In the order in which they were said; a question states nothing. */
export function statementsIn(heard: readonly Heard[]): Stated[] {
  return heard
    .filter(({ by }) => by === 'user')
    .flatMap((message) =>
      message.sentences.flatMap((sentence) =>
        statedPart(sentence).flatMap((part) =>
          statedIn(part, message).map((found) => ({ ...found, sentence })),
        ),
      ),
    );
}

/** Of `I wear M, do you have it?` what stands before the question; a question alone states nothing. */
function statedPart(sentence: HeardSentence): HeardSentence[] {
  if (!sentence.question) return [sentence];
  const end = Math.max(sentence.text.lastIndexOf(','), sentence.text.lastIndexOf(';'));
  const text = sentence.text.slice(0, Math.max(0, end));
  return text === '' ? [] : [{ text, plain: plain(text), question: false }];
}

function statedIn(sentence: HeardSentence, message: Heard): Found[] {
  const own = [message.source];
  const stated: Found[] = factsIn(sentence).map((statement) => ({ statement, sources: own }));
  if (RELATIONS.find(sentence.plain).length > 0 || OF_OTHERS.test(sentence.plain)) return stated;

  const clauses = clausesOf(sentence.plain);
  const add = (
    slot: Slot,
    value: string,
    { negated }: Pick<Clause, 'negated'>,
    sources = own,
  ): void => {
    stated.push({ statement: { slot, value, positive: !negated }, sources });
  };
  const wants = WANTS.test(sentence.plain);
  const wantsGoods = WANTS_GOODS.test(sentence.plain) && !HAD.test(sentence.plain);
  const asked = (slot: Slot): boolean => isAnswer(sentence, message, ASKED[slot]);
  const both = message.answers ? [message.answers.source, message.source] : own;

  const nameless = !stated.some(({ statement }) => statement.slot === 'name');
  const before = stated.length;
  for (const clause of clauses) {
    const sizeAsked = asked('size');
    if ((wants && !HAD.test(sentence.plain)) || sizeAsked)
      for (const size of sizesIn(clause.text, sizeAsked))
        add('size', size, clause, sizeAsked ? both : own);
    const colourAsked = asked('colour');
    if (wantsGoods || colourAsked)
      for (const colour of COLOURS.find(withoutNames(clause.text, sentence.text)))
        add('colour', colour, clause, colourAsked ? both : own);
    for (const { slot, value, positive } of wishesIn(clause, nameless))
      add(slot, value, { negated: !positive });
  }
  if (stated.length > before) return stated;
  for (const statement of likesIn(sentence, clauses)) stated.push({ statement, sources: own });
  return stated;
}

function isAnswer({ text }: HeardSentence, { answers }: Heard, asked: RegExp | undefined): boolean {
  return (
    asked !== undefined &&
    text.split(/\s+/).length <= ANSWER_WORDS &&
    answers?.sentences.some(({ question, plain }) => question && asked.test(plain)) === true
  );
}

/** Two words with capitals are somebody's name, a town or a band: Pink Floyd is no colour. */
function withoutNames(clause: string, sentence: string): string {
  let left = clause;
  for (const [name] of sentence.matchAll(/\p{Lu}\p{Ll}+ \p{Lu}\p{Ll}+/gu))
    left = left.replaceAll(plain(name), ' ');
  return left;
}
