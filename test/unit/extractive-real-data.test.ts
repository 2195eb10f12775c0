import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ExtractiveSummarizer } from '../../src/adapters/summarizer/extractive/extractive-summarizer.ts';
import { languageOf } from '../../src/adapters/summarizer/extractive/language.ts';
import { describeUnless } from '../support/did-not-run.ts';
import { transcript } from '../support/transcripts.ts';

const CHATS = '../shared/data/dialogues/abcd_sample.json';
const LINES = '../shared/data/dialogues/lang_lines_3000.jsonl';

const countTokens = (text: string): number => text.split(/\s+/).filter((one) => one !== '').length;
const summarizer = new ExtractiveSummarizer({ countTokens });

interface Chat {
  readonly original: readonly (readonly [who: string, text: string])[];
}

interface Line {
  readonly text: string;
  readonly lang: string;
}

const absent = (file: string): string | undefined =>
  existsSync(file) ? undefined : `${file} is not there`;

describeUnless(absent(CHATS), 'chats of a shop', () => {
  const chats = (): Chat[] => JSON.parse(readFileSync(CHATS, 'utf8')) as Chat[];

  it('are learned from, and no number of a customer is kept', async () => {
    const kinds = new Set<string>();
    for (const { original } of chats()) {
      const lines = original.map(([who, text]) => `${who === 'customer' ? 'user' : who}: ${text}`);
      const { text, findings } = await summarizer.summarize(transcript(lines.join('\n')), []);
      const kept = text + JSON.stringify(findings.map((finding) => finding.text));
      expect(kept).not.toMatch(/\d{7}|@|\(\d{3}\) ?\d{3}/);
      expect(text).not.toBe('');
      expect(findings.length).toBeGreaterThan(0);
      for (const { kind } of findings) kinds.add(kind);
    }
    expect(kinds).toContain('mistake');
    expect(kinds).toContain('pattern');
  });
});

describeUnless(absent(LINES), 'lines of chat in several languages', () => {
  const lines = (): Line[] =>
    readFileSync(LINES, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);

  it('English is hardly ever taken for Hindi, and most Hindi in Latin letters is known', () => {
    const share = (lang: string, as: string): number => {
      const all = lines().filter((line) => line.lang === lang);
      return all.filter(({ text }) => languageOf(text) === as).length / all.length;
    };
    expect(share('en', 'english')).toBeGreaterThan(0.99);
    expect(share('hi-en', 'mixed')).toBeGreaterThan(0.75);
  });

  it('orders to a telephone teach hardly anything about a shopper', async () => {
    let taught = 0;
    for (const { text } of lines()) {
      const { findings } = await summarizer.summarize(transcript(`user: ${text}`), []);
      if (findings.length > 0) taught += 1;
    }
    expect(taught / lines().length).toBeLessThan(0.01);
  }, 60_000);
});
