import { parseInstant } from '../model/instant.ts';
import type { Outcome } from '../model/transcript.ts';
import { DAY_MS } from '../model/duration.ts';

/** A purchase so long after the last word is still of this conversation. */
const ATTRIBUTED_MS = 5 * DAY_MS;

/** What is known of a conversation's cart when it is compacted. */
export interface CartStory {
  readonly startedAt: number;
  readonly endedAt: number;
  /** Fields of the session as they last stood. */
  readonly fields: Readonly<Record<string, string>>;
  /** Stages that were announced. */
  readonly announced: number;
  /** The user did something after it; not whether it was about the cart. */
  readonly cameBack: boolean;
}

/** What became of the cart; undefined: there was none, or nobody knows. */
export function outcomeOf(story: CartStory): Outcome | undefined {
  const { startedAt, endedAt, fields, announced, cameBack } = story;
  const orderAt = parseInstant(fields['last_order_at'] ?? '');
  const ordered =
    orderAt !== undefined && orderAt >= startedAt && orderAt <= endedAt + ATTRIBUTED_MS;
  if (ordered) return announced > 0 ? 'recovered' : 'ordered';
  if (announced === 0) return undefined;
  return cameBack ? 'returned' : 'lost';
}
