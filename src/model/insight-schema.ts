/** Insights as they are stored: read back, they are checked, for anybody may have written there. */
import { z } from 'zod';
import { DamagedObjectError } from './errors.ts';
import { INSIGHT_KINDS, type Insight } from './insight.ts';

const instant = z.int().nonnegative();

const sourceSchema = z.strictObject({ message: z.string().min(1), hash: z.string().min(1) });

export const insightSchema = z.strictObject({
  id: z.string().min(1),
  kind: z.enum(INSIGHT_KINDS),
  text: z.string().min(1),
  sources: z.array(sourceSchema).min(1),
  conversations: z.array(z.string().min(1)).min(1),
  firstAt: instant,
  lastAt: instant,
});

const insightsSchema = z
  .array(insightSchema)
  .refine((all) => new Set(all.map(({ id }) => id)).size === all.length, 'an id stands twice');

/**
 * Reads a JSON array of insights.
 * @throws DamagedObjectError if it is none; says where, and nothing of what it holds
 */
export function parseInsights(text: string): readonly Insight[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new DamagedObjectError('insights: no JSON');
  }
  const parsed = insightsSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  // What a schema says of a wrong key or value may repeat it; its code does not.
  const where = issue && issue.path.length > 0 ? ` at ${issue.path.join('.')}` : '';
  const what = issue?.code === 'custom' ? issue.message : (issue?.code ?? 'not understood');
  throw new DamagedObjectError(`insights${where}: ${what}`);
}
