import { describe, expect, it } from 'vitest';
import { ExtractiveSummarizer } from '../../src/adapters/summarizer/extractive/extractive-summarizer.ts';
import { transcript } from '../support/transcripts.ts';

const countTokens = (text: string): number => text.split(/\s+/).filter((one) => one !== '').length;
const summarizer = new ExtractiveSummarizer({ countTokens });

describe('what the extractive summarizer keeps to itself', () => {
  const SECRETS = [
    'ann@example.com',
    '98765 43210',
    '4111 1111 1111 1111',
    '482913',
    'hunter2',
    'ann@okbank',
    'ABCDE1234F',
    '९८७६५४३२१०',
  ];

  it('addresses, numbers and codes', async () => {
    const { text, findings: found } = await summarizer.summarize(
      transcript(`
user: I prefer e-mail at ann@example.com, call +91 98765 43210, my OTP is 482913
user: I love paying with 4111 1111 1111 1111. My password: hunter2
user: I prefer UPI ann@okbank. I like ABCDE1234F. मेरा नंबर ९८७६५४३२१० है
assistant: that's 1,299.00 until 2026-01-05`),
      [],
    );
    const all = text + JSON.stringify(found);
    for (const secret of SECRETS) expect(all).not.toContain(secret);
    expect(all).toContain('2026-01-05');
  });
});

describe('the summary of the extractive summarizer', () => {
  it('is the same for the same conversation', async () => {
    const one = transcript('user: I want shoes\nassistant: Here are shoes\nuser: I love shoes');
    expect(await summarizer.summarize(one, [])).toEqual(await summarizer.summarize(one, []));
  });

  it('stays within its budget, and reads all of a long conversation', async () => {
    const lines = Array.from({ length: 3_000 }, (_, at) => `user: Parcel ${at} came late today.`);
    const long = transcript([...lines, 'user: My size is XL'].join('\n'));
    const { text, findings: found } = await summarizer.summarize(long, []);
    expect(countTokens(text)).toBeLessThanOrEqual(120);
    expect(found.map((one) => one.text)).toContain('The user wears size XL.');
  });

  it('takes no longer over what is no sentence', async () => {
    const hostile = [
      'a'.repeat(200_000),
      'mujhe '.repeat(30_000),
      '1-'.repeat(100_000),
      'otp '.repeat(50_000),
    ];
    // What grew with the square of the length would take minutes, and the test's time runs out.
    for (const text of hostile)
      expect((await summarizer.summarize(transcript(`user: ${text}`), [])).findings).toEqual([]);
  }, 60_000);

  it('cuts a sentence that alone is too long, and shows it', async () => {
    const short = new ExtractiveSummarizer({ countTokens, budgetTokens: 6 });
    const { text } = await short.summarize(
      transcript('user: the green parcel with seven blue stars came much too late'),
      [],
    );
    expect(text).toBe('The user: The green parcel …');
  });

  it('tells what stood in the cart and what became of it', async () => {
    const fields = { cart: '[{"product_id":"p1","price":10.5,"quantity":2}]' };
    const { text } = await summarizer.summarize(
      transcript('user: ok', { fields, outcome: 'lost' }),
      [],
    );
    expect(text).toContain(
      'The cart holds 2 items worth 21: it was announced as abandoned, and nothing followed.',
    );
  });

  it('of nothing is empty, and of other languages their own sentences', async () => {
    const nothing = transcript('user:  ');
    expect(await summarizer.summarize(nothing, [])).toEqual({ text: '', findings: [] });
    const system = transcript('system: Be kind to red shoes.');
    expect((await summarizer.summarize(system, [])).text).toBe('The system: Be kind to red shoes.');
    const customer = transcript('customer: I lost my shoes\nsystem: Be kind.\nagent: ok');
    expect((await summarizer.summarize(customer, [])).text).toBe(
      "The customer lost the customer's shoes",
    );
    const tamil = transcript('user: எனக்கு சிவப்பு சட்டை வேண்டும்');
    expect(await summarizer.summarize(tamil, [])).toEqual({
      text: 'The user: எனக்கு சிவப்பு சட்டை வேண்டும்',
      findings: [],
    });
  });

  it('is not begun when nobody waits any more', async () => {
    const gone = AbortSignal.abort(new Error('gone'));
    await expect(summarizer.summarize(transcript('user: hi'), [], gone)).rejects.toThrow('gone');
  });
});
