/** What a user says they are. Names and towns only: numbers and addresses are masked before anybody looks. */
import type { HeardSentence } from './heard.ts';
import { captured, plain, word } from './plain.ts';
import type { Statement } from './statement.ts';
import { RELATIONS } from './values.ts';

/** Two words at most, each with a capital in Latin letters: `my name is not important` is no name. */
const NAME = '(\\p{Lu}[\\p{L}\\p{M}]+(?: \\p{Lu}[\\p{L}\\p{M}]+)?)';
const HINDI_NAME = '([\\p{Script=Devanagari}]+(?: [\\p{Script=Devanagari}]+)?)';
const NAMES = [
  new RegExp(`\\b[Mm]y (?:full )?name(?: is|'s|:)? ${NAME}`, 'u'),
  new RegExp(`\\b(?:[Cc]all me|[Tt]his is) ${NAME}(?=$|[.,!]| here)`, 'u'),
  new RegExp(`\\b[Mm]era (?:naam|nam) ${NAME}(?= hai| he|$|[.,])`, 'u'),
  new RegExp(`मेरा नाम ${HINDI_NAME} (?:है|हैं)`, 'u'),
];

const TOWNS = [
  new RegExp(`\\bI(?: live|'m based|'m living| am based| am living| stay) in ${NAME}`, 'u'),
  new RegExp(`\\b[Mm](?:ain|ai|e|y) ${NAME} (?:mein|me|mei) (?:rehta|rehti|rahta|rahti)`, 'u'),
  /(?:^| )मैं ([\p{Script=Devanagari}]+) में रहत[ाी]/u,
];

const SHOPS_FOR = word(
  '(?:for|buying for|gift for|present for) (?:my|our)(?: [a-z]+)? ([a-z]+)',
  "(?:my|our) [a-z]+'s birthday",
  '(?:meri|mere|mera|apni|apne|hamari|hamare) [a-z]+ (?:ke liye|k liye|ka birthday)',
  '(?:मेरी|मेरे|अपनी|अपने|हमारी|हमारे) [\\p{L}\\p{M}]+ के लिए',
);

const DIETS = word(
  "i(?:'m| am)(?: an?)? (vegan|vegetarian)",
  'main (vegan|vegetarian|shakahari) (?:hoon|hun|hu)',
  'मैं (शाकाहारी) हूं',
);

const DIET_NAMES: Readonly<Record<string, string>> = {
  shakahari: 'vegetarian',
  शाकाहारी: 'vegetarian',
};

export function factsIn({ text, plain: lower }: HeardSentence): Statement[] {
  const facts: Statement[] = [];
  const straight = text.replaceAll('’', "'").normalize('NFC');
  const add = (slot: Statement['slot'], value: string | undefined): void => {
    if (value !== undefined) facts.push({ slot, value, positive: true });
  };
  add('name', firstOf(NAMES, straight));
  add('city', firstOf(TOWNS, straight));
  const diet = captured(DIETS.exec(lower));
  add('diet', diet && (DIET_NAMES[diet] ?? diet));
  const relative = SHOPS_FOR.exec(plain(text))?.[0];
  if (relative !== undefined)
    for (const relation of RELATIONS.find(relative)) add('relation', relation);
  add('budget', budgetIn(lower));
  return facts;
}

function firstOf(patterns: readonly RegExp[], text: string): string | undefined {
  for (const pattern of patterns) {
    const found = pattern.exec(text)?.[1];
    if (found !== undefined) return found;
  }
  return undefined;
}

const AMOUNT =
  '((?:₹|\\$|€|£|rs\\.? ?|inr ?)?\\d[\\d,]*(?:\\.\\d+)?(?: ?(?:k|rs|rupees|rupaye|rupay|dollars|euros|रुपये|रुपए|₹))?)';
const BUDGETS = word(
  `(?:my )?budget(?: is| of|:)?(?: (?:about|around|only|max|under|up to))* ${AMOUNT}`,
  `(?:i (?:can|will|want to|would) (?:only )?(?:spend|pay)|spend)(?: (?:only|at most|up to|max|no more than|not more than))* ${AMOUNT}`,
  `(?:mera )?budget(?: sirf| bas)? ${AMOUNT}`,
  `(?:मेरा )?बजट(?: सिर्फ| बस)? ${AMOUNT}`,
);

function budgetIn(lower: string): string | undefined {
  return captured(BUDGETS.exec(lower))?.replace(/[,.\s]+$/, '');
}
