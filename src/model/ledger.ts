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
    .object({ at: z.number(), why: z.enum(['ordered', 'emptied', 'opted_out', 'ended', 'cooled_down']), life: z.number().optional() })
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

/** A ledger is stored as JSON with short keys: there is one beside every watched session. */
const SHORT_KEYS: readonly (readonly [long: keyof Ledger, short: string])[] = [
  ['activityAt', 'a'],
  ['sequence', 'q'],
  ['cart', 'c'],
  ['episode', 'e'],
  ['lastEpisode', 'l'],
  ['closed', 'z'],
  ['orderAt', 'o'],
  ['expiresAt', 'x'],
  ['copyAt', 'k'],
  ['snapshot', 's'],
  ['future', 'f'],
  ['problem', 'p'],
];

/** Equal ledgers give equal texts, in whatever order they were put together. */
export function encodeLedger(ledger: Ledger): string {
  return JSON.stringify(Object.fromEntries(SHORT_KEYS.map(([long, short]) => [short, ledger[long]])));
}

/** Undefined if the text is no ledger: somebody else wrote there. */
export function decodeLedger(text: string): Ledger | undefined {
  try {
    const stored = JSON.parse(text) as Record<string, unknown>;
    const parsed = ledgerSchema.safeParse(
      Object.fromEntries(SHORT_KEYS.filter(([, short]) => short in stored).map(([long, short]) => [long, stored[short]])),
    );
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
