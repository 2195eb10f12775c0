import type { CloseReason, Ledger, Touch } from '../model/ledger.ts';
import type { Problem } from '../model/problem.ts';
import type { Evidence } from './attribution.ts';
import type { Facts } from './facts.ts';

export interface PolicySettings {
  /** Thresholds of inactivity, ascending; at least one. */
  readonly stagesMs: readonly number[];
  /** How long after the last stage an episode stays closed to further announcements. */
  readonly cooldownMs: number;
  /** A cart below this value is not announced. */
  readonly minCartValue: number;
  /** How long a session of ours lives after its last activity; Infinity: it never ends by itself. */
  readonly hotTtlMs: number;
  /** How long before its end a session is copied to warm; half its life where that is shorter. */
  readonly demoteLeadMs: number;
  /** How long what is known of a user is kept after the last activity, once session and episode are gone. */
  readonly ledgerTtlMs: number;
}

export type CancelReason = 'resumed' | Exclude<CloseReason, 'cooled_down'>;

/** An event as the policy means it; `events.ts` gives it its wire form. */
export type EventDraft =
  | {
      readonly type: 'cart.abandoned';
      readonly episode: number;
      readonly stage: number;
      readonly sequence: number;
      readonly activityAt: number;
      readonly validUntil: number;
      readonly facts: Facts;
    }
  | {
      readonly type: 'cart.rescue_cancelled';
      readonly episode: number;
      readonly stage: number;
      readonly sequence: number;
      readonly activityAt: number;
      readonly reason: CancelReason;
    }
  | ({
      readonly type: 'cart.touched';
      readonly episode: number;
      readonly sequence: number;
    } & Touch)
  | {
      readonly type: 'cart.recovered';
      readonly episode: number;
      readonly sequence: number;
      readonly evidence: Evidence;
    };

export interface Decision {
  /** The ledger to write; undefined when there is nothing new to record. */
  readonly ledger: Ledger | undefined;
  readonly events: readonly EventDraft[];
  /** Queue a demotion: the session nears its end, or has reached it, or what its window pushed out fills a segment. */
  readonly demote: boolean;
  /** Why the session is (still) in quarantine. */
  readonly problem: Problem | undefined;
  /** When to look next; undefined: when somebody touches the session. */
  readonly nextAt: number | undefined;
}

/** What one look decides on, and what it has decided so far; `draft` is the ledger being written. */
export interface Look {
  readonly facts: Facts;
  readonly draft: Ledger;
  readonly events: EventDraft[];
  readonly settings: PolicySettings;
  readonly now: number;
  readonly firstSight: boolean;
  readonly orderCame: boolean;
  /** Latest activity of the user, as this look counts it; 0: none yet. */
  readonly activityAt: number;
}
