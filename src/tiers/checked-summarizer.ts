/** Holds any summarizer to its promise: what it gives is checked before anybody keeps it, and it may not take for ever. */
import { z } from 'zod';
import { SummarizerUnavailableError, SummaryRefusedError } from '../model/errors.ts';
import { INSIGHT_KINDS, type Insight, type InsightSource, sourceOf } from '../model/insight.ts';
import { messageText } from '../model/message.ts';
import { foreignLetter } from '../model/scripts.ts';
import type { Transcript } from '../model/transcript.ts';
import type { Summarizer, Summary } from '../ports/summarizer.ts';

/** A long conversation is many questions to a model, each with a minute. */
const TIMEOUT_MS = 10 * 60_000;

const text = z.string().regex(/\S/);
const summarySchema = z.object({
  text: z.string(),
  findings: z.array(
    z.object({
      kind: z.enum(INSIGHT_KINDS),
      text,
      sources: z.array(z.object({ message: text, hash: text })).min(1),
      supersedes: z.array(z.string()).optional(),
    }),
  ),
});

/**
 * A summary goes through only if it has the shape of one, says something wherever something was said, every source is a
 * message of the conversation with its hash, every superseded insight is a known one, and its letters are those of the
 * conversation or of English.
 */
export class CheckedSummarizer implements Summarizer {
  readonly name: string;
  readonly #inner: Summarizer;
  readonly #timeoutMs: number;

  constructor(inner: Summarizer, { timeoutMs = TIMEOUT_MS }: { readonly timeoutMs?: number } = {}) {
    this.name = inner.name;
    this.#inner = inner;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * @throws SummaryRefusedError, SummarizerUnavailableError after `timeoutMs`, the reason of `signal` when it aborts, and
   * what the summarizer itself throws
   */
  async summarize(
    transcript: Transcript,
    known: readonly Insight[],
    signal?: AbortSignal,
  ): Promise<Summary> {
    signal?.throwIfAborted();
    const deadline = AbortSignal.timeout(this.#timeoutMs);
    const end = signal ? AbortSignal.any([signal, deadline]) : deadline;
    // It may not listen to its signal: nobody waits for it any longer than for one that does.
    const late = Promise.withResolvers<never>();
    const onEnd = (): void => late.reject(this.#reasonOf(deadline, end));
    end.addEventListener('abort', onEnd, { once: true });
    try {
      const given = await Promise.race([
        this.#inner.summarize(transcript, known, end),
        late.promise,
      ]);
      return checked(given, transcript, known);
    } catch (error) {
      if (end.aborted) throw this.#reasonOf(deadline, end);
      throw error;
    } finally {
      end.removeEventListener('abort', onEnd);
    }
  }

  #reasonOf(deadline: AbortSignal, end: AbortSignal): Error {
    if (end.reason === deadline.reason && deadline.aborted)
      return new SummarizerUnavailableError(
        `the summarizer ${this.name} did not answer within ${this.#timeoutMs} ms`,
      );
    return end.reason as Error;
  }
}

function checked(
  given: unknown,
  { messages, fields }: Transcript,
  known: readonly Insight[],
): Summary {
  const parsed = summarySchema.safeParse(given);
  if (!parsed.success) throw new SummaryRefusedError('the summary has not the shape of one');
  const { text: summary, findings } = parsed.data;
  const texts = messages.map(({ message }) => messageText(message));
  if (summary.trim() === '' && texts.some((one) => /\p{L}/u.test(one)))
    throw new SummaryRefusedError('the summary is empty, and the conversation is not');
  const sources = new Set(messages.map((said) => sourceKey(sourceOf(said))));
  const ids = new Set(known.map(({ id }) => id));
  for (const finding of findings) {
    if (!finding.sources.every((source) => sources.has(sourceKey(source))))
      throw new SummaryRefusedError('an insight names a source that is not in the conversation');
    if (!(finding.supersedes ?? []).every((id) => ids.has(id)))
      throw new SummaryRefusedError('an insight supersedes one that is not known');
  }
  const written = [summary, ...findings.map((finding) => finding.text)].join('\n');
  const read = [...texts, ...Object.values(fields), ...known.map((insight) => insight.text)];
  // Names of speakers are no part of what they said.
  const named = messages.map(({ message }) => `${JSON.stringify(message['name'])} ${message.role}`);
  if (foreignLetter(written, [...read, ...named].join('\n')))
    throw new SummaryRefusedError(
      'the summary is in letters that neither the conversation nor English has',
    );
  return given as Summary;
}

function sourceKey({ message, hash }: InsightSource): string {
  return JSON.stringify([message, hash]);
}
