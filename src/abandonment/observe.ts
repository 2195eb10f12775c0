import type { AnyEvent } from '../model/event.ts';
import type { Quarantined } from '../ports/ledger.ts';

/** What happens, for metrics and displays: one line per observation. */
export interface Observations {
  /** A look at a batch of users ended; how many were looked at, and how many of them again because they changed. */
  readonly looked: { readonly users: number; readonly changed: number; readonly leaseLost: number };
  /** An event is durable on the bus since `at`, as far as this process knows. */
  readonly published: { readonly event: AnyEvent; readonly at: number };
  /** The bus took others, but not this event; it is offered again. */
  readonly refused: { readonly event: AnyEvent; readonly reason: string };
  /** The bus takes nothing; the users' events wait in their ledgers. */
  readonly busAway: {
    readonly reason: string;
    readonly group: string | undefined;
    readonly retryAt: number;
  };
  /** The bus takes events again. */
  readonly busBack: Record<string, never>;
  /** A session cannot be understood. */
  readonly quarantined: Quarantined;
  /** A session is understood again. */
  readonly mended: { readonly user: string };
  /** Demotions were queued. */
  readonly demotionsQueued: { readonly users: number };
  /** The queue takes no demotions; they are queued later. */
  readonly queueAway: { readonly reason: string };
  /** Other programs' touches were armed. */
  readonly touched: { readonly users: number };
  /** Notifications arrive, or do not; undefined: this replica no longer listens. */
  readonly notifications: { readonly arrive: boolean | undefined };
  /** A pass over all sessions and ledgers ended. */
  readonly reconciled: { readonly users: number; readonly armed: number; readonly tookMs: number };
}

/** Called at each observation. What it throws is its own affair: see `quietly`. */
export type Observe = <K extends keyof Observations>(what: K, observation: Observations[K]) => void;

/** A listener that throws never stops work. */
export function quietly(observe: Observe, onError: (error: unknown) => void): Observe {
  return (what, observation) => {
    try {
      observe(what, observation);
    } catch (error) {
      onError(error);
    }
  };
}
