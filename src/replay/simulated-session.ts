import type { Sighting } from '../abandonment/facts.ts';
import { DAY_MS } from '../model/duration.ts';
import { formatInstant } from '../model/instant.ts';
import { type CartChange, VisitorCart } from './visitor.ts';
import type { ShopEvent } from './shop-event.ts';

/** Hot life and grace: in a backtest, as in replay under a virtual clock, no session is ever lost to its TTL. */
const EXPIRES_IN_MS = 8 * DAY_MS;

/** One visitor's session, kept as the script that writes sessions would keep it. */
export class SimulatedSession {
  readonly user: string;
  readonly cart = new VisitorCart();
  /** Undefined before the first write. */
  lastActivityAt: number | undefined;
  #orderedAt: number | undefined;
  #epoch = 0;
  /** Identity of the cart's life; negative once it is over. */
  #openedAt = 0;
  #addedAt = 0;

  constructor(user: string) {
    this.user = user;
  }

  /** True while the policy has nothing to think of: no cart, and no order to remember. */
  get isPlain(): boolean {
    return this.cart.isEmpty && this.#orderedAt === undefined;
  }

  /** @returns what happened to the cart */
  write(event: ShopEvent): CartChange | undefined {
    const { at } = event;
    if (this.lastActivityAt === undefined) this.#epoch = at;
    this.lastActivityAt = at;
    const change = this.cart.apply(event);
    if (change === 'ordered') this.#orderedAt = at;
    if (change === 'ordered' || (change && this.cart.isEmpty)) {
      this.#openedAt = -Math.abs(this.#openedAt);
      this.#addedAt = 0;
    } else if (change === 'added') {
      if (this.#openedAt <= 0) this.#openedAt = Math.max(at, Math.abs(this.#openedAt) + 1);
      this.#addedAt = Math.max(at, this.#addedAt);
    }
    return change;
  }

  /** What a look at `now` reads of it. */
  sighting(now: number): Sighting {
    const marks = [this.#epoch, 0, this.#openedAt, this.#addedAt, this.cart.digest];
    return {
      fields: {
        last_activity: formatInstant(this.lastActivityAt ?? 0),
        cart: this.cart.json,
        ...(this.#orderedAt !== undefined && { last_order_at: formatInstant(this.#orderedAt) }),
        rekindle: marks.join(';'),
      },
      expiresAt: now + EXPIRES_IN_MS,
      overflow: 0,
      optedOutAt: undefined,
      // Tells apart what is in quarantine; nothing that is written here can be.
      digest: '',
    };
  }
}
