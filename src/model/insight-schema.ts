/** Insights as they are stored: read back, they are checked, for anybody may have written there. */
import { z } from 'zod';
import { INSIGHT_KINDS } from './insight.ts';

const instant = z.int().nonnegative();

export const insightSourceSchema = z.strictObject({
  message: z.string().min(1),
  hash: z.string().min(1),
});

export const insightSchema = z.strictObject({
  id: z.string().min(1),
  kind: z.enum(INSIGHT_KINDS),
  text: z.string().min(1),
  sources: z.array(insightSourceSchema).min(1),
  conversations: z.array(z.string().min(1)).min(1),
  firstAt: instant,
  lastAt: instant,
});
