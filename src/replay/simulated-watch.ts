import type { EventDraft, PolicySettings } from '../abandonment/decision.ts';
import { decide } from '../abandonment/policy.ts';
import type { Ledger } from '../model/ledger.ts';
import type { SimulatedSession } from './simulated-session.ts';

/** An announcement and the instant of the look that made it. */
type Announced = (draft: Extract<EventDraft, { type: 'cart.abandoned' }>, at: number) => void;

/**
 * Watches one session under one set of settings as the real pipeline does: the agenda's entry of the user, the ledger,
 * and looks that come exactly when they are due.
 */
export class SimulatedWatch {
  readonly #session: SimulatedSession;
  readonly #settings: PolicySettings;
  readonly #firstMs: number;
  readonly #announced: Announced;
  /** The user's entry in the agenda. */
  #dueAt: number | undefined;
  #ledger: Ledger | undefined;

  constructor(session: SimulatedSession, settings: PolicySettings, announced: Announced) {
    this.#session = session;
    this.#settings = settings;
    this.#firstMs = settings.stagesMs[0] ?? 0;
    this.#announced = announced;
  }

  /** Makes every look that is due at `now` or before, each at its own instant. */
  lookUntil(now: number): void {
    while (this.#dueAt !== undefined && this.#dueAt <= now) {
      const at = this.#dueAt;
      this.#dueAt = this.#look(at);
      if (this.#dueAt !== undefined && this.#dueAt <= at) {
        throw new Error(`the policy asks to look at ${this.#session.user} at ${at} for ever`);
      }
    }
  }

  /** The session was written at `at`; its activity before that was at `previousAt`. */
  touch(at: number, previousAt: number | undefined): void {
    const before = this.#dueAt;
    this.#dueAt = Math.min(before ?? Number.POSITIVE_INFINITY, at + this.#firstMs);
    const armed = this.#dueAt !== before;
    if (armed || previousAt === undefined || at - previousAt >= this.#firstMs) {
      this.#dueAt = Math.min(this.#dueAt, at);
    }
  }

  /** @returns when to look next */
  #look(at: number): number | undefined {
    if (this.#ledger === undefined && this.#session.isPlain) {
      // What the policy says of a visitor who never did more than look around, most of them: nothing to record, and
      // the next look when the first threshold has passed.
      const idleAt = (this.#session.lastActivityAt ?? 0) + this.#firstMs;
      return at < idleAt ? idleAt : undefined;
    }
    const decision = decide(this.#session.sighting(at), this.#ledger, this.#settings, at);
    for (const draft of decision.events) {
      if (draft.type === 'cart.abandoned') this.#announced(draft, at);
    }
    if (decision.ledger) this.#ledger = decision.ledger;
    return decision.nextAt;
  }
}
