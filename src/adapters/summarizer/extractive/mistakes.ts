/** What the assistant or the shop got wrong, by what the user says about it. */
import type { Finding } from '../../../model/insight.ts';
import type { Heard, HeardSentence } from './heard.ts';
import { captured, word } from './plain.ts';
import { contentWords } from './words.ts';

/** What was wrong where a word says it; the same complaint gives the same sentence. */
const WRONG_THING = word(
  '(?:wrong|incorrect|galat) (size|colou?r|item|product|order|address|name|price|amount|model|brand)',
  'गलत (साइज|रंग|सामान|प्रोडक्ट|ऑर्डर|पता|नाम|दाम)',
);
const THINGS: Readonly<Record<string, string>> = {
  color: 'colour',
  product: 'item',
  साइज: 'size',
  रंग: 'colour',
  सामान: 'item',
  प्रोडक्ट: 'item',
  ऑर्डर: 'order',
  पता: 'address',
  नाम: 'name',
  दाम: 'price',
};

const CORRECTS = word(
  "that's not (?:what|right|it|correct|my)|that is not (?:what|right|it|correct|my)|not what i (?:asked|said|meant|wanted|ordered)",
  'i (?:already|just) (?:told|said|gave|asked|answered|explained|sent)|(?:^|no,? |but |sorry,? )i (?:said|asked for|meant|told you)|as i said|like i said',
  "you(?:'re| are) (?:wrong|mistaken|not listening)|you (?:didn't|did not|don't|never) (?:answer|listen|understand|get (?:it|me|my)|read|send|reply)|you (?:misunderstood|got it wrong|made a mistake)",
  "(?:this|that|it)(?:'s| is) (?:wrong|incorrect)|no,? i (?:meant|mean|want(?:ed)?|asked)",
  'galat (?:hai|tha|bata|bhej|samjhe|samjha)|maine (?:bola|kaha|bataya|manga)(?: tha| thi| na| hai)?|aap (?:samjhe|samajh) (?:nahi|nahin)|(?:yeh?|wo|woh) (?:nahi|nahin) (?:manga|mangaya|chahiye tha|bola)',
  'गलत (?:है|था|बता|भेज|समझ)|मैंने (?:कहा|बोला|बताया|मंगाया|मांगा)(?: था| थी| है)?|आप समझे नहीं|(?:यह|ये|वो) नहीं (?:मांगा|मंगाया|चाहिए था|कहा)',
);

/** Nothing is complained of in `I got nothing wrong` or `was it the wrong size?`. */
const DENIES = word("nothing (?:is |was )?wrong|not wrong|isn't wrong|galat nahi|गलत नहीं");

/** A quoted sentence longer than this is a story; its beginning says what it is about. */
const QUOTE_WORDS = 25;

/** Two wordings of one question share most of what they are about; fewer words share too easily. */
const SAME_SHARE = 0.8;
const SAME_WORDS = 3;

export function mistakesIn(heard: readonly Heard[]): Finding[] {
  const findings: Finding[] = [];
  const users = heard.filter(({ by }) => by === 'user');
  for (const message of users) {
    const sources = [message.answers?.source, message.source].filter((one) => one !== undefined);
    for (const sentence of message.sentences) {
      const text = complaintIn(sentence, message);
      if (text !== undefined) findings.push({ kind: 'mistake', text, sources });
    }
  }
  return [...findings, ...askedAgain(heard)];
}

/** Asked again after an answer that was none: one finding for a question, however often it came. */
function askedAgain(heard: readonly Heard[]): Finding[] {
  let answers = 0;
  const asked = heard.flatMap((message) => {
    if (message.by === 'other') answers += 1;
    const about = new Set(message.by === 'user' ? contentWords(message.text) : []);
    return about.size >= SAME_WORDS ? [{ message, about, answers }] : [];
  });
  const counted = new Set<Heard>();
  return asked.flatMap(({ message, about, answers: before }, index) => {
    if (counted.has(message) || !message.sentences.some(({ question }) => question)) return [];
    const again = asked
      .slice(index + 1)
      .filter((later) => later.answers > before && areSame(about, later.about));
    if (again.length === 0) return [];
    for (const later of again) counted.add(later.message);
    const sources = [message.source, ...again.map((later) => later.message.source)];
    const text = `The user had to ask again: “${quoted(message.text)}”.`;
    return [{ kind: 'mistake', text, sources } as const];
  });
}

function areSame(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  let both = 0;
  for (const content of one) if (other.has(content)) both += 1;
  return both >= SAME_WORDS && both >= SAME_SHARE * Math.max(one.size, other.size);
}

function complaintIn(sentence: HeardSentence, message: Heard): string | undefined {
  if (sentence.question || DENIES.test(sentence.plain)) return undefined;
  const thing = captured(WRONG_THING.exec(sentence.plain));
  if (thing !== undefined) return `The user was given the wrong ${THINGS[thing] ?? thing}.`;
  // A correction needs something that is corrected.
  if (message.answers === undefined || !CORRECTS.test(sentence.plain)) return undefined;
  return `The user corrected the assistant: “${quoted(sentence.text)}”.`;
}

function quoted(text: string): string {
  const words = text.replaceAll(/[“”"]/g, "'").replace(/[.।]$/u, '').split(/\s+/);
  return words.length <= QUOTE_WORDS
    ? words.join(' ')
    : `${words.slice(0, QUOTE_WORDS).join(' ')} …`;
}
