/** Words for colours, sizes, channels and the like in English, Hindi and Hindi in Latin letters, with what they mean. */
import { captured, everyWord } from './plain.ts';

/** Finds the values of one slot in a `plain` text. */
export interface Values {
  /** Each once, in the order in which they stand. */
  find: (text: string) => string[];
}

function values(table: Readonly<Record<string, string>>): Values {
  const entries = Object.entries(table).map(
    ([value, pieces]) => [value, everyWord(pieces)] as const,
  );
  return {
    find: (text) =>
      entries
        .map(([value, pattern]) => ({ value, at: text.search(new RegExp(pattern.source, 'iu')) }))
        .filter(({ at }) => at >= 0)
        .sort((one, other) => one.at - other.at)
        .map(({ value }) => value),
  };
}

/** Gold and silver are no colours beside a membership, nor is black on a Friday. */
export const COLOURS = values({
  red: 'red|laal|लाल',
  blue: 'blue|neela|neeli|नीला|नीली|नीले',
  green: 'green|hara|हरा|हरी|हरे',
  black: 'black(?! friday)|kaala|kala|kaali|काला|काली|काले',
  white: 'white|safed|safaid|सफेद',
  yellow: 'yellow|peela|peeli|पीला|पीली|पीले',
  pink: 'pink|gulabi|गुलाबी',
  purple: 'purple|baingani|बैंगनी',
  brown: 'brown|bhoora|bhura|भूरा|भूरी',
  grey: 'gr[ae]y|slethi|स्लेटी',
  orange: 'orange|narangi|नारंगी',
  navy: 'navy(?: blue)?',
  beige: 'beige',
  maroon: 'maroon|मैरून',
  gold: 'golden?(?! (?:member|status|card|level))|sunehra|सुनहरा',
  silver: 'silver(?! (?:member|status|card|level))|चांदी',
});

export const CHANNELS = values({
  WhatsApp: 'whats ?app|watsapp|व्हाट्सएप|व्हाट्सऐप|वाट्सएप',
  SMS: 'sms|text messages?|texts?|एसएमएस',
  'e-mail': 'e-?mails?|mail|ईमेल|मेल',
  telephone: 'phone|calls?|calling|telephone|फोन|कॉल',
  Telegram: 'telegram|टेलीग्राम',
  Instagram: 'instagram|insta|इंस्टाग्राम',
});

export const LANGUAGES = values({
  Hindi: 'hindi|हिंदी|हिन्दी',
  English: 'english|angrezi|अंग्रेजी|इंग्लिश',
  Tamil: 'tamil|तमिल',
  Bengali: 'bengali|bangla|बंगाली|बांग्ला',
  Gujarati: 'gujarati|गुजराती',
  Marathi: 'marathi|मराठी',
  Telugu: 'telugu|तेलुगु',
  Punjabi: 'punjabi|पंजाबी',
});

export const PAYMENTS = values({
  'cash on delivery': 'cod|cash on delivery|cash|कैश ऑन डिलीवरी|कैश|नकद',
  UPI: 'upi|g ?pay|google pay|phone ?pe|paytm|यूपीआई|पेटीएम|फोनपे',
  'credit card': 'credit card(?! (?:bill|number|ko))|क्रेडिट कार्ड',
  'debit card': 'debit card|डेबिट कार्ड',
  PayPal: 'paypal',
  instalments: 'emi|instal?lments?|ईएमआई|किस्त|किश्त',
});

export const RELATIONS = values({
  wife: 'wife|patni|biwi|पत्नी|बीवी',
  husband: 'husband|pati|पति',
  daughter: 'daughter|beti|बेटी',
  son: 'son|beta|bete|बेटा|बेटे',
  mother: 'mother|mom|mum|maa|mummy|mammi|माँ|मां|मम्मी',
  father: 'father|dad|papa|पापा|पिता|पिताजी',
  sister: 'sister|behen|behan|didi|बहन|दीदी',
  brother: 'brother|bhaiya|भाई|भैया',
  child: 'kids?|child|children|baby|bachch?[aeo]n?|बच्चा|बच्चे|बच्चों',
  grandparent: 'grand(?:mother|father|ma|pa)|dadi|dada|nani|nana|दादी|दादा|नानी|नाना',
  friend: 'friend|girlfriend|boyfriend|dost|दोस्त',
  partner: 'partner|fianc[eé]e?',
});

const SIZE_WORDS: Readonly<Record<string, string>> = {
  small: 'S',
  medium: 'M',
  large: 'L',
  'extra large': 'XL',
  'extra small': 'XS',
  एस: 'S',
  एम: 'M',
  एल: 'L',
  एक्सएल: 'XL',
  स्मॉल: 'S',
  मीडियम: 'M',
  लार्ज: 'L',
};

const SIZE = `xx?s|xs|s|m|x{0,4}l|[2-5]xl|\\d{1,2}(?:\\.5)?|extra (?:large|small)|small|medium|large|एक्सएल|एस|एम|एल|स्मॉल|मीडियम|लार्ज`;
const SIZE_WORD = 'sizes?|saiz|साइज|नंबर|नाप';

/** A size stands beside the word `size`, or where one was asked for; a letter or number alone is none. */
const SIZES_NAMED = everyWord(
  `(?:${SIZE_WORD})(?: (?:is|in|of|hai|to|ka|:|=))* (${SIZE})`,
  `(${SIZE}) (?:${SIZE_WORD})`,
  `wear (?:an? )?(?:uk |us |eu )?(${SIZE})`,
);
const SIZES_ALONE = everyWord(`(${SIZE})`);

export function sizesIn(text: string, asked: boolean): string[] {
  const spread = text.replaceAll(/[:=]/g, ' ').replaceAll(/ {2,}/g, ' ');
  const found = [...spread.matchAll(asked ? SIZES_ALONE : SIZES_NAMED)].flatMap(
    (match) => captured(match) ?? [],
  );
  return [...new Set(found.map((size) => SIZE_WORDS[size] ?? size.toUpperCase()))];
}
