import type { Sighting } from '../../src/abandonment/facts.ts';
import { decide } from '../../src/abandonment/policy.ts';
import type { Decision, EventDraft, PolicySettings } from '../../src/abandonment/decision.ts';
import { cartDigest } from '../../src/model/cart.ts';
import type { Cart } from '../../src/model/cart.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/model/duration.ts';
import { formatInstant } from '../../src/model/instant.ts';
import { decodeLedger, encodeLedger } from '../../src/model/ledger.ts';
import type { Ledger } from '../../src/model/ledger.ts';
import type { SessionFields } from '../../src/model/session.ts';

export const POLICY: PolicySettings = {
  stagesMs: [30 * MINUTE_MS, 20 * HOUR_MS, 72 * HOUR_MS],
  cooldownMs: 7 * DAY_MS,
  minCartValue: 0,
  hotTtlMs: Infinity,
  demoteLeadMs: HOUR_MS,
  ledgerTtlMs: 90 * DAY_MS,
};

export const SHIRT = { product_id: 'shirt', quantity: 1, price: 20 };
export const SHOES = { product_id: 'shoes', size: 42, quantity: 1, price: 90 };

/** The session of one user as the policy is shown it, and the ledger that its decisions write. */
export class WatchedUser {
  fields: SessionFields | undefined;
  problem: Sighting['problem'];
  expiresAt: number | undefined;
  overflow = 0;
  optedOutAt: number | undefined;
  ledger: Ledger | undefined;
  settings: PolicySettings = POLICY;
  last: Decision | undefined;

  /** @param fields what another program wrote */
  constructor(fields?: SessionFields) {
    this.fields = fields;
  }

  set(fields: SessionFields): this {
    this.fields = { ...this.fields, ...fields };
    return this;
  }

  /** Did something, and has this in the cart now. */
  acts(at: number, ...cart: Cart): this {
    return this.set({ last_activity: formatInstant(at), cart: JSON.stringify(cart) });
  }

  /** The same through the library, which notes the life of the cart: its identity, and the latest addition. */
  actsThroughLibrary(at: number, opened: number, added: number, ...cart: Cart): this {
    return this.acts(at, ...cart).set({ rekindle: `1;0;${opened};${added};${cartDigest(cart)}` });
  }

  vanish(): this {
    this.fields = undefined;
    this.expiresAt = undefined;
    return this;
  }

  /** Looks at `now` and records what was decided. @returns its events in words: `announced 0`, `cancelled 0: resumed` */
  look(now: number): string[] {
    const decision = decide(this.sighting(), this.ledger, this.settings, now);
    // As stored and read back: what a text cannot hold is no part of a ledger.
    if (decision.ledger) this.ledger = decodeLedger(encodeLedger(decision.ledger));
    this.last = decision;
    return decision.events.map(inWords);
  }

  sighting(): Sighting {
    const { fields, problem, expiresAt, overflow, optedOutAt } = this;
    const digest = JSON.stringify([fields, problem]);
    return { fields, problem, expiresAt, overflow, optedOutAt, digest };
  }

  get nextAt(): number | undefined {
    return this.last?.nextAt;
  }
}

function inWords(event: EventDraft): string {
  switch (event.type) {
    case 'cart.abandoned':
      return `announced ${event.stage}`;
    case 'cart.rescue_cancelled':
      return `cancelled ${event.stage}: ${event.reason}`;
    case 'cart.touched':
      return `touched ${event.stage}: ${event.channel}`;
    case 'cart.recovered':
      return `recovered ${event.evidence.announced.join('+')}`;
  }
}
