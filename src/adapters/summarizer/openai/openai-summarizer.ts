/** A summarizer that asks a model of OpenAI, Azure OpenAI, or any server that speaks as they do. */
import { SummarizerUnavailableError, SummaryRefusedError } from '../../../model/errors.ts';
import {
  type Finding,
  type Insight,
  type InsightSource,
  sourceOf,
} from '../../../model/insight.ts';
import type { Said } from '../../../model/said.ts';
import type { Transcript } from '../../../model/transcript.ts';
import type { Summarizer, Summary } from '../../../ports/summarizer.ts';
import { Chat, type ChatErrors, type ChatOptions } from '../../openai/chat.ts';
import { ANSWER_SCHEMA, understood } from './answer.ts';
import { type Piece, chunksOf } from './chunks.ts';
import { INSTRUCTIONS, knownLabel, messageLabel, questionOf } from './question.ts';

export interface OpenAiSummarizerOptions extends ChatOptions {
  readonly countTokens: (text: string) => number;
  /** Of the messages in one question. Default 12,000: with instructions and answer it fits a window of 16,000. */
  readonly chunkTokens?: number;
}

const CHUNK_TOKENS = 12_000;

const ERRORS: ChatErrors = {
  unavailable: (message) => new SummarizerUnavailableError(message),
  refused: (message) => new SummaryRefusedError(message),
};

/**
 * Sends every message, in several questions where one would be too long. An answer counts only if each of its insights
 * names messages of its question: else all of it is refused, and nothing is kept of the others. What is sent goes to the
 * model as it was said; of what comes back, numbers of people and e-mail addresses are masked.
 */
export class OpenAiSummarizer implements Summarizer {
  readonly name: string;
  readonly #chat: Chat;
  readonly #options: Pick<Required<OpenAiSummarizerOptions>, 'chunkTokens' | 'countTokens'>;

  constructor({ countTokens, chunkTokens = CHUNK_TOKENS, ...chat }: OpenAiSummarizerOptions) {
    this.name = `${chat.azure ? 'azure-openai' : 'openai'}/${chat.model}`;
    this.#chat = new Chat(chat, ERRORS);
    this.#options = { countTokens, chunkTokens };
  }

  /** @throws SummarizerUnavailableError, SummaryRefusedError; the reason of `signal` when it aborts */
  async summarize(
    transcript: Transcript,
    known: readonly Insight[],
    signal?: AbortSignal,
  ): Promise<Summary> {
    const summaries: Summary[] = [];
    for (const pieces of chunksOf(transcript.messages, this.#options)) {
      signal?.throwIfAborted();
      const text = questionOf(pieces, transcript, known);
      const answer = await this.#chat.ask(
        { instructions: INSTRUCTIONS, text, answer: { name: 'summary', schema: ANSWER_SCHEMA } },
        signal,
      );
      const sources = pieces.map(({ index }) => labelled(index, transcript.messages));
      const insights = known.map((insight, index) => [knownLabel(index), insight] as const);
      const said = textOf(pieces, transcript, known);
      summaries.push(
        understood(answer, { sources: new Map(sources), known: new Map(insights), text: said }),
      );
    }
    return joined(summaries);
  }
}

function labelled(index: number, messages: readonly Said[]): readonly [string, InsightSource] {
  const said = messages[index];
  if (said === undefined) throw new SummaryRefusedError('a piece of no message');
  return [messageLabel(index), sourceOf(said)];
}

function textOf(
  pieces: readonly Piece[],
  { fields }: Transcript,
  known: readonly Insight[],
): string {
  return [
    ...pieces.map(({ text }) => text),
    ...known.map(({ text }) => text),
    ...Object.values(fields),
  ].join('\n');
}

/** What several pieces of a conversation say: what is said in two of them has the sources of both. */
function joined(summaries: readonly Summary[]): Summary {
  const findings = new Map<string, Finding>();
  for (const finding of summaries.flatMap((summary) => summary.findings)) {
    const key = `${finding.kind}\0${finding.text.toLowerCase()}`;
    const other = findings.get(key);
    findings.set(key, other ? both(other, finding) : finding);
  }
  return {
    text: summaries.map(({ text }) => text).join('\n'),
    findings: [...findings.values()],
  };
}

function both(one: Finding, other: Finding): Finding {
  const sources = [...one.sources, ...other.sources].map(
    (source) => [`${source.message}\0${source.hash}`, source] as const,
  );
  const supersedes = [...new Set([...(one.supersedes ?? []), ...(other.supersedes ?? [])])];
  const finding = { kind: one.kind, text: one.text, sources: [...new Map(sources).values()] };
  return supersedes.length === 0 ? finding : { ...finding, supersedes };
}
