/**
 * What became of an event when a member of a group set out to handle it:
 *
 * - `new`: it is the member's, and nobody's handler was called with it before.
 * - `again`: it is the member's; somebody had it before, and it may have taken effect.
 * - `repeat`: it took effect before.
 * - `overtaken`: it calls to act, and a later call of its subject was begun.
 * - `busy`: this event or another of its subject is in somebody's hands: come back later.
 * - `erased`: it is from before its user was erased.
 * - `unreadable`: somebody else wrote where the subject's record stands.
 */
export type Begun = 'new' | 'again' | 'repeat' | 'overtaken' | 'busy' | 'erased' | 'unreadable';

/** An event as the inbox knows it. */
export interface Entry {
  readonly subject: string;
  readonly source: string;
  readonly id: string;
}

/** An event that is to be handled. */
export interface Arrival extends Entry {
  /** Texts that compare as the events of a subject follow each other. */
  readonly sequence: string;
  /** When it was decided, Unix milliseconds. */
  readonly at: number;
  /** It tells what happened and calls for nothing: no later event overtakes it, and it overtakes none. */
  readonly fact?: boolean;
  /** Whose it is; undefined: it holds whether or not the user was erased. */
  readonly user: string | undefined;
}

/**
 * `done`: it took effect, or never will. `failed`: somebody else is to handle it, and it may have taken effect. `free`:
 * somebody else is to handle it, and this member did nothing about it.
 */
export type Outcome = 'done' | 'failed' | 'free';

/** An event and how it ended. */
export interface Ended extends Entry {
  readonly outcome: Outcome;
}

/** By whom, from when on and for how long events are held. */
export interface Hold {
  /** Unix milliseconds. */
  readonly now: number;
  readonly holdMs: number;
  /** Names the member; no two have the same. */
  readonly token: string;
}

/**
 * Which events of a subject took effect in a group, and which is in whose hands: one event of a subject at a time, and
 * no call to act after a later one; facts come whenever they come. The ids of the last 32 of a subject that took effect are
 * kept, by which repeats are told. Events of different sources, and different groups, have nothing to do with each other. It
 * forgets a subject of which nobody has begun or held anything for its retention.
 *
 * Each call is one round trip and gives an answer for each event, in their order. It rejects when the store is away.
 */
export interface Inbox {
  /** Takes events into the member's hands, those that are to be handled. */
  begin(group: string, arrivals: readonly Arrival[], hold: Hold): Promise<Begun[]>;
  /** Takes them out of the member's hands. @returns false for one that was not in them any more: nothing was noted */
  end(group: string, ended: readonly Ended[], token: string): Promise<boolean[]>;
  /** Holds them for longer. @returns false for one that is not in the member's hands any more */
  renew(group: string, held: readonly Entry[], hold: Hold): Promise<boolean[]>;
}
