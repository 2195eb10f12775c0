import { describe, expect, it } from 'vitest';
import { ExtractiveSummarizer } from '../../src/adapters/summarizer/extractive/extractive-summarizer.ts';
import type { Finding, Insight } from '../../src/model/insight.ts';
import type { Outcome } from '../../src/model/transcript.ts';
import { transcript } from '../support/transcripts.ts';

const countTokens = (text: string): number => text.split(/\s+/).filter((one) => one !== '').length;
const summarizer = new ExtractiveSummarizer({ countTokens });

async function findings(lines: string, outcome?: Outcome): Promise<readonly Finding[]> {
  const parts = outcome === undefined ? {} : { outcome };
  return (await summarizer.summarize(transcript(lines, parts), [])).findings;
}

async function texts(lines: string, outcome?: Outcome): Promise<string[]> {
  return (await findings(lines, outcome)).map(({ text }) => text);
}

function known(id: string, text: string): Insight {
  const sources = [{ message: 'm1', hash: 'h1' }];
  return { id, kind: 'preference', text, sources, conversations: ['c1'], firstAt: 1, lastAt: 1 };
}

describe('what the extractive summarizer learns', () => {
  it('from English, each with the messages it comes from', async () => {
    const found = await findings(`
user: Hi, I wear size 9. My name is Ann Smith.
assistant: What colour would you like?
user: Blue please
user: Please contact me on WhatsApp, don't call me.
user: I love cotton socks, not wool. My budget is 3000 rupees.
user: I always compare prices before buying.`);
    const lines = found.map(
      ({ kind, text, sources }) =>
        `${kind}: ${text} ${sources.map(({ message }) => message).join(' ')}`,
    );
    expect(lines).toEqual([
      'preference: The user wears size 9. m1',
      'fact: The user is called Ann Smith. m1',
      'preference: The user likes the colour blue. m2 m3',
      'preference: The user wants to be contacted by WhatsApp. m4',
      'preference: The user does not want to be contacted by telephone. m4',
      'preference: The user likes cotton socks. m5',
      'preference: The user does not like wool. m5',
      'preference: The user wants to spend at most 3000 rupees. m5',
      'preference: The user always compares prices before buying. m6',
    ]);
  });

  it('from Hindi in Latin letters', async () => {
    const found = await texts(
      `
user: Mujhe red nahi blue kurta chahiye, mera size M hai
assistant: Ye raha blue kurta
user: mujhe cotton pasand hai, polyester pasand nahi hai
user: WhatsApp pe bhej do, call mat karna
user: maine bola tha size M, ye galat size hai
user: main Pune mein rehta hoon, mera naam Ravi hai, hindi mein baat karo
user: meri beti ke liye bhi ek frock chahiye red colour mein
user: delivery charge bahut zyada hai`,
      'lost',
    );
    expect(found).toEqual([
      'The user does not like the colour red.',
      'The user likes the colour blue.',
      'The user wears size M.',
      'The user likes cotton.',
      'The user does not like polyester.',
      'The user wants to be contacted by WhatsApp.',
      'The user does not want to be contacted by telephone.',
      'The user is called Ravi.',
      'The user lives in Pune.',
      'The user wants to talk in Hindi.',
      'The user shops for a relative: daughter.',
      'The user was given the wrong size.',
      'The user leaves the cart when the cost of delivery comes up.',
      'The user writes in Hindi with Latin letters.',
      'The user leaves carts behind and does not answer reminders.',
    ]);
  });

  it('from Hindi', async () => {
    const found = await texts(`
user: मुझे लाल रंग पसंद नहीं है, नीला चाहिए। मेरा साइज़ एम है।
assistant: ठीक है, यह नीली कमीज़ देखिए।
user: मुझे सूती कपड़े पसंद हैं। मुझे कॉल मत कीजिए, व्हाट्सएप पर भेजें।
user: मेरा नाम राहुल शर्मा है। मैं दिल्ली में रहता हूँ। मेरा बजट 2000 रुपये है।
user: यह गलत साइज़ है, मैंने एल कहा था।
user: कुछ छूट मिलेगी? मैं कैश ऑन डिलीवरी से पेमेंट करूँगा`);
    expect(found).toEqual([
      'The user does not like the colour red.',
      'The user likes the colour blue.',
      'The user wears size M.',
      'The user likes सूती कपड़े.',
      'The user does not want to be contacted by telephone.',
      'The user wants to be contacted by WhatsApp.',
      'The user is called राहुल शर्मा.',
      'The user lives in दिल्ली.',
      'The user wants to spend at most 2000 रुपये.',
      'The user prefers to pay by cash on delivery.',
      'The user was given the wrong size.',
      'The user asks about discounts.',
      'The user writes in Hindi.',
    ]);
  });

  it.each([
    ["I don't want red or pink.", ['red: no', 'pink: no']],
    ['I want navy instead of black.', ['navy: yes', 'black: no']],
    ['I want blue, not green', ['blue: yes', 'green: no']],
    ['I never wear yellow', ['yellow: no']],
    ["I don't mind black", []],
    ["I don't hate green", []],
    ['Do you have it in red?', []],
    ['My wife likes red', []],
    ['I need to return the red shirt', []],
    ['the red one was nice', []],
    ['Mujhe laal nahi chahiye', ['red: no']],
    ['mujhe safed nahi kaala chahiye', ['white: no', 'black: yes']],
    ['मुझे हरा नहीं चाहिए', ['green: no']],
  ])('denied or not: %s', async (line, expected) => {
    const colours = (await texts(`user: ${line}`)).flatMap((text) => {
      const [, not, colour] = /(does not like|likes) the colour (\w+)/.exec(text) ?? [];
      return colour === undefined ? [] : [`${colour}: ${not === 'likes' ? 'yes' : 'no'}`];
    });
    expect(colours).toEqual(expected);
  });

  it.each([
    ['Text Daniel that I am late', []],
    ['Remind me to call the plumber', []],
    ['can i have the phone number please', []],
    ['Daniel ko text karo', []],
    ['Call me Ann', ['The user is called Ann.']],
    ['Stop calling me!', ['The user does not want to be contacted by telephone.']],
    ['please text me', ['The user wants to be contacted by SMS.']],
    ['email mat karna', ['The user does not want to be contacted by e-mail.']],
    ['Can you reply in Hindi please', ['The user wants to talk in Hindi.']],
    ["I'd like to hear Pink Floyd", []],
    ['I want the Pink Floyd shirt', []],
    ['Is my credit card bill paid', []],
    ['I only pay by UPI', ['The user prefers to pay by UPI.']],
    ['COD chahiye', ['The user prefers to pay by cash on delivery.']],
    ['I can spend up to $30, no more', ['The user wants to spend at most $30.']],
    ['I am vegetarian', ['The user is vegetarian.']],
    ['I love it', []],
    ['I hate my old shoes', ['The user does not like their old shoes.']],
    ['I love Nike', ['The user likes Nike.']],
    ['I wear size M, is it there?', ['The user wears size M.']],
    ['Do you have size M?', []],
    ['main hamesha cotton pehenta hoon', ['The user says: “main hamesha cotton pehenta hoon”.']],
  ])('how to serve the user: %s', async (line, expected) => {
    expect(await texts(`user: ${line}`)).toEqual(expected);
  });

  it('what the assistant got wrong, and what had to be asked twice', async () => {
    const found = await findings(`
user: When will my blue parcel arrive at home?
assistant: We have many parcels.
user: That's not what I asked.
user: When will my blue parcel arrive at my home?
assistant: I see.
user: when will the blue parcel arrive at home?`);
    const mistakes = found.filter(({ kind }) => kind === 'mistake');
    expect(mistakes.map(({ text }) => text)).toEqual([
      "The user corrected the assistant: “That's not what I asked”.",
      'The user had to ask again: “When will my blue parcel arrive at home?”.',
    ]);
    expect(mistakes[0]?.sources.map(({ message }) => message)).toEqual(['m2', 'm3']);
  });

  it.each([
    ['recovered', 'An order followed a reminder after the assistant offered a discount.'],
    ['lost', 'No order followed a reminder after the assistant offered a discount.'],
    [
      'returned',
      'The user came back after a reminder but did not order after the assistant offered a discount.',
    ],
    ['ordered', 'An order followed, without a reminder, after the assistant offered a discount.'],
  ] as const)('what worked and what did not: %s', async (outcome, lesson) => {
    const found = await findings('user: hm\nassistant: Take a discount of 10%', outcome);
    expect(found.filter(({ kind }) => kind === 'lesson')).toMatchObject([
      { text: lesson, sources: [{ message: 'm2' }] },
    ]);
  });

  it('of what contradicts itself the later, and which known insights it replaces', async () => {
    const before = [
      known('size', 'The user wears size S.'),
      known('shoes', 'The user wears size 9.'),
      known('red', 'The user likes the colour red.'),
      known('blue', 'The user likes the colour blue.'),
      known('call', 'The user wants to be contacted by telephone.'),
      known('free', 'Some model wrote this.'),
    ];
    const said = transcript(`
user: I wear size M
user: no wait, I wear size L
user: I don't want red, please contact me on WhatsApp`);
    const { findings: found } = await summarizer.summarize(said, before);
    expect(found.map(({ text, supersedes }) => [text, supersedes])).toEqual([
      ['The user wears size L.', ['size']],
      ['The user does not like the colour red.', ['red']],
      ['The user wants to be contacted by WhatsApp.', ['call']],
    ]);
  });
});
