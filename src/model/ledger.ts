/** The per-user record of episode, stages and what was seen at the last look; kept apart from the session hash. */
export interface Ledger {
  /** Latest activity that a look recorded. */
  activityAt: number;
  /** Sequence number of the user's latest event: the fencing token of subscribers. */
  sequence: number;
  /** Digest of the cart seen at the last recorded look. */
  cart: string;
  episode?: Episode;
  /** Latest identity that an episode of this user had: identities never restart. */
  lastEpisode?: number;
  /** Why and when the last episode closed, and the cart's life it covered. */
  closed?: { readonly at: number; readonly why: CloseReason; readonly life?: number };
  /** `last_order_at` as last seen. */
  orderAt?: number;
  /** When Redis will drop the session, as last seen; absent: never. */
  expiresAt?: number;
  /** The demotion that is due next, and since when it stands in the queue; of a session of ours noted once it is. */
  demotion?: Demotion;
  /** What later stages need when the session is gone: raw fields of the hash. */
  snapshot?: Readonly<Record<string, string>>;
  /** A `last_activity` in the future counts as the instant it was first seen. */
  future?: { readonly raw: string; readonly seenAt: number };
  /** Set while the session is in quarantine: the reason, and the digest of what was read. */
  problem?: { readonly reason: string; readonly digest: string };
}

export interface Episode {
  /** Identity: the opening instant. */
  readonly openedAt: number;
  /** Identity of the cart's life, where the library noted it. */
  life?: number;
  /** Which stages were judged, in order of their number. */
  readonly stages: Stage[];
  /** The announcement that no cancellation has followed yet, and the activity it was based on. */
  outstanding?: { readonly n: number; readonly activityAt: number };
  /** When the cool-down after the last stage ends. */
  closesAt?: number;
  /** Value of the cart as last announced. */
  value?: number;
  /** Rescue messages that were sent, in the order in which they were noted; the latest of them. */
  touches?: readonly Touch[];
  /** When the user first answered one. */
  repliedAt?: number;
}

/** A rescue message that was sent for a stage. */
export interface Touch {
  readonly stage: number;
  readonly at: number;
  readonly channel: string;
  /** The sender's own id of it. */
  readonly messageId: string;
}

/** What a subscriber notes of an announcement; the next look takes it into the ledger. `episode` is the opening instant. */
export type Note =
  | ({ readonly what: 'touch'; readonly episode: number } & Touch)
  | { readonly what: 'reply'; readonly episode: number; readonly at: number };

export interface Stage {
  readonly n: number;
  /** The instant at which it was due. */
  readonly at: number;
  /** `a`: announced once on the way to the bus; `s`: skipped when overtaken. */
  readonly as: (typeof JUDGED)[number];
}

export interface Demotion {
  readonly dueAt: number;
  readonly queuedAt?: number;
}

export type CloseReason = (typeof CLOSE_REASONS)[number];

const JUDGED = ['a', 's'] as const;
const CLOSE_REASONS = ['ordered', 'emptied', 'opted_out', 'ended', 'cooled_down'] as const;

/**
 * A ledger as stored: there is one beside every watched session, so it is a JSON array without names, its instants
 * counted from the latest activity, and without what follows from the rest. That is 60 bytes where names and full
 * instants were 140.
 *
 *   [activityAt, sequence, cart, episode, lastEpisode, closed, orderAt, expiresAt, demotion, snapshot, future, problem]
 *   episode: [openedAt, [[n, at, as], …], life, [n, activityAt] outstanding, closesAt, value, touches, repliedAt]
 *   touches: [[stage, at, channel, messageId], …]
 *   closed:  [at, why, life]
 *   demotion: [dueAt, queuedAt]
 */
type Stored = readonly unknown[];

/** Equal ledgers give equal texts, in whatever order they were put together. */
export function encodeLedger(ledger: Ledger): string {
  const { activityAt: base, episode, closed, future, problem, demotion } = ledger;
  const since = (at: number | undefined): number | null => (at === undefined ? null : at - base);
  return JSON.stringify(
    withoutTail([
      base,
      ledger.sequence === 0 ? null : ledger.sequence - base,
      ledger.cart,
      episode &&
        withoutTail([
          episode.openedAt - base,
          episode.stages.map(({ n, at, as }) => [n, at - base, as]),
          since(episode.life),
          episode.outstanding && [episode.outstanding.n, episode.outstanding.activityAt - base],
          since(episode.closesAt),
          episode.value,
          episode.touches?.map(({ stage, at, channel, messageId }) => [
            stage,
            at - base,
            channel,
            messageId,
          ]),
          since(episode.repliedAt),
        ]),
      ledger.lastEpisode === episode?.openedAt ? null : since(ledger.lastEpisode),
      closed && withoutTail([closed.at - base, closed.why, since(closed.life)]),
      since(ledger.orderAt),
      since(ledger.expiresAt),
      demotion && withoutTail([demotion.dueAt - base, since(demotion.queuedAt)]),
      ledger.snapshot,
      future && [future.raw, future.seenAt - base],
      problem && [problem.reason, problem.digest],
    ]),
  );
}

/** Undefined if the text is no ledger: somebody else wrote there. */
export function decodeLedger(text: string): Ledger | undefined {
  try {
    return named(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** By hand, for a schema library took 5 % of a drain's client time. @throws if it is no ledger */
function named(stored: unknown): Ledger {
  const [
    base,
    sequence,
    cart,
    episode,
    lastEpisode,
    closed,
    orderAt,
    expiresAt,
    demotion,
    ...rest
  ] = list(stored);
  const [snapshot, future, problem] = rest;
  const activityAt = number(base);
  const at = (since: unknown): number => activityAt + number(since);
  const ledger: Ledger = {
    activityAt,
    sequence: sequence == null ? 0 : at(sequence),
    cart: string(cart),
  };
  if (episode != null) {
    ledger.episode = episodeOf(list(episode), at);
    ledger.lastEpisode = ledger.episode.openedAt;
  }
  if (lastEpisode != null) ledger.lastEpisode = at(lastEpisode);
  if (closed != null) {
    const [closedAt, why, life] = list(closed);
    ledger.closed = {
      at: at(closedAt),
      why: oneOf(CLOSE_REASONS, why),
      ...(life != null && { life: at(life) }),
    };
  }
  if (orderAt != null) ledger.orderAt = at(orderAt);
  if (expiresAt != null) ledger.expiresAt = at(expiresAt);
  if (demotion != null) {
    const [dueAt, queuedAt] = list(demotion);
    ledger.demotion = { dueAt: at(dueAt), ...(queuedAt != null && { queuedAt: at(queuedAt) }) };
  }
  if (snapshot != null) ledger.snapshot = texts(snapshot);
  if (future != null) {
    const [raw, seenAt] = list(future);
    ledger.future = { raw: string(raw), seenAt: at(seenAt) };
  }
  if (problem != null) {
    const [reason, digest] = list(problem);
    ledger.problem = { reason: string(reason), digest: string(digest) };
  }
  return ledger;
}

function episodeOf(stored: Stored, at: (since: unknown) => number): Episode {
  const [openedAt, stages, life, outstanding, closesAt, value, touches, repliedAt] = stored;
  const episode: Episode = {
    openedAt: at(openedAt),
    stages: list(stages).map((stage) => {
      const [n, dueAt, as] = list(stage);
      return { n: number(n), at: at(dueAt), as: oneOf(JUDGED, as) };
    }),
  };
  if (life != null) episode.life = at(life);
  if (outstanding != null) {
    const [n, activityAt] = list(outstanding);
    episode.outstanding = { n: number(n), activityAt: at(activityAt) };
  }
  if (closesAt != null) episode.closesAt = at(closesAt);
  if (value != null) episode.value = number(value);
  if (touches != null) {
    episode.touches = list(touches).map((touch) => {
      const [stage, touchedAt, channel, messageId] = list(touch);
      return {
        stage: number(stage),
        at: at(touchedAt),
        channel: string(channel),
        messageId: string(messageId),
      };
    });
  }
  if (repliedAt != null) episode.repliedAt = at(repliedAt);
  return episode;
}

function list(value: unknown): Stored {
  if (!Array.isArray(value)) throw new TypeError('no list');
  return value;
}

function number(value: unknown): number {
  if (typeof value !== 'number') throw new TypeError('no number');
  return value;
}

function string(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError('no text');
  return value;
}

function oneOf<T>(values: readonly T[], value: unknown): T {
  const found = values.find((one) => one === value);
  if (found === undefined) throw new TypeError('none of the words');
  return found;
}

function texts(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) throw new TypeError('no texts');
  for (const text of Object.values(value)) string(text);
  return value as Record<string, string>;
}

/** True if both say the same, in whatever order they were put together. */
export function sameLedger(one: Ledger, other: Ledger): boolean {
  return same(one, other);
}

function same(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || !one || !other) return false;
  const keys = Object.keys(one);
  return (
    keys.length === Object.keys(other).length &&
    keys.every((key) => same(one[key as never], other[key as never]))
  );
}

function withoutTail(values: Stored): Stored {
  return values.slice(
    0,
    values.findLastIndex((value) => value !== undefined && value !== null) + 1,
  );
}
