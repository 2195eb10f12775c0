/** What an order is owed to. */
import type { RecoveryClass } from '../model/event.ts';
import { latestMeant } from '../model/instant.ts';
import type { Touch } from '../model/ledger.ts';

/** What is known when an order comes that closes an announced episode. */
export interface Evidence {
  readonly orderedAt: number;
  readonly orderId: string | undefined;
  /** Of the order, where it says so; else of the cart as last announced. */
  readonly value: number;
  /** What the order names as having brought it. */
  readonly recoveryRef: string | undefined;
  /** Stages that were announced, at least one, in order. */
  readonly announced: readonly number[];
  readonly touches: readonly Touch[];
  readonly repliedAt: number | undefined;
}

/** How long after a message on a channel an order is owed to it, by channel or by `chat` and `email`. */
export type AttributionWindows = Readonly<Partial<Record<string, number>>>;

export interface Attribution {
  readonly class: RecoveryClass;
  readonly stage: number;
  /** The message that it is owed to. */
  readonly touch: Touch | undefined;
}

/**
 * | class | evidence, the first that holds |
 * |---|---|
 * | direct | the order names an announcement of this episode, or one of its messages |
 * | direct | the user answered a message before the order |
 * | assisted | a message went out before the order, by no more than its channel's window |
 * | organic | none of these |
 *
 * Of several messages the latest before the order counts: last touch.
 *
 * @param idOf the id of a stage's announcement
 */
export function attribute(
  evidence: Evidence,
  windows: AttributionWindows,
  idOf: (stage: number) => string,
): Attribution {
  const { orderedAt, recoveryRef, repliedAt = Infinity, announced } = evidence;
  const latest = latestMeant(evidence.orderedAt);
  const latestAnnounced = announced.at(-1) ?? 0;
  const before = evidence.touches
    .filter(({ at }) => at <= latest)
    .toSorted((one, other) => other.at - one.at);
  if (recoveryRef !== undefined) {
    const named = before.find(({ messageId }) => messageId === recoveryRef);
    if (named) return { class: 'direct', stage: named.stage, touch: named };
    const stage = announced.find((one) => idOf(one) === recoveryRef);
    if (stage !== undefined)
      return { class: 'direct', stage, touch: before.find((touch) => touch.stage === stage) };
  }
  if (repliedAt <= latest) {
    const answered = before.find(({ at }) => at <= repliedAt);
    return { class: 'direct', stage: answered?.stage ?? latestAnnounced, touch: answered };
  }
  const assisting = before.find(({ at, channel }) => orderedAt - at <= windowOf(channel, windows));
  return assisting
    ? { class: 'assisted', stage: assisting.stage, touch: assisting }
    : { class: 'organic', stage: latestAnnounced, touch: undefined };
}

const MAIL: ReadonlySet<string> = new Set(['email', 'e-mail', 'mail']);

function windowOf(channel: string, windows: AttributionWindows): number {
  const name = channel.toLowerCase();
  // A channel may be called anything, `constructor` too.
  const own = Object.hasOwn(windows, name) ? windows[name] : undefined;
  return own ?? windows[MAIL.has(name) ? 'email' : 'chat'] ?? 0;
}
