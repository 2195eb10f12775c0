import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { templateLanguage } from '../../src/adapters/drafter/templates/language.ts';
import { TemplatesDrafter } from '../../src/adapters/drafter/templates/templates-drafter.ts';
import type { CartItem } from '../../src/model/cart.ts';
import type { Draft, DraftRequest } from '../../src/ports/drafter.ts';
import { announcement } from '../support/announcement.ts';

interface Asked extends Partial<Omit<DraftRequest, 'about' | 'context'>> {
  readonly stage?: number;
  readonly stages?: number;
  readonly items?: readonly CartItem[];
  readonly count?: number;
  readonly learned?: readonly string[];
}

function draft({
  stage = 0,
  stages = 3,
  items,
  count,
  learned = [],
  language = 'en',
  channel = 'whatsapp',
  template = false,
}: Asked = {}): Promise<Draft> {
  const { data } = announcement({ stage, stages });
  const goods = items ?? data.cart.items ?? [];
  const cart = { ...data.cart, items: goods, count: count ?? goods.length };
  const insights = learned.map((text) => ({ kind: 'preference' as const, text }));
  const context = { said: '> user: my secret is swordfish', insights };
  return new TemplatesDrafter().draft({
    about: { ...data, cart },
    context,
    language,
    channel,
    template,
  });
}

function named(...names: readonly string[]): CartItem[] {
  return names.map((name, n) => ({ product_id: `p${n}`, name }));
}

describe('a template', () => {
  test.each([
    ['en', 0, 'Hi! We have kept Red shoes for you. Shall we help you finish your order?'],
    ['en', 1, 'Hi again! Red shoes can still be yours. Is there anything you would like to know?'],
    [
      'en',
      2,
      'A last word from us about Red shoes: write to us if you still want it. We will not remind you again.',
    ],
    ['hi', 0, 'नमस्ते! Red shoes हमने आपके लिए रखा है। क्या ऑर्डर पूरा करने में हम मदद करें?'],
    ['hi', 1, 'नमस्ते! Red shoes अब भी आपके लिए उपलब्ध है। क्या आप कुछ पूछना चाहेंगे?'],
    [
      'hi',
      2,
      'Red shoes के बारे में यह हमारा आख़िरी संदेश है। अगर अब भी चाहिए तो हमें लिखें। इसके बाद हम याद नहीं दिलाएँगे।',
    ],
    ['hi-en', 0, 'Hi! Red shoes humne aapke liye rakha hai. Order poora karne mein help karein?'],
    ['hi-en', 1, 'Hi! Red shoes ab bhi available hai. Kuch poochna ho to bataiye.'],
    [
      'hi-en',
      2,
      'Red shoes ke baare mein yeh hamara aakhri message hai. Ab bhi chahiye to humein likhiye. Iske baad hum yaad nahin dilayenge.',
    ],
  ])('in %s at stage %d of three says for a chat: %s', async (language, stage, text) => {
    for (const channel of ['whatsapp', 'sms', 'web'])
      expect(await draft({ language, stage, channel })).toEqual({
        text,
        language,
        by: 'templates/1',
      });
  });

  test.each([
    ['en', 'We have kept your cart for you', 'A last word about your cart'],
    ['hi', 'आपका कार्ट हमने सँभालकर रखा है', 'आपके कार्ट के बारे में आख़िरी संदेश'],
    ['hi-en', 'Aapka cart humne sambhal kar rakha hai', 'Aapke cart ke baare mein aakhri message'],
  ])('in %s is a mail with a subject and paragraphs', async (language, first, last) => {
    const mail = await draft({ language, channel: 'Email' });
    expect(mail.subject).toBe(first);
    expect(mail.text.split('\n\n')).toHaveLength(3);
    expect(mail.text).toContain('Red shoes');
    expect(await draft({ language, channel: 'email', stage: 2 })).toMatchObject({ subject: last });
  });

  test('of the only stage there is does not say that it is the last', async () => {
    expect((await draft({ stage: 0, stages: 1 })).text).toContain('We have kept');
  });

  test.each([
    [named('Red shoes', 'Hat'), 2, 'Red shoes and Hat'],
    [named('Red shoes', 'Hat', 'Scarf', 'Belt'), 4, 'Red shoes, Hat, and 2 more'],
    [named('Hat', 'Hat'), 2, 'kept Hat for'],
    [[{ product_id: 'p1' }], 1, 'the item in your cart'],
    [[{ product_id: 'p1' }, { product_id: 'p2' }], 2, 'the items in your cart'],
    // Too large a cart to be announced with what is in it.
    [[], 200, 'the items in your cart'],
  ])('names of %j what a glance takes in: %s', async (items, count, text) => {
    expect((await draft({ items, count })).text).toContain(text);
  });

  test.each([
    'https://evil.example/win',
    'Shoes www.evil.example',
    'evil.com',
    'mail me@evil.example',
    '<b>Shoes</b>',
    '\u202e\u200b',
  ])('does not name what is called %j', async (name) => {
    expect((await draft({ items: named(name) })).text).toContain('the item in your cart');
  });

  test('stays short and in one line, whatever things are called', async () => {
    const name = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 500 }),
      fc.constant('न'.repeat(900)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(name, { maxLength: 5 }), async (names) => {
        const { text } = await draft({ items: named(...names) });
        expect(text.length).toBeLessThan(1_500);
        expect(text).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u);
      }),
      { numRuns: 300 },
    );
  });

  test.each([
    ['The user asked twice when delivery would be.', 'If it is about delivery'],
    ['The user worries about refunds.', 'If it is about returns'],
    ['The user finds it expensive.', 'If it is about the price'],
    ['Shoes of this shop are too tight.', 'If it is about the fit'],
    ['The user wears size M.', 'And it is in your size.'],
  ])('answers to what was learned (%s) in its own words', async (learned, says) => {
    const { text } = await draft({ learned: [learned] });
    expect(text).toContain(says);
    expect(text).not.toContain(learned);
  });

  test.each([
    ['that has nothing to do with the cart', 'The user wears size XL.'],
    ['that fits no worry', 'The user has an operation on Monday and lives at Rose Lane.'],
  ])('says nothing of what was learned %s', async (_what, learned) => {
    expect(await draft({ learned: [learned] })).toEqual(await draft());
  });

  test('never repeats what was said', async () => {
    for (const channel of ['whatsapp', 'email'])
      expect(JSON.stringify(await draft({ channel }))).not.toContain('swordfish');
  });

  test('that must be worded as approved has a place for the names alone', async () => {
    const learned = ['The user worries about delivery.'];
    expect(await draft({ learned, template: true })).toEqual(await draft());
  });
});

test.each([
  [undefined, 'en'],
  ['', 'en'],
  ['en-GB', 'en'],
  ['de', 'en'],
  ['hi', 'hi'],
  ['hi-IN', 'hi'],
  ['hi_IN', 'hi'],
  ['Hindi', 'hi'],
  ['hi-Deva-IN', 'hi'],
  ['hi-Latn', 'hi-en'],
  ['hi-Latn-IN', 'hi-en'],
  ['hi-en', 'hi-en'],
  ['Hinglish', 'hi-en'],
  ['his', 'en'],
])('a session in %j is written to in %s', (said, language) => {
  expect(templateLanguage(said)).toBe(language);
});
