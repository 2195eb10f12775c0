import type { UnwantedReason } from '../../abandonment/wanted.ts';

/** What became of one announcement in the agent's hands. */
export type RescueOutcome =
  | { readonly did: 'sent'; readonly channel: string }
  /** It had been sent by an earlier call, which could not say so. */
  | { readonly did: 'noted'; readonly channel: string }
  /** The user may not be contacted; `why` is the basis of that. */
  | { readonly did: 'skipped'; readonly why: string }
  /** Held until the quiet hours are over. */
  | { readonly did: 'deferred'; readonly why: 'quiet_hours' }
  /** It no longer holds. */
  | { readonly did: 'dropped'; readonly why: UnwantedReason };
