/** What of a sentence is said, and what is denied. */
import { everyWord, word } from './plain.ts';

export interface Clause {
  readonly text: string;
  readonly negated: boolean;
}

const BREAK =
  /\s*[,;—–]\s*|\s+(?:but|however|instead of|rather than|lekin|magar|balki|लेकिन|मगर|बल्कि)\s+|\s+(?:and|aur|और)\s+(?=(?:i|not|no|please|mujhe|muje|मुझे)\b|मुझे)/u;

/** After these nothing of the sentence before holds any more: what follows is what is not meant. */
const TURNED = /(?:instead of|rather than)\s+/u;

/** In Hindi a denial follows what it denies, unless a verb comes: `red nahi blue chahiye`, `red nahi chahiye`. */
const HINDI_NOT = 'nahi|nahin|nahee|nhi|नहीं|नही';
const HINDI_VERB =
  'chahiye|chahie|chaiye|chahta|chahti|pasand|hai|hain|tha|thi|the|chalega|chalegi|karta|karti|karte|karo|kare|karna|karunga|karungi|pehenta|pehenti|pehnta|pehnti|pahanta|pahanti|lena|leta|leti|lagta|lagti|lunga|lungi|aata|aati|aaya|aayi|mila|mili|milta|mangaya|manga|bola|kaha|samjhe|samjha|achha|accha|acha|चाहिए|चाहिये|पसंद|है|हैं|था|थी|थे|चलेगा|करता|करती|करते|करना|करें|पहनता|पहनती|लेना|लेता|लेती|लगता|लगती|मिला|मिली|मंगाया|कहा|समझे|आता|आती|अच्छा|चाहता|चाहती';
const HINDI_NOT_ALONE = new RegExp(
  `(?<=(?<![\\p{L}\\p{M}])(?:${HINDI_NOT}))\\s+(?!(?:${HINDI_VERB})(?![\\p{L}\\p{M}]))`,
  'u',
);

const DENIALS = everyWord(
  "[a-z]+n't|dont|doesnt|didnt|cant|wont|isnt|arent|not|no|never|without|cannot|hate|hates|dislike|avoid|except|anything but",
  HINDI_NOT,
  'mat|bina|मत|बिना',
);

/** Denials that deny nothing. */
const EMPTY_DENIALS = everyWord(
  "no problem|no worries|no doubt|not only|not just|why not|(?:do not|don't|dont|wouldn't|would not) mind|can't wait|cannot wait|nahi to|no longer needed",
);

/**
 * The clauses of a sentence in `plain` form. Where two denials meet, nobody here knows what is meant: such a clause is
 * left out, and so is one that minds nothing.
 */
export function clausesOf(sentence: string): Clause[] {
  const turnedAt = sentence.search(TURNED);
  return sentence
    .split(BREAK)
    .flatMap((part) => part.split(HINDI_NOT_ALONE))
    .map((part) => part.replace(/[.!?।…"']+$/u, '').trim())
    .filter((part) => part !== '')
    .flatMap((text) => {
      const denials = text.replaceAll(EMPTY_DENIALS, ' ').match(DENIALS)?.length ?? 0;
      const turned = turnedAt >= 0 && sentence.indexOf(text) > turnedAt ? 1 : 0;
      const all = denials + turned;
      if (all > 1 || MINDS_NOT.test(text)) return [];
      return [{ text, negated: all === 1 }];
    });
}

const MINDS_NOT = word("(?:do not|don't|dont|wouldn't) mind|doesn't matter|any|koi bhi|कोई भी");
