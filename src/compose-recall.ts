/** Puts together what recall asks: hot as it is connected, the tiers beside it as soon as somebody recalls. */
import type { Hot } from './compose.ts';
import type { ColdStore } from './ports/cold.ts';
import type { WarmStore } from './ports/warm.ts';
import type { CountTokens } from './recall/budget.ts';
import { remembered } from './recall/remembered.ts';
import type { RecallPorts } from './recall/recall.ts';

/** The tiers that may be away while hot is there. */
export interface BesideHot {
  /** Undefined: there is none. */
  readonly warm: WarmStore | undefined;
  readonly cold?: ColdStore | undefined;
}

/** @param open opens the tiers, or gives those that are open; one that cannot be opened is away, and keeps nobody waiting */
export function recallPorts(
  { clock, records }: Pick<Hot, 'clock' | 'records'>,
  open: () => Promise<BesideHot>,
  countTokens: CountTokens,
): RecallPorts {
  return {
    clock,
    records,
    countTokens: remembered(countTokens),
    warm: {
      find: async (...asked) => (await open()).warm?.find(...asked) ?? NO_PAGE,
      search: async (...asked) => (await open()).warm?.search(...asked) ?? [],
      similar: async (...asked) => (await open()).warm?.similar(...asked) ?? [],
      recalled: async (...asked) => (await open()).warm?.recalled(...asked),
    },
    cold: { current: async (owner) => (await open()).cold?.current(owner) },
  };
}

const NO_PAGE = { items: [], cursor: undefined };
