/** What is asked of recall, and what it gives. */
import type { Cart } from '../model/cart.ts';
import type { Insight } from '../model/insight.ts';
import type { Tier } from './budget.ts';

/** What to recall, and within which limits. */
export interface RecallRequest {
  /** What is to be answered, in the user's words or anybody's; without it, what was said last comes first. */
  readonly query?: string | undefined;
  /** What was said of this topic within 7 days comes before all else. */
  readonly topic?: string | undefined;
  /** The embedding of the query, where entries have such. */
  readonly embedding?: readonly number[] | undefined;
  /** Tokens of `o200k_base`, a whole number from 0; default 2,700. */
  readonly budgetTokens?: number | undefined;
  /** How long each tier may take, in milliseconds; default 500. They are asked at the same time. */
  readonly deadlineMs?: number | undefined;
  /** When it is asked, Unix milliseconds; default: now. */
  readonly at?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A message that is delivered. */
export interface RecalledMessage {
  readonly id: string;
  readonly role: string;
  /** The message's `name`, else its role. */
  readonly speaker: string;
  readonly text: string;
  /** Unix milliseconds; undefined where nobody knows. */
  readonly at: number | undefined;
  /** Its share of the budget, as `buildContext` shows it. */
  readonly tokens: number;
}

/** An insight that is delivered. */
export interface RecalledInsight
  extends Pick<Insight, 'id' | 'kind' | 'text' | 'lastAt' | 'sources'> {
  readonly tokens: number;
}

/**
 * `budget`: no room. `duplicate`: it is delivered from another tier. `deadline`: the tier did not answer in time.
 * `unavailable`: it answered with an error. `unread`: beyond what is looked through. `unreadable`: not understood.
 */
export type DropReason =
  | 'budget'
  | 'duplicate'
  | 'deadline'
  | 'unavailable'
  | 'unread'
  | 'unreadable';

/** Something that was left out. */
export interface Dropped {
  readonly tier: Tier;
  readonly reason: DropReason;
  /** Of the message, insight or entry; `cart`, `state`; undefined: all that the tier would have given. */
  readonly id?: string;
  readonly detail?: string;
}

/** What is recalled, and what is not. */
export interface Recalled {
  /** Of the hot session: cart, state, and the latest messages, oldest first. */
  readonly immediate: {
    readonly cart: Cart;
    readonly state: Readonly<Record<string, string>>;
    readonly messages: readonly RecalledMessage[];
  };
  /** Of earlier, the best first. */
  readonly relevant: readonly RecalledMessage[];
  readonly insights: readonly RecalledInsight[];
  /** Of all three, never above the budget. */
  readonly tokens: number;
  readonly dropped: readonly Dropped[];
}
