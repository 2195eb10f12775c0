import type { RecoveryClass, RescueCancelledData } from '../model/event.ts';

/** What an announcement said of contact; `holdout`: it may be contacted by nobody, so that the effect can be measured. */
export type Allowed = 'yes' | 'no' | 'unknown' | 'holdout';

/** What every fact says of itself. Instants are Unix milliseconds. */
interface FactBase {
  /** Of the event: the same fact has the same id, however often it is told. */
  readonly id: string;
  readonly user: string;
  /** When the episode opened: what of it is told after an erasure that came later is refused. */
  readonly episodeAt: number;
  /** When it was decided: counts for retention. */
  readonly decidedAt: number;
}

/** A stage of an episode was announced. */
export interface AnnouncedFact extends FactBase {
  readonly kind: 'announced';
  readonly stage: number;
  /** The session's; null where it named none. */
  readonly channel: string | null;
  readonly allowed: Allowed;
}

/** What became of an announcement. */
export type OutcomeFact = FactBase & {
  /** The announcement's id. It may be told later than this, or never. */
  readonly announcement: string;
  /** When it happened. */
  readonly at: number;
} & (
    | { readonly kind: 'cancelled'; readonly reason: RescueCancelledData['reason'] }
    | { readonly kind: 'touched'; readonly channel: string }
    | { readonly kind: 'recovered'; readonly class: RecoveryClass; readonly value: number }
  );

/** A user was erased: what began before goes, and what is told of it later is refused. */
export interface ErasedFact {
  readonly kind: 'erased';
  readonly user: string;
  readonly erasedAt: number;
}

/** What the report keeps of one event. */
export type RescueFact = AnnouncedFact | OutcomeFact | ErasedFact;

/** What became of the facts of one call. */
export interface Folded {
  /** Facts that were new. */
  readonly added: number;
  /** Facts that had been told before. */
  readonly repeated: number;
  /** Facts of before an erasure, or older than what is kept. */
  readonly refused: number;
}

/** The time that is counted, both ends included; Unix milliseconds. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Announcements of one stage, channel of the session and answer to "may I". */
export interface AnnouncedCount {
  readonly stage: number;
  readonly channel: string | null;
  readonly allowed: Allowed;
  readonly announced: number;
  /** Of these, how many were acted on at least once. */
  readonly touched: number;
}

/** What became of announcements of one stage and channel of the session. */
export interface OutcomeCount {
  readonly stage: number;
  readonly channel: string | null;
  readonly kind: OutcomeFact['kind'];
  /** Reason, class, or the channel a message was sent on. */
  readonly label: string;
  readonly count: number;
  /** How many announcements it happened to. */
  readonly announcements: number;
  /** Of the orders; 0 for what is no order. */
  readonly value: number;
}

/** Users of one arm of the experiment. */
export interface ArmCount {
  readonly users: number;
  /** Of these, how many ordered at least once after their first announcement of the span. */
  readonly recovered: number;
  /** Of those orders. */
  readonly value: number;
}

/** What the facts of a span add up to. */
export interface RescueCounts {
  readonly announced: readonly AnnouncedCount[];
  /** Of announcements of the span, whenever it happened. */
  readonly outcomes: readonly OutcomeCount[];
  /** Outcomes decided in the span whose announcement was never told. */
  readonly unmatched: Readonly<Record<OutcomeFact['kind'], number>>;
  /** Users whose first announcement of the span was, or was not, one of the hold-out. */
  readonly control: ArmCount;
  readonly treatment: ArmCount;
}

/**
 * What the report is made of: a set of facts. A fact is told any number of times and in any order with the same result;
 * erasures remove and refuse by instants, not by the order in which they are told.
 */
export interface RescueLog {
  /** Adds facts, all or none; they are durable when it resolves. @param keptFrom facts decided before are refused */
  fold(facts: readonly RescueFact[], keptFrom: number): Promise<Folded>;

  /** Counts the facts of a span, all of one moment. */
  count(span: Span): Promise<RescueCounts>;

  /** Drops some of what was decided before; call it again until it says 0. @returns how many rows went */
  sweep(keptFrom: number): Promise<number>;

  close(): Promise<void>;
}
