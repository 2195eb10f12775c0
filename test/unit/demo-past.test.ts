import { expect, test } from 'vitest';
import { ExtractiveSummarizer } from '../../src/adapters/summarizer/extractive/extractive-summarizer.ts';
import { planShoppers } from '../../src/demo/shoppers.ts';
import { TALKS } from '../../src/demo/talks.ts';
import { timingFor } from '../../src/demo/timing.ts';
import { said } from '../../src/model/said.ts';

const summarizer = new ExtractiveSummarizer({ countTokens: (text) => text.length });
const everyTalk = Object.entries(TALKS).flatMap(([language, talks]) =>
  talks.map((talk, index) => ({ name: `${language} ${index}`, talk })),
);

test.each(everyTalk)('the earlier visit of talk $name teaches something', async ({ talk }) => {
  const messages = talk.first.flatMap(([asked, answered], index) => [
    said(JSON.stringify({ id: `asked-${index}`, role: 'user', content: asked })),
    said(JSON.stringify({ id: `answered-${index}`, role: 'assistant', content: answered })),
  ]);
  const outcome = talk.ordered ? ('ordered' as const) : undefined;
  const transcript = { user: 'ann', startedAt: 1, endedAt: 2, messages, fields: {}, outcome };
  const { findings } = await summarizer.summarize(transcript, []);
  const kinds = findings.map(({ kind }) => kind);
  expect(kinds).toContain('preference');
  expect(kinds).toContain(talk.ordered ? 'lesson' : 'mistake');
});

test('who has been here before asks about it first, in the later part of the time, through the library', () => {
  const crowd = { seed: 1, users: 300, foreigners: true, pasts: true };
  const shoppers = planShoppers(crowd, timingFor(20)).filter(({ past }) => past);
  expect(shoppers).toHaveLength(20);
  for (const { past, foreign, acts } of shoppers) {
    expect(foreign).toBe(false);
    expect(acts[0]).toMatchObject({ does: 'says', text: past?.question, recalls: true });
    expect(acts[0]?.atMs).toBeGreaterThanOrEqual(8_000);
    expect(acts.every(({ atMs }) => atMs <= 20_000)).toBe(true);
  }
});

test('nobody has been here before unless it is asked for', () => {
  const shoppers = planShoppers({ seed: 1, users: 60, foreigners: true }, timingFor(20));
  expect(shoppers.every(({ past }) => past === undefined)).toBe(true);
});
