/** How a user shops, and what worked with them: read from words and outcome together. */
import type { Finding, InsightSource } from '../../../model/insight.ts';
import type { Outcome, Transcript } from '../../../model/transcript.ts';
import type { Heard } from './heard.ts';
import { languageOf } from './language.ts';
import { word } from './plain.ts';

const DISCOUNT = word(
  'discounts?|coupons?|promo(?: code)?s?|vouchers?|cheaper|best price|price match|deals?',
  'sasta|saste|(?:price|rate|daam|thoda|thora|kuch) kam (?:karo|kar|kijiye|karenge|hoga)|chhoot|chhut|offer(?:s)? (?:hai|milega)',
  'छूट|डिस्काउंट|कूपन|सस्ता|सस्ते|कम (?:करो|कीजिए|करें)',
);
const SHIPPING = word(
  '(?:shipping|delivery|postage)(?: [a-z]+){0,3} (?:costs?|fees?|charges?|expensive|high|much|price)|(?:costs?|charges?|fees?|pay)(?: [a-z]+){0,2} (?:shipping|delivery|postage)',
  '(?:delivery|shipping) (?:charge|charges|fee|ka|ke|kitna|bahut|zyada|mehenga)',
  '(?:डिलीवरी|शिपिंग) (?:चार्ज|शुल्क|का|के|बहुत|महंगा|महंगी)',
);
const RETURNS = word(
  'refund|return policy|(?:return|returning|exchange|exchanging|send back) (?:it|this|that|these|them|an?|my|the|some)|send (?:it|this|them) back',
  '(?:wapas|vaapas|wapis) (?:kar(?:na|ne|o|do)?|bhej(?:na|ne)|le lo)|return karn[ae]',
  'वापस (?:कर(?:ना|ने|ो|ें)|भेज(?:ना|ने))|रिफंड|लौटा(?:ना|ने)',
);

/** What an assistant can do to win an order; the sentence goes on after `after the assistant`. */
const LEVERS: readonly (readonly [done: string, said: RegExp])[] = [
  [
    'offered a discount',
    word(
      'discount|coupon|promo(?: code)?|voucher|% off|percent off|off your (?:order|cart)|छूट|डिस्काउंट|कूपन|chhoot',
    ),
  ],
  [
    'offered free delivery',
    word(
      'free (?:shipping|delivery)|(?:shipping|delivery) (?:is|hai) free|muft delivery|फ्री डिलीवरी|मुफ्त डिलीवरी',
    ),
  ],
  ['offered a free return', word('free (?:returns?|exchange)|easy returns?|फ्री रिटर्न')],
  [
    'said that few are left',
    word(
      '(?:only|just) \\d+ (?:left|remaining)|few left|almost (?:gone|sold out)|selling fast|sirf \\d+ bach[ei]|सिर्फ \\p{Nd}+ बचे',
    ),
  ],
  ['helped with the size', word('sizes?|fits?|size chart|measurements?|साइज|नाप')],
  [
    'reminded of the cart',
    word(
      '(?:in|left in|waiting in) your (?:cart|basket|bag)|your (?:cart|basket|bag)|complete your (?:order|purchase)|aap(?:ka|ki|ke) cart|आपके? कार्ट',
    ),
  ],
];

const RESULT: Readonly<Record<Outcome, string>> = {
  ordered: 'An order followed, without a reminder,',
  recovered: 'An order followed a reminder',
  returned: 'The user came back after a reminder but did not order',
  lost: 'No order followed a reminder',
};

const PATTERN: Readonly<Partial<Record<Outcome, string>>> = {
  recovered: 'The user orders after a reminder.',
  returned: 'The user comes back after a reminder without ordering.',
  lost: 'The user leaves carts behind and does not answer reminders.',
};

/** What an outcome is put down to stands among the last words before it. */
const LAST_MESSAGES = 3;

/** Fewer messages say nothing of how somebody writes. */
const WRITTEN_MESSAGES = 2;

export function behaviourIn(heard: readonly Heard[], { outcome }: Transcript): Finding[] {
  const users = heard.filter(({ by }) => by === 'user');
  return [
    ...pattern('The user asks about discounts.', saying(users, DISCOUNT)),
    ...pattern('The user asks for returns or refunds.', saying(users, RETURNS)),
    ...shipping(users, outcome),
    ...writing(users),
    ...(outcome === undefined ? [] : consequences(heard, outcome)),
  ];
}

function saying(heard: readonly Heard[], what: RegExp): InsightSource[] {
  return heard
    .filter(({ sentences }) => sentences.some(({ plain }) => what.test(plain)))
    .map(({ source }) => source);
}

function pattern(text: string, sources: readonly InsightSource[]): Finding[] {
  return sources.length === 0 ? [] : [{ kind: 'pattern', text, sources }];
}

function shipping(users: readonly Heard[], outcome: Outcome | undefined): Finding[] {
  const late = saying(users.slice(-LAST_MESSAGES), SHIPPING);
  if (outcome === 'lost' && late.length > 0)
    return pattern('The user leaves the cart when the cost of delivery comes up.', late);
  return pattern('The user asks about the cost of delivery.', saying(users, SHIPPING));
}

function writing(users: readonly Heard[]): Finding[] {
  const mixed = users.filter(({ text }) => languageOf(text) === 'mixed');
  const hindi = users.filter(({ text }) => languageOf(text) === 'hindi');
  const [most, text] =
    hindi.length >= mixed.length
      ? [hindi, 'The user writes in Hindi.']
      : [mixed, 'The user writes in Hindi with Latin letters.'];
  if (most.length < WRITTEN_MESSAGES || most.length * 2 <= users.length) return [];
  return pattern(
    text,
    most.map(({ source }) => source),
  );
}

function consequences(heard: readonly Heard[], outcome: Outcome): Finding[] {
  const last = heard.at(-1);
  if (last === undefined) return [];
  const findings = pattern(PATTERN[outcome] ?? '', PATTERN[outcome] ? [last.source] : []);
  const answers = heard.filter(({ by }) => by === 'other').slice(-LAST_MESSAGES);
  for (const [done, said] of LEVERS) {
    const sources = saying(answers, said);
    if (sources.length === 0) continue;
    findings.push({
      kind: 'lesson',
      text: `${RESULT[outcome]} after the assistant ${done}.`,
      sources,
    });
    break;
  }
  return findings;
}
