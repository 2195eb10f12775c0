/** `current`: what holds of a user now, as it stands in the cold tier. */
import { z } from 'zod';
import { DamagedObjectError, UserErasedError } from '../model/errors.ts';
import { insightSchema } from '../model/insight-schema.ts';
import type { Insight, SupersededInsight } from '../model/insight.ts';
import { mergeInsights } from '../model/insights.ts';
import { COLD_PAGE_MAX, type ColdStore, type CurrentObject } from '../ports/cold.ts';
import { type InsightRecord, parseRecord } from './cold-records.ts';

const VERSION = 1;

/** What is superseded names its successor for so many insights; the records keep all that was found. */
const SUPERSEDED_MAX = 100;

/** Conversations that are known to be merged, the latest: a compactor that died repeats one of them. */
const MERGED_MAX = 100;

/** How often another writer may come first. */
const ATTEMPTS_MAX = 10;

const schema = z.object({
  version: z.literal(VERSION),
  /** Token of the compactor that wrote it: one with a smaller token writes no more. */
  fence: z.number(),
  /** When the latest of its conversations ended. */
  at: z.number(),
  insights: z.array(insightSchema),
  superseded: z.array(insightSchema.extend({ supersededBy: z.string() })),
  /** Names of the transcripts that were merged last. */
  merged: z.array(z.string()),
});

interface Current {
  readonly fence: number;
  readonly at: number;
  readonly insights: readonly Insight[];
  readonly superseded: readonly SupersededInsight[];
  readonly merged: readonly string[];
}

const NONE: Current = { fence: 0, at: 0, insights: [], superseded: [], merged: [] };

/** @throws DamagedObjectError if it cannot be understood */
function parseCurrent({ text, version }: CurrentObject): Current {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    // Its words would quote what was learned.
    throw new DamagedObjectError('`current` of a user cannot be understood', { version });
  }
}

/**
 * What holds of a user; of whom nothing was learned, nothing does. What is damaged is put together anew from the records of
 * the conversations, and stands as it is until the next merge.
 */
export async function insightsOf(cold: ColdStore, user: string): Promise<readonly Insight[]> {
  return (await standingOf(cold, user)).current.insights;
}

/**
 * Merges what was learned of one conversation, against what stands at that moment; a repeat changes nothing.
 * @param fence the compactor's token
 * @throws UserErasedError if the user was erased since
 */
export async function mergeIntoCurrent(
  cold: ColdStore,
  record: InsightRecord,
  fence: number,
): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const { user, transcript } = record;
    const { current: before, version: expected, damaged } = await standingOf(cold, user);
    if (before.fence > fence)
      throw new Error('another compactor has taken this user over; it goes on where this one was');
    if (before.merged.includes(transcript) && !damaged) return;
    const { at, ...merged } = mergedWith(before, record);
    const text = JSON.stringify({ version: VERSION, ...merged, at, fence });
    const outcome = await cold.putCurrent(user, text, { expected, at });
    if (outcome === 'erased') throw new UserErasedError();
    if (outcome === 'written') return;
  }
  throw new Error('`current` of the user was changed again and again');
}

function mergedWith(
  before: Current,
  { user, transcript, endedAt, findings }: InsightRecord,
): Current {
  if (before.merged.includes(transcript)) return before;
  const context = { user, conversation: transcript, at: endedAt };
  const { current: insights, superseded } = mergeInsights(before.insights, findings, context);
  return {
    fence: before.fence,
    at: Math.max(before.at, endedAt),
    insights,
    superseded: [...before.superseded, ...superseded].slice(-SUPERSEDED_MAX),
    merged: [...before.merged, transcript].slice(-MERGED_MAX),
  };
}

interface Standing {
  readonly current: Current;
  readonly version: string | undefined;
  readonly damaged: boolean;
}

async function standingOf(cold: ColdStore, user: string): Promise<Standing> {
  try {
    const standing = await cold.current(user);
    const current = standing ? parseCurrent(standing) : NONE;
    return { current, version: standing?.version, damaged: false };
  } catch (error) {
    if (!(error instanceof DamagedObjectError) || error.version === undefined) throw error;
    return { current: await madeAnew(cold, user), version: error.version, damaged: true };
  }
}

/** From the records, in their order: of a damaged one what it found is lost to `current`, and its transcript stands. */
async function madeAnew(cold: ColdStore, user: string): Promise<Current> {
  let current = NONE;
  let after: string | undefined;
  do {
    const names = await cold.names(user, 'insights', { limit: COLD_PAGE_MAX, after });
    for (const name of names) {
      try {
        const text = await cold.get(user, 'insights', name);
        if (text !== undefined) current = mergedWith(current, parseRecord(name, text));
      } catch (error) {
        if (!(error instanceof DamagedObjectError)) throw error;
      }
    }
    after = names.length < COLD_PAGE_MAX ? undefined : names.at(-1);
  } while (after !== undefined);
  return current;
}
