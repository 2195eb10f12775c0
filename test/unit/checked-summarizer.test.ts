import { describe, expect, it } from 'vitest';
import { ExtractiveSummarizer } from '../../src/adapters/summarizer/extractive/extractive-summarizer.ts';
import { CheckedSummarizer } from '../../src/tiers/checked-summarizer.ts';
import { SummarizerUnavailableError, SummaryRefusedError } from '../../src/model/errors.ts';
import type { Summarizer } from '../../src/ports/summarizer.ts';
import { transcript } from '../support/transcripts.ts';

const TALK = transcript('user: I wear size M\nassistant: ठीक है');
const [FIRST] = TALK.messages;
const SOURCE = { message: 'm1', hash: FIRST!.identity };

function giving(summary: unknown): CheckedSummarizer {
  return checking(async () => summary as never);
}

function checking(summarize: Summarizer['summarize']): CheckedSummarizer {
  return new CheckedSummarizer({ name: 'some', summarize }, { timeoutMs: 50 });
}

function finding(more: Readonly<Record<string, unknown>> = {}): unknown {
  const good = { kind: 'preference', text: 'The user wears size M.', sources: [SOURCE] };
  return { text: 'Sizes.', findings: [{ ...good, ...more }] };
}

describe('a checked summarizer', () => {
  it('lets through what is in order, as it was given', async () => {
    const good = finding({ text: 'The user says ठीक है.' });
    expect(await giving(good).summarize(TALK, [])).toBe(good);
    const extractive = new CheckedSummarizer(new ExtractiveSummarizer({ countTokens: () => 1 }));
    expect((await extractive.summarize(TALK, [])).findings).toHaveLength(1);
  });

  it.each([
    ['nothing', undefined],
    ['nonsense', 'a summary'],
    ['an empty summary', { text: ' ', findings: [] }],
    ['another kind', finding({ kind: 'secret' })],
    ['no sources', finding({ sources: [] })],
    ['an invented source', finding({ sources: [SOURCE, { message: 'm9', hash: 'secret' }] })],
    ['a source of another text', finding({ sources: [{ message: 'm1', hash: 'secret' }] })],
    ['an invented insight', finding({ supersedes: ['secret'] })],
    ['another language', finding({ text: 'Размер M' })],
  ])('refuses %s', async (_name, given) => {
    const refusal = giving(given).summarize(TALK, []);
    await expect(refusal).rejects.toThrow(SummaryRefusedError);
    await expect(refusal).rejects.not.toThrow(/secret/);
  });

  it('waits for none that hangs, whether it listens or not', async () => {
    const hanging = checking(() => new Promise(() => undefined));
    await expect(hanging.summarize(TALK, [])).rejects.toThrow(SummarizerUnavailableError);
    const listening = checking(
      (_talk, _known, signal) =>
        new Promise((_resolve, reject) =>
          signal?.addEventListener('abort', () => reject(new Error('heard'))),
        ),
    );
    await expect(listening.summarize(TALK, [])).rejects.toThrow('within 50 ms');
  });

  it('throws what the summarizer throws, and the reason of whoever waits no longer', async () => {
    const failing = checking(async () => {
      throw new Error('broken');
    });
    await expect(failing.summarize(TALK, [])).rejects.toThrow('broken');
    const hanging = checking(() => new Promise(() => undefined));
    const gone = new AbortController();
    const waiting = hanging.summarize(TALK, [], gone.signal);
    gone.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
  });
});
