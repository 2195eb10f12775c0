/** What a model is to answer, and whether it did. */
import { z } from 'zod';
import { SummaryRefusedError } from '../../../model/errors.ts';
import {
  type Finding,
  INSIGHT_KINDS,
  type Insight,
  type InsightSource,
} from '../../../model/insight.ts';
import { masked } from '../../../model/mask.ts';
import type { Summary } from '../../../ports/summarizer.ts';
import { foreignLetter } from '../../../model/scripts.ts';

/** Longer ones are no single statement. */
const TEXT_MAX = 400;

/** More from one piece of a conversation is no choice. */
const FINDINGS_MAX = 50;

/** Bounds are refinements: strict structured output knows shapes only, and the schema sent is made from this. */
const answerSchema = z.strictObject({
  summary: z.string().refine((text) => text.trim() !== '', 'empty'),
  insights: z
    .array(
      z.strictObject({
        kind: z.enum(INSIGHT_KINDS),
        text: z
          .string()
          .refine((text) => text.trim() !== '' && text.length <= TEXT_MAX, 'empty or too long'),
        sources: z.array(z.string()).refine((sources) => sources.length > 0, 'empty'),
        supersedes: z.array(z.string()),
      }),
    )
    .refine((insights) => insights.length <= FINDINGS_MAX, 'too many'),
});

const { $schema: _, ...jsonSchema } = z.toJSONSchema(answerSchema);

/** JSON Schema of an answer, as structured output takes it. */
export const ANSWER_SCHEMA: Readonly<Record<string, unknown>> = jsonSchema;

/** What an answer may refer to, by the labels that stood in the question. */
export interface Asked {
  readonly sources: ReadonlyMap<string, InsightSource>;
  readonly known: ReadonlyMap<string, Insight>;
  /** All that stood in the question and was said by somebody. */
  readonly text: string;
}

/**
 * Understands an answer.
 * @throws SummaryRefusedError if it is half or no JSON, has another shape, names what was not asked about, or is in
 * letters that neither the question nor English has. French in place of English is not noticed
 */
export function understood(answer: string, asked: Asked): Summary {
  const { summary, insights } = shaped(answer);
  const findings = insights.map(({ kind, text, sources, supersedes }): Finding => {
    const finding = {
      kind,
      text: masked(text.trim()),
      sources: [...new Set(sources)].map((label) => known(asked.sources, label, 'source')),
    };
    const ids = [...new Set(supersedes)].map((label) => known(asked.known, label, 'insight').id);
    return ids.length === 0 ? finding : { ...finding, supersedes: ids };
  });
  const written = [summary, ...findings.map(({ text }) => text)].join('\n');
  if (foreignLetter(written, asked.text))
    throw new SummaryRefusedError(
      'the answer is in letters that neither the conversation nor English has',
    );
  return { text: masked(summary.trim()), findings };
}

function shaped(answer: string): z.infer<typeof answerSchema> {
  let value: unknown;
  try {
    value = JSON.parse(answer);
  } catch {
    throw new SummaryRefusedError('the answer is no JSON, or half of one');
  }
  const parsed = answerSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  // Its path and code alone: a message may repeat what the model wrote.
  const where = issue?.path.filter((key) => typeof key === 'number' || key in answerKeys).join('.');
  throw new SummaryRefusedError(
    `the answer has another shape than was asked for: ${issue?.code ?? 'unknown'} at ${where === undefined || where === '' ? 'its top' : where}`,
  );
}

const answerKeys = { summary: 1, insights: 1, kind: 1, text: 1, sources: 1, supersedes: 1 };

function known<T>(all: ReadonlyMap<string, T>, label: string, what: string): T {
  const found = all.get(label);
  if (found === undefined)
    throw new SummaryRefusedError(`the answer names a ${what} that was not in the question`);
  return found;
}
