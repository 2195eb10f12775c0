/** Puts together what recall asks: hot as it is connected, the tiers beside it as soon as somebody recalls. */
import type { Hot } from './compose.ts';
import type { ColdStore } from './ports/cold.ts';
import type { WarmStore } from './ports/warm.ts';
import type { CountTokens } from './recall/budget.ts';
import type { RecallPorts } from './recall/recall.ts';
import { remembered } from './recall/remembered.ts';

/** Opens the tiers that may be away while hot is there, or gives those that are open. */
export interface BesideHot {
  readonly openWarm: () => Promise<WarmStore>;
  readonly openCold: () => Promise<ColdStore>;
}

/** A tier that cannot be opened is away, and keeps nobody waiting. */
export function recallPorts(
  { clock, records }: Pick<Hot, 'clock' | 'records'>,
  { openWarm, openCold }: BesideHot,
  countTokens: CountTokens,
): RecallPorts {
  return {
    clock,
    records,
    countTokens: remembered(countTokens),
    warm: {
      find: async (...asked) => (await openWarm()).find(...asked),
      search: async (...asked) => (await openWarm()).search(...asked),
      similar: async (...asked) => (await openWarm()).similar(...asked),
      recalled: async (...asked) => (await openWarm()).recalled(...asked),
    },
    cold: { current: async (owner) => (await openCold()).current(owner) },
  };
}
