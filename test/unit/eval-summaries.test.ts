import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { rouge } from '../../eval/rouge.ts';
import { summaryRows } from '../../eval/summaries.ts';
import { describeUnless } from '../support/did-not-run.ts';

const DIALOGSUM = '../shared/data/dialogues/dialogsum_dev.jsonl';

describe('rouge', () => {
  it('counts words, pairs of words, and the longest common sequence', () => {
    // Common words: the, cat, sat (3 of 4 and 5); pairs: "the cat" (1 of 3 and 4); sequence: the cat sat.
    const score = rouge('The cat quietly sat.', 'the cat has sat down');
    expect(score.rouge1).toBeCloseTo(6 / 9);
    expect(score.rouge2).toBeCloseTo(2 / 7);
    expect(score.rougeL).toBeCloseTo(6 / 9);
  });

  it('takes endings for what they are, and a word that stands twice for two', () => {
    expect(rouge('walked walked', 'walking').rouge1).toBeCloseTo(2 / 3);
    expect(rouge('', 'walking')).toEqual({ rouge1: 0, rouge2: 0, rougeL: 0 });
    expect(rouge('b a', 'a b').rougeL).toBeCloseTo(0.5);
  });
});

describe('summaryRows', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rekindle-eval-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  function file(lines: readonly string[]): string {
    const path = join(folder, 'dialogues.jsonl');
    writeFileSync(path, lines.join('\n'));
    return path;
  }

  it('has a row for each budget, metric and baseline', async () => {
    const dialogue = 'Ann: Hi!\nBen: I lost my red shoes.\nAnn: Where did you lose the shoes?';
    const rows = await summaryRows(
      file([JSON.stringify({ dialogue, summary: 'Ben lost his red shoes.' }), '']),
    );
    expect(rows).toHaveLength(18);
    expect(new Set(rows.map(({ name, k }) => `${name} ${k}`)).size).toBe(18);
    for (const { ours, baseline, met } of rows) expect(met).toBe(ours > baseline);
  });

  it('says which line is no dialogue', async () => {
    const path = file(['{"dialogue":"A: hi","summary":"hi"}', '{"dialogue":1}']);
    await expect(summaryRows(path)).rejects.toThrow('line 2: no dialogue');
    await expect(summaryRows(file(['']))).rejects.toThrow('no dialogues');
  });
});

describeUnless(
  existsSync(DIALOGSUM) ? undefined : `${DIALOGSUM} is not there`,
  'on dialogues that people summarized',
  () => {
    it('our summaries are better than the first and the longest turns, by every metric', async () => {
      const rows = await summaryRows(DIALOGSUM);
      expect(rows.filter(({ met }) => !met)).toEqual([]);
    }, 60_000);
  },
);
