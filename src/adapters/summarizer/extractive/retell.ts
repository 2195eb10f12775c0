/** A sentence out of its conversation: who said it, and who is meant by `I` and `you`. */
import { languageOf } from './language.ts';

/** Verbs whose third person is safe to form: base form as written after `I`, and what follows a name. */
const VERBS: Readonly<Record<string, string>> = {
  am: 'is',
  are: 'is',
  was: 'was',
  have: 'has',
  do: 'does',
  "don't": "doesn't",
  "haven't": "hasn't",
  go: 'goes',
  wish: 'wishes',
  try: 'tries',
  ...Object.fromEntries(
    `want need like love prefer think know hope live work use buy wear see feel find get make take look mean agree
    understand remember plan expect hate enjoy believe guess wonder suggest say ask keep pay order shop eat drink choose pick read answer return check compare wait`
      .split(/\s+/)
      .map((verb) => [verb, `${verb}s`]),
  ),
};

const SHORT: Readonly<Record<string, string>> = {
  m: 'is',
  re: 'is',
  ve: 'has',
  ll: 'will',
  d: 'would',
};

/**
 * `I'm looking for red shoes` said by Ann: `Ann is looking for red shoes`. Only the pronouns of the two who speak are put
 * into words, and the verb beside them; all else stays as it was said. What is not English stays whole behind the name.
 *
 * @param listener undefined where more than two speak: nobody knows whom `you` means
 */
export function retell(text: string, speaker: string, listener: string | undefined): string {
  if (languageOf(text) !== 'english') return `${capital(speaker)}: ${text}`;
  let told = text
    .replace(GREETING, '')
    .replaceAll(/[’‘]/g, "'")
    .replaceAll(/ ?' ?(m|ve|re|ll|d|s|t)\b/gi, "'$1");
  told = named(told, speaker, FIRST);
  if (listener !== undefined) told = named(told, listener, SECOND);
  told = capital(told);
  if (/\?["']*$/.test(told)) return `${capital(speaker)} asks: ${told}`;
  return told.startsWith(capital(speaker)) ? told : `${capital(speaker)}: ${told}`;
}

/** Words that open a turn and say nothing out of it. */
const GREETING = /^(?:(?:hi|hello|hey|oh|well|ok|okay|um|uh)(?: there)?[,!.]? )+(?=\S)/i;

/** After these the verb keeps its form: `may I ask`. */
const MODAL = /(?:may|can|could|should|shall|will|would|do|did|must|might|let|make) $/i;

/** `me` before a word of Hindi means `in`; such texts do not come here. */
const FIRST = {
  asked: /(?<![\p{L}'])(am|have|do) I(?![\p{L}'])/giu,
  subject:
    /(?<![\p{L}'])I(?:'(m|ve|ll|d)|(?: (also|just|really|always|never))? ([a-z]+(?:'t)?))?(?![\p{L}'])/giu,
  object: /(?<![\p{L}'])(?:me|myself)(?![\p{L}'])/giu,
  owner: /(?<![\p{L}'])(?:my|mine)(?![\p{L}'])/giu,
};

const SECOND = {
  asked: /(?<![\p{L}'])(are|have|do) you(?![\p{L}'])/giu,
  subject:
    /(?<![\p{L}'])you(?:'(re|ve|ll|d)|(?: (also|just|really|always|never))? (are|have))?(?![\p{L}'])/giu,
  object: /(?<![\p{L}'])yourself(?![\p{L}'])/giu,
  owner: /(?<![\p{L}'])yours?(?![\p{L}'])/giu,
};

function named(text: string, name: string, person: typeof FIRST): string {
  return text
    .replaceAll(person.asked, (_whole, verb: string) => {
      const asked = thirdPerson(verb);
      return `${/^[A-Z]/.test(verb) ? capital(asked) : asked} ${name}`;
    })
    .replaceAll(person.subject, (...found: (string | number | undefined)[]) => {
      const [, short, adverb, verb, at] = found as [string, string?, string?, string?, number?];
      const base = MODAL.test(text.slice(0, at));
      const rest = [adverb, verb && (base ? verb : thirdPerson(verb))].filter(
        (word) => word !== undefined,
      );
      const end = short === undefined ? rest : [SHORT[short.toLowerCase()]];
      return [name, ...end].join(' ');
    })
    .replaceAll(person.object, () => name)
    .replaceAll(person.owner, () => `${name}'s`);
}

function thirdPerson(verb: string): string {
  const lower = verb.toLowerCase();
  return VERBS[lower] ?? verb;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
