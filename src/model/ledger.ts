import { z } from 'zod';

/** Which stages were judged, in order of their number: `announced` once on the way to the bus, `skipped` when overtaken. */
const stageSchema = z.object({
  /** The stage's number. */
  n: z.number().int(),
  /** The instant at which it was due. */
  at: z.number(),
  /** How it was judged: announced or skipped. */
  as: z.enum(['a', 's']),
});

const episodeSchema = z.object({
  /** Identity: the opening instant. */
  openedAt: z.number(),
  /** Identity of the cart's life, where the library noted it. */
  life: z.number().optional(),
  stages: z.array(stageSchema),
  /** The announcement that no cancellation has followed yet, and the activity it was based on. */
  outstanding: z.object({ n: z.number().int(), activityAt: z.number() }).optional(),
  /** When the cool-down after the last stage ends. */
  closesAt: z.number().optional(),
});

const ledgerSchema = z.object({
  /** Latest activity that a look recorded. */
  activityAt: z.number(),
  /** Sequence number of the user's latest event: the fencing token of subscribers. */
  sequence: z.number(),
  /** Digest of the cart seen at the last recorded look. */
  cart: z.string(),
  episode: episodeSchema.optional(),
  /** Latest identity that an episode of this user had: identities never restart. */
  lastEpisode: z.number().optional(),
  /** Why and when the last episode closed, and the cart's life it covered. */
  closed: z
    .object({
      at: z.number(),
      why: z.enum(['ordered', 'emptied', 'opted_out', 'ended', 'cooled_down']),
      life: z.number().optional(),
    })
    .optional(),
  /** `last_order_at` as last seen. */
  orderAt: z.number().optional(),
  /** When Redis will drop the session, as last seen; absent: never. */
  expiresAt: z.number().optional(),
  /** When to copy a foreign session before its TTL takes it; 0 once that is done for `expiresAt`. */
  copyAt: z.number().optional(),
  /** What later stages need when the session is gone: raw fields of the hash. */
  snapshot: z.record(z.string(), z.string()).optional(),
  /** A `last_activity` in the future counts as the instant it was first seen. */
  future: z.object({ raw: z.string(), seenAt: z.number() }).optional(),
  /** Set while the session is in quarantine: the reason, and the digest of what was read. */
  problem: z.object({ reason: z.string(), digest: z.string() }).optional(),
});

/** The per-user record of episode, stages and what was seen at the last look; kept apart from the session hash. */
export type Ledger = z.infer<typeof ledgerSchema>;
export type Episode = z.infer<typeof episodeSchema>;
export type CloseReason = NonNullable<Ledger['closed']>['why'];

/**
 * A ledger as stored: there is one beside every watched session, so it is a JSON array without names, its instants
 * counted from the latest activity, and without what follows from the rest. That is 60 bytes where names and full
 * instants were 140.
 *
 *   [activityAt, sequence, cart, episode, lastEpisode, closed, orderAt, expiresAt, copyAt, snapshot, future, problem]
 *   episode: [openedAt, [[n, at, as], …], life, [n, activityAt] outstanding, closesAt]
 *   closed:  [at, why, life]
 */
type Stored = readonly unknown[];

/** Equal ledgers give equal texts, in whatever order they were put together. */
export function encodeLedger(ledger: Ledger): string {
  const { activityAt: base, episode, closed, future, problem, copyAt } = ledger;
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
        ]),
      ledger.lastEpisode === episode?.openedAt ? null : since(ledger.lastEpisode),
      closed && withoutTail([closed.at - base, closed.why, since(closed.life)]),
      since(ledger.orderAt),
      since(ledger.expiresAt),
      // 0 says that the copy is done; no instant is.
      copyAt === 0 ? 'done' : since(copyAt),
      ledger.snapshot,
      future && [future.raw, future.seenAt - base],
      problem && [problem.reason, problem.digest],
    ]),
  );
}

/** Undefined if the text is no ledger: somebody else wrote there. */
export function decodeLedger(text: string): Ledger | undefined {
  try {
    const parsed = ledgerSchema.safeParse(named(JSON.parse(text) as Stored));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

function named(stored: Stored): unknown {
  const [base, sequence, cart, episode, lastEpisode, closed, orderAt, expiresAt, copyAt, ...rest] =
    stored;
  const [snapshot, future, problem] = rest;
  const at = (since: unknown): number => Number(base) + Number(since);
  const [openedAt, stages, life, outstanding, closesAt] = (episode ?? []) as [
    openedAt?: unknown,
    stages?: [n: unknown, at: unknown, as: unknown][],
    life?: unknown,
    outstanding?: Stored,
    closesAt?: unknown,
  ];
  const [closedAt, why, closedLife] = (closed ?? []) as Stored;
  const [raw, seenAt] = (future ?? []) as Stored;
  const [reason, digest] = (problem ?? []) as Stored;
  const latest = lastEpisode ?? (episode ? openedAt : undefined);
  return {
    activityAt: base,
    sequence: sequence == null ? 0 : at(sequence),
    cart,
    ...(episode != null && {
      episode: {
        openedAt: at(openedAt),
        stages: (stages ?? []).map(([n, dueAt, as]) => ({ n, at: at(dueAt), as })),
        ...(life != null && { life: at(life) }),
        ...(outstanding != null && {
          outstanding: { n: outstanding[0], activityAt: at(outstanding[1]) },
        }),
        ...(closesAt != null && { closesAt: at(closesAt) }),
      },
    }),
    ...(latest != null && { lastEpisode: at(latest) }),
    ...(closed != null && {
      closed: { at: at(closedAt), why, ...(closedLife != null && { life: at(closedLife) }) },
    }),
    ...(orderAt != null && { orderAt: at(orderAt) }),
    ...(expiresAt != null && { expiresAt: at(expiresAt) }),
    ...(copyAt != null && { copyAt: copyAt === 'done' ? 0 : at(copyAt) }),
    ...(snapshot != null && { snapshot }),
    ...(future != null && { future: { raw, seenAt: at(seenAt) } }),
    ...(problem != null && { problem: { reason, digest } }),
  };
}

function withoutTail(values: Stored): Stored {
  return values.slice(
    0,
    values.findLastIndex((value) => value !== undefined && value !== null) + 1,
  );
}
