/** Conversations for tests of summarizers. */
import { said } from '../../src/model/said.ts';
import type { Outcome, Transcript } from '../../src/model/transcript.ts';

export interface TranscriptParts {
  readonly fields?: Readonly<Record<string, string>>;
  readonly outcome?: Outcome;
}

const START_AT = Date.UTC(2026, 0, 5);

/** `user: Hi` or `assistant: Hello`, one a line; ids are m1, m2 … */
export function transcript(
  lines: string,
  { fields = {}, outcome }: TranscriptParts = {},
): Transcript {
  const messages = lines
    .trim()
    .split('\n')
    .map((line, index) => {
      const [, role = 'unknown', content = ''] = /^\s*(\w+): (.*)$/.exec(line) ?? [];
      const id = `m${index + 1}`;
      return said(JSON.stringify({ id, role, content, at: START_AT + index * 60_000 }));
    });
  const endedAt = START_AT + (messages.length - 1) * 60_000;
  return { user: 'ann', startedAt: START_AT, endedAt, messages, fields, outcome };
}
