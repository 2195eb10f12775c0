import { describe, expect, it } from 'vitest';
import {
  OpenAiSummarizer,
  type OpenAiSummarizerOptions,
} from '../../src/adapters/summarizer/openai/openai-summarizer.ts';
import { SummarizerUnavailableError, SummaryRefusedError } from '../../src/model/errors.ts';
import type { Insight } from '../../src/model/insight.ts';
import type { Summary } from '../../src/ports/summarizer.ts';
import { type AskedOfModel, type ModelReply, startOpenAiServer } from '../support/openai-server.ts';
import { transcript } from '../support/transcripts.ts';

const KEY = 'sk-very-secret-key';
const countTokens = (text: string): number => Math.ceil(text.length / 4);

const TALK = transcript(
  `
user: My zebra parcel came late, I want it in red
assistant: मुझे खेद है
user: Never mind`,
  { outcome: 'lost', fields: { cart: '[{"product_id":"p1"}]', phone: '+491234567' } },
);

const KNOWN: Insight = {
  id: 'known-id',
  kind: 'preference',
  text: 'The user likes blue.',
  sources: [{ message: 'x', hash: 'y' }],
  conversations: ['c0'],
  firstAt: 1,
  lastAt: 1,
};

function answer(insight: Readonly<Record<string, unknown>> = {}, summary = 'They talked.'): string {
  const good = { kind: 'preference', text: 'The user likes red.', sources: ['m1'], supersedes: [] };
  return JSON.stringify({ summary, insights: [{ ...good, ...insight }] });
}

async function ask(
  reply: ModelReply | ((asked: AskedOfModel, n: number) => ModelReply),
  {
    talk = TALK,
    signal,
    ...options
  }: Partial<OpenAiSummarizerOptions> & { talk?: typeof TALK; signal?: AbortSignal } = {},
): Promise<{ summary?: Summary; error?: unknown; asked: readonly AskedOfModel[] }> {
  await using server = await startOpenAiServer(typeof reply === 'function' ? reply : () => reply);
  const base = options.azure
    ? { azure: { ...options.azure, endpoint: server.url } }
    : { baseUrl: `${server.url}/v1` };
  const summarizer = new OpenAiSummarizer({
    model: 'some-model',
    apiKey: KEY,
    countTokens,
    timeoutMs: 5_000,
    ...options,
    ...base,
  });
  const { asked } = server;
  return await summarizer.summarize(talk, [KNOWN], signal).then(
    (summary) => ({ summary, asked }),
    (error: unknown) => ({ error, asked }),
  );
}

describe('a summarizer that asks a model', () => {
  it('gives what the model finds, with the messages and hashes it comes from', async () => {
    const { summary, asked } = await ask({ content: answer({ supersedes: ['k1'] }) });
    const [first] = TALK.messages;
    expect(summary).toEqual({
      text: 'They talked.',
      findings: [
        {
          kind: 'preference',
          text: 'The user likes red.',
          sources: [{ message: 'm1', hash: first?.identity }],
          supersedes: ['known-id'],
        },
      ],
    });
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({ path: '/v1/chat/completions', model: 'some-model' });
    expect(asked[0]?.headers['authorization']).toBe(`Bearer ${KEY}`);
    expect(asked[0]?.question).toContain('outcome: lost');
    expect(asked[0]?.question).toContain('zebra');
    expect(asked[0]?.question).not.toContain('+491234567');
    expect(asked[0]?.schema).toMatchObject({ type: 'object', additionalProperties: false });
  });

  it('asks Azure at its own address, with its own header', async () => {
    const azure = { endpoint: 'set below', apiVersion: '2024-10-21' };
    const { summary, asked } = await ask({ content: answer() }, { azure });
    expect(summary?.findings).toHaveLength(1);
    expect(asked[0]?.path).toBe(
      '/openai/deployments/some-model/chat/completions?api-version=2024-10-21',
    );
    expect(asked[0]?.headers['api-key']).toBe(KEY);
  });

  it('asks Azure with a token where it is given one', async () => {
    const azure = { endpoint: 'set below', apiVersion: '2024-10-21' };
    const { asked } = await ask(
      { content: answer() },
      { azure, apiKey: async () => 'token-of-entra' },
    );
    expect(asked[0]?.headers['authorization']).toBe('Bearer token-of-entra');
  });

  it('masks what should not have been learned', async () => {
    const { summary } = await ask({
      content: answer({ text: 'The user is at ann@example.com.' }, 'Call +91 98765 43210.'),
    });
    expect(summary?.text).toBe('Call [number].');
    expect(summary?.findings[0]?.text).toBe('The user is at [e-mail].');
  });

  it('asks again after 429 and 503, and goes on', async () => {
    const { summary, asked } = await ask((_asked, n) =>
      n < 2 ? { status: n === 0 ? 429 : 503 } : { content: answer() },
    );
    expect(summary?.findings).toHaveLength(1);
    expect(asked).toHaveLength(3);
  });

  it('lets the letters of the conversation stand in an answer', async () => {
    const { summary } = await ask({ content: answer({ text: 'The user says “खेद”.' }) });
    expect(summary?.findings).toHaveLength(1);
  });
});

describe('a summarizer that asks a model refuses', () => {
  it.each([
    ['nonsense', { content: 'Sure! Here is your summary.' }, 'no JSON'],
    ['half JSON', { content: answer().slice(0, 40) }, 'no JSON'],
    ['half an answer', { content: answer(), finish: 'length' }, 'broke off'],
    ['another shape', { content: '{"summary":"zebra","zebra":[]}' }, 'another shape'],
    ['an unknown kind', { content: answer({ kind: 'zebra' }) }, 'invalid_value at insights.0.kind'],
    ['an empty summary', { content: answer({}, ' ') }, 'custom at summary'],
    ['no sources', { content: answer({ sources: [] }) }, 'custom at insights.0.sources'],
    ['invented sources', { content: answer({ sources: ['m1', 'm9'] }) }, 'not in the question'],
    ['invented insights', { content: answer({ supersedes: ['zebra'] }) }, 'not in the question'],
    ['another language', { content: answer({ text: 'Любит красный.' }) }, 'letters'],
    ['another script', { content: answer({}, '他们谈话') }, 'letters'],
    ['a refusal', { refusal: 'zebra' }, 'refuses'],
    ['nothing', { raw: '{}' }, 'no answer'],
  ] as const)('%s', async (_name, reply, says) => {
    const { summary, error } = await ask(reply);
    expect(summary).toBeUndefined();
    expect(error).toBeInstanceOf(SummaryRefusedError);
    expect(String(error)).toContain(says);
    expect(inFull(error)).not.toMatch(/zebra|very-secret/);
  });
});

describe('a summarizer that asks a model says that it cannot be reached', () => {
  it.each([
    ['the key is wrong', { status: 401 }, '401', 1],
    ['the server fails for good', { status: 500 }, '500', 3],
    ['the body is none', { raw: '<html>zebra' }, 'cannot read', 1],
  ] as const)('%s', async (_name, reply, says, times) => {
    const { error, asked } = await ask(reply);
    expect(error).toBeInstanceOf(SummarizerUnavailableError);
    expect(String(error)).toContain(says);
    expect(asked).toHaveLength(times);
    expect(inFull(error)).not.toMatch(/zebra|very-secret/);
  });

  it.each([
    ['never answers', { hang: true }],
    ['stops in the middle', { stall: '{"id":' }],
  ] as const)('the server %s', async (_name, reply) => {
    const { error } = await ask(reply, { timeoutMs: 200 });
    expect(error).toBeInstanceOf(SummarizerUnavailableError);
    expect(String(error)).toContain('200 ms');
  });

  it('nobody is there', async () => {
    const summarizer = new OpenAiSummarizer({
      model: 'm',
      apiKey: KEY,
      countTokens,
      baseUrl: 'http://127.0.0.1:1/v1',
      retries: 0,
    });
    await expect(summarizer.summarize(TALK, [])).rejects.toThrow('cannot be reached');
  });

  it('or ends with the reason of whoever waits no longer', async () => {
    const signal = AbortSignal.timeout(100);
    const { error } = await ask({ hang: true }, { signal });
    expect(error).toBe(signal.reason);
  });
});

describe('an oversized conversation', () => {
  const lines = Array.from({ length: 40 }, (_, at) => `user: message ${at} ${'word '.repeat(20)}`);
  const LONG = transcript([...lines, `user: ${'🙂long '.repeat(300)}end`].join('\n'));

  it('is asked in pieces, nothing left out, and what they find is put together', async () => {
    const { summary, asked } = await ask(
      ({ question }) => ({
        content: answer(
          { sources: labels(question).slice(0, 1) },
          `Piece of ${labels(question).length}.`,
        ),
      }),
      { talk: LONG, chunkTokens: 200 },
    );
    expect(asked.length).toBeGreaterThan(5);
    const sent = asked.flatMap(({ question }) => messagesIn(question));
    for (const [index, { message }] of LONG.messages.entries()) {
      const parts = sent.filter(({ label }) => label === `m${index + 1}`);
      expect(parts.map(({ text }) => text).join('')).toBe(message.content);
    }
    for (const { question } of asked)
      expect(
        messagesIn(question).reduce((sum, { text }) => sum + countTokens(text), 0),
      ).toBeLessThanOrEqual(200);
    expect(summary?.findings).toHaveLength(1);
    const from = new Set(asked.map(({ question }) => labels(question)[0]));
    expect(summary?.findings[0]?.sources).toHaveLength(from.size);
    expect(summary?.text.split('\n')).toHaveLength(asked.length);
  });

  it('is refused whole when one piece names messages of another', async () => {
    const { summary, error } = await ask({ content: answer() }, { talk: LONG, chunkTokens: 200 });
    expect(summary).toBeUndefined();
    expect(error).toBeInstanceOf(SummaryRefusedError);
  });
});

interface Sent {
  readonly label: string;
  readonly text: string;
}

function messagesIn(question: string): Sent[] {
  const [, messages = ''] = question.split('messages:\n');
  return messages.split('\n').map((line) => JSON.parse(line) as Sent);
}

function labels(question: string): string[] {
  return messagesIn(question).map(({ label }) => label);
}

/** All that a log could print of an error. */
function inFull(error: unknown): string {
  const { stack = '', cause, ...rest } = error as Error & Record<string, unknown>;
  return [stack, String(error), JSON.stringify(rest), String(cause)].join('\n');
}
