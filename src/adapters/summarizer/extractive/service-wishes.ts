/** How a user wants to be served: reached over which channel, spoken to in which language, paying how. */
import type { Clause } from './clauses.ts';
import { word } from './plain.ts';
import type { Statement } from './statement.ts';
import { CHANNELS, LANGUAGES, PAYMENTS } from './values.ts';

const POLITE = '(?:(?:please|kindly|just|only|so|and|you can|can you|could you|better)[ ,]+)*';
const TO_ME = '(?:me|us|mujhe|muje|mujhko|मुझे|मुझको|हमें)';
const BY = '(?:on|by|via|through|over|with|in|pe|par|se|पर|से)';

/** Whom a text or a call goes to decides: `text me`, not `text Daniel`. */
const CONTACT = new RegExp(
  [
    `^${POLITE}(?:(?:don't|dont|do not|never|stop) )?(?:contact|reach|message|text|write|notify|update|ping|call|e-?mail|whatsapp)(?: to)? ${TO_ME}(?![\\p{L}])`,
    `^${POLITE}(?:no|stop|without)(?: more| phone)? (?:calls?|calling|texts?|texting|sms|e-?mails?|messages)`,
    `^${POLITE}send (?:${TO_ME} )?(?:[a-z]+ ){0,3}${BY} `,
    `^i(?:'d)?(?: [a-z]+)? (?:prefer|like)(?: to be)?(?: contacted| reached| messaged)?(?: ${BY})? (?:whatsapp|e-?mails?|sms|text messages|phone calls|calls|telegram)$`,
    `(?:^|\\s)${BY} (?:hi |ही )?(?:bhej|bata|message|contact|sampark|update|भेज|बता|मैसेज|संपर्क)`,
    `(?:^|\\s)(?:mat|na|मत|ना) (?:karo|karna|kare|karen|karein|kijiye|kijie|करो|करना|करें|कीजिए|कीजिएगा)`,
    `(?:^|\\s)(?:mujhe|muje|mujhko|मुझे|मुझको) (?:whatsapp|e-?mail|call|sms|phone|message|text|व्हाट्सएप|ईमेल|कॉल|फोन|मैसेज) (?:karo|karna|kare|karen|karein|kijiye|kar do|करो|करना|करें|कीजिए)`,
  ].join('|'),
  'u',
);

/** What is sent to somebody else, and a number that is asked for. */
const NOT_TO_ME = word(
  '(?<!mujh )ko|(?<!mujh )को|(?:phone )?number|(?:phone )?bill|नंबर|alarm|remind(?:er)?',
);

const NO_MORE = word('stop|no more');

const LANGUAGE = word(
  '(?:speak|talk|reply|write|answer|chat|respond|explain|continue)(?: [a-z]+){0,3} (?:in )?[a-z]+',
  '(?:in )?[a-z]+ please|please (?:use|speak|in) [a-z]+|i(?: [a-z]+)? prefer (?:to (?:speak|talk|chat|write) (?:in )?)?[a-z]+',
  '[a-z]+ (?:mein|me|mei|main) (?:[a-z]+ )?(?:baat|bolo|boliye|likho|likhiye|jawab|samjhao|samjhaiye|reply|batao|bataiye)',
  '[\\p{L}\\p{M}]+ में (?:बात|बोल(?:ो|ें|िए)|लिख(?:ो|ें|िए)|जवाब|समझा(?:ओ|इए)|बता(?:ओ|इए))',
);

const PAYING = word(
  "i(?:'ll|'d|'m)?(?: [a-z]+){0,3} (?:pay|paying|prefer|use)",
  '(?:se |से )?(?:payment|pay|पेमेंट|भुगतान) (?:karunga|karungi|karna|kar dunga|kar dungi|karta|karti|करूंगा|करूंगी|करना|करता|करती)',
  '(?:cod|upi|emi|cash on delivery|कैश ऑन डिलीवरी|यूपीआई) (?:nahi |नहीं )?(?:chahiye|chahie|pasand|चाहिए|पसंद)',
);

/** @param nameless the sentence says no name: `call me Ann` asks for no call */
export function wishesIn(clause: Clause, nameless: boolean): Statement[] {
  const { text, negated } = clause;
  const wishes: Statement[] = [];
  if (nameless && CONTACT.test(text) && !NOT_TO_ME.test(text)) {
    const positive = !negated && !NO_MORE.test(text);
    for (const value of CHANNELS.find(text)) wishes.push({ slot: 'channel', value, positive });
  }
  const language = negated ? undefined : LANGUAGE.exec(text)?.[0];
  for (const value of language === undefined ? [] : LANGUAGES.find(language).slice(0, 1))
    wishes.push({ slot: 'language', value, positive: true });
  if (PAYING.test(text))
    for (const value of PAYMENTS.find(text))
      wishes.push({ slot: 'payment', value, positive: !negated });
  return wishes;
}
