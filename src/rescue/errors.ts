import type { UnwantedReason } from '../abandonment/wanted.ts';

/** Reason of an abort: what was announced is not to be acted on any more. */
export class NoLongerWantedError extends Error {
  override readonly name = 'NoLongerWantedError';
  readonly reason: UnwantedReason | 'erased';

  constructor(reason: UnwantedReason | 'erased') {
    super(`the event is not to be acted on any more: ${reason}`);
    this.reason = reason;
  }
}

/**
 * Reason of an abort: the event is taken from this handler. Somebody else has it (`lost`), or gets it, for the handler
 * took too long (`timed_out`) or the subscriber stops (`stopping`).
 */
export class TakenAwayError extends Error {
  override readonly name = 'TakenAwayError';
  readonly reason: 'lost' | 'timed_out' | 'stopping';

  constructor(reason: 'lost' | 'timed_out' | 'stopping') {
    super(`the event was taken from its handler: ${reason}`);
    this.reason = reason;
  }
}
