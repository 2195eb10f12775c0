import { coldPlace, openStandingCold } from '../compose-cold.ts';
import type { Config } from '../config.ts';
import { errorMessage } from '../model/errors.ts';
import type { InsightKind } from '../model/insight.ts';
import type { Clock } from '../ports/clock.ts';
import { COLD_PAGE_MAX, type ColdKind, type ColdStore } from '../ports/cold.ts';
import { insightsOf } from '../tiers/current-insights.ts';
import { instantOf } from './inspect-warm.ts';

/** What the cold tier holds of a user, or why nobody can tell. */
export type ColdView =
  | { readonly place: string; readonly problem: string }
  | {
      readonly place: string;
      readonly transcripts: number;
      readonly records: number;
      /** What holds now, the best supported first. */
      readonly insights: readonly InsightView[];
    };

interface InsightView {
  readonly id: string;
  readonly kind: InsightKind;
  /** Conversations that say so. */
  readonly support: number;
  readonly last: string;
  readonly text?: string;
}

/** Reads what there is; makes no folder. @param text what the insights say, too */
export async function lookIntoCold(
  user: string,
  config: Config,
  clock: Clock,
  text: boolean,
): Promise<ColdView> {
  const place = coldPlace(config);
  try {
    const cold = await openStandingCold(config, clock);
    if (!cold)
      return { place, problem: 'there is no such folder: nothing was compacted from here' };
    try {
      const insights = await insightsOf(cold, user);
      return {
        place,
        transcripts: await countOf(cold, user, 'transcripts'),
        records: await countOf(cold, user, 'insights'),
        insights: insights.map((one) => ({
          id: one.id,
          kind: one.kind,
          support: one.conversations.length,
          last: instantOf(one.lastAt),
          ...(text && { text: one.text }),
        })),
      };
    } finally {
      await cold.close();
    }
  } catch (error) {
    return { place, problem: errorMessage(error) };
  }
}

async function countOf(cold: ColdStore, user: string, kind: ColdKind): Promise<number> {
  let count = 0;
  let after: string | undefined;
  do {
    const names = await cold.names(user, kind, { limit: COLD_PAGE_MAX, after });
    count += names.length;
    after = names.length < COLD_PAGE_MAX ? undefined : names.at(-1);
  } while (after !== undefined);
  return count;
}
