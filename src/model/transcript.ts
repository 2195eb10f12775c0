/** A conversation as it is compacted: whole, each message as it was said. */
import type { Said } from './said.ts';
import type { SessionName } from './session-names.ts';

export interface Transcript extends SessionName {
  /** Of the first and of the latest message, Unix milliseconds. */
  readonly startedAt: number;
  readonly endedAt: number;
  /** In the order in which they were said. */
  readonly messages: readonly Said[];
  /** Fields of the session hash as they last stood: `current_intent`, `topic`, `cart`, `active_channel`, `language` … */
  readonly fields: Readonly<Record<string, string>>;
  /** What became of the cart; undefined: there was none, or nobody knows. */
  readonly outcome: Outcome | undefined;
}

/**
 * `ordered`: bought without being asked. `recovered`: bought after the cart had been announced. `returned`: came back
 * after that, and did not buy. `lost`: announced, and nothing followed.
 */
export type Outcome = (typeof OUTCOMES)[number];

export const OUTCOMES = ['ordered', 'recovered', 'returned', 'lost'] as const;
