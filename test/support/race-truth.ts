import type { CartEvent } from '../../src/model/event.ts';

import { isoInstant } from '../../src/model/instant.ts';
import type { Cart } from '../../src/model/cart.ts';
import { POLICY } from './watched-user.ts';

/** Who writes to the session: the library, or another program whose notification arrives or is lost. */
export type Writer = 'library' | 'foreign' | 'lost';

/**
 * What they do. `notes order`: another program sets `last_order_at` and nothing else; `slips in`: it puts something into
 * the cart and tells no activity; `chats`: an assistant speaks, which is no activity either.
 */
export type Deed = 'views' | 'adds' | 'orders' | 'notes order' | 'slips in' | 'chats' | 'deletes';

export type Write = `${Writer} ${Deed}`;

export function partsOf(write: Write): readonly [by: Writer, deed: Deed] {
  const space = write.indexOf(' ');
  return [write.slice(0, space) as Writer, write.slice(space + 1) as Deed];
}

/** One announcement that was recorded. */
interface Telling {
  readonly id: string;
  readonly stage: number;
  readonly sequence: string;
  /** It no longer holds: the user came back, ordered, or is gone. */
  over: boolean;
  cancelledBy?: string;
}

/** From the first item in the cart until an order, or the end of the session. */
interface Life {
  open: boolean;
  /** False: an order and an addition of another program that no look came between count as a cart left behind. */
  readonly certain: boolean;
  /** Undefined: nothing of it was told yet. */
  episode?: string;
  /** It was told that an order ended it. */
  recovered?: boolean;
  readonly told: Telling[];
}

/** One of the writes that there were. */
interface Written {
  readonly at: number;
  /** Its notification was lost: reconcile is to find it. */
  readonly lost: boolean;
  /** By a look that came to its end. */
  seen: boolean;
}

/** All that is known, so that it can be put aside and taken up again. */
export interface Known {
  cart: Cart;
  activityAt: number;
  readonly lives: Life[];
  readonly writes: Written[];
  /** How many writes there were with the last order; a look that read later and recorded has seen it. */
  orderedAfter: number;
  orderSeen: boolean;
  sessionIsOurs: boolean | undefined;
  sequence: string;
  /** The texts of what was recorded, by id. */
  readonly recorded: Record<string, string>;
  /** The ids that reached the bus, in no order that matters. */
  wire: readonly string[];
}

export function nothingKnown(): Known {
  return {
    cart: [],
    activityAt: 0,
    lives: [],
    writes: [],
    orderedAfter: 0,
    orderSeen: true,
    sessionIsOurs: undefined,
    sequence: '',
    recorded: {},
    wire: [],
  };
}

const NO_ACTIVITY: ReadonlySet<Deed> = new Set(['notes order', 'slips in', 'chats', 'deletes']);

/**
 * What is true of the one user of a race, whatever anybody noticed of it, and what was recorded and told. It knows the
 * promises and nothing of how they are kept: no ledger, no lease, no agenda. It throws where a promise is broken.
 */
export class Truth {
  readonly known: Known;

  constructor(known: Known) {
    this.known = known;
  }

  get cart(): Cart {
    return this.known.cart;
  }

  get activityAt(): number {
    return this.known.activityAt;
  }

  /** The writes that there were so far: what a look that reads now has seen. */
  get writes(): number {
    return this.known.writes.length;
  }

  get hasLost(): boolean {
    return this.known.writes.some(({ lost }) => lost);
  }

  /** The latest instant of a write that an agenda knows of. */
  get armedAt(): number {
    return Math.max(0, ...this.known.writes.filter(({ lost }) => !lost).map(({ at }) => at));
  }

  happened(write: Write, cart: Cart, at: number): void {
    const [by, deed] = partsOf(write);
    const { known } = this;
    known.writes.push({ at, lost: by === 'lost', seen: false });
    known.cart = cart;
    if (!NO_ACTIVITY.has(deed)) {
      known.activityAt = at;
      this.#endTelling();
    }
    known.sessionIsOurs ??= by === 'library';
    const life = known.lives.at(-1);
    switch (deed) {
      case 'views':
      case 'chats':
        return;
      case 'adds':
      case 'slips in': {
        const certain = known.orderSeen || (by === 'library' && known.sessionIsOurs);
        if (!life?.open || (!life.certain && certain))
          known.lives.push({ open: true, certain, told: [] });
        return;
      }
      case 'orders':
      case 'notes order':
        this.known.orderedAfter = this.writes;
        this.known.orderSeen = false;
        this.#endLife();
        return;
      case 'deletes':
        this.known.sessionIsOurs = undefined;
        this.#endLife();
    }
  }

  #endTelling(): void {
    const last = this.known.lives.at(-1)?.told.at(-1);
    if (last) last.over = true;
  }

  #endLife(): void {
    this.#endTelling();
    const life = this.known.lives.at(-1);
    if (life) life.open = false;
  }

  /** A look that had seen so many writes recorded these events; what it read still stands. */
  recorded(events: readonly CartEvent[], seen: number): void {
    if (seen >= this.known.orderedAfter) this.known.orderSeen = true;
    for (const event of events) {
      if (event.id in this.known.recorded) throw new Error(`${inWords(event)} is recorded again`);
      if (event.sequence <= this.known.sequence) throw new Error('the sequence does not grow');
      this.known.sequence = event.sequence;
      if (event.type === 'cart.abandoned') this.#announced(event);
      else if (event.type === 'cart.rescue_cancelled') this.#cancelled(event);
      else this.#recovered(event);
      this.known.recorded[event.id] = JSON.stringify(event);
    }
  }

  #announced(event: Extract<CartEvent, { type: 'cart.abandoned' }>): void {
    const { episode, stage, last_activity: basis, cart } = event.data;
    const life = this.known.lives.at(-1);
    const what = inWords(event);
    if (!life?.open) throw new Error(`${what}, but the user ordered or is gone`);
    if (basis !== isoInstant(this.activityAt)) throw new Error(`${what}, based on ${basis}`);
    if (Date.parse(event.time) - this.activityAt < POLICY.stagesMs[stage]!)
      throw new Error(`${what}, but the user is active`);
    if (cart.count !== this.cart.length) throw new Error(`${what}, with another cart`);
    if (this.known.lives.some((other) => other !== life && other.episode === episode))
      throw new Error(`${what}, in the episode of a cart that is gone`);
    if (life.episode !== undefined && life.episode !== episode)
      throw new Error(`${what}, in a second episode of the same cart`);
    const last = life.told.at(-1);
    if (last && last.stage >= stage) throw new Error(`${what} after ${last.stage}`);
    if (last?.over && last.cancelledBy === undefined)
      throw new Error(`${what} before the cancellation of ${last.stage}`);
    life.episode = episode;
    life.told.push({
      id: event.id,
      stage,
      sequence: event.sequence,
      over: false,
    });
  }

  #cancelled(event: Extract<CartEvent, { type: 'cart.rescue_cancelled' }>): void {
    const telling = this.#told.find(({ id }) => id === event.data.announcement_id);
    if (!telling) throw new Error('a cancellation of what was not announced');
    if (!telling.over) throw new Error('a cancellation of what still holds');
    if (telling.cancelledBy !== undefined) throw new Error('a second cancellation');
    if (telling.sequence >= event.sequence) throw new Error('cancelled before it was announced');
    telling.cancelledBy = event.id;
  }

  #recovered(event: CartEvent): void {
    const life = this.known.lives.find(({ episode }) => episode === event.data.episode);
    if (event.type !== 'cart.recovered') throw new Error(`nobody asked for ${event.type}`);
    if (!life || life.told.length === 0) throw new Error('an order is owed to what was not told');
    if (life.open) throw new Error('an order is told that nobody placed');
    if (life.recovered) throw new Error('an episode is recovered twice');
    life.recovered = true;
  }

  get #told(): Telling[] {
    return this.known.lives.flatMap(({ told }) => told);
  }

  published(events: readonly CartEvent[]): void {
    for (const event of events) {
      if (this.known.recorded[event.id] !== JSON.stringify(event))
        throw new Error(`${inWords(event)} is told, and not what was recorded`);
      this.known.wire = [...new Set([...this.known.wire, event.id])].sort();
    }
  }

  /** A look that had seen so many writes came to its end, holding its lease. */
  looked(seen: number): void {
    for (const write of this.known.writes.slice(0, seen)) write.seen = true;
  }

  /** Nobody looks, nobody is due, and no notification is under way: each touch must have been seen by its time. */
  checkTouches(now: number): void {
    for (const { at, lost, seen } of this.known.writes) {
      if (!lost && !seen && at + POLICY.stagesMs[0]! <= now)
        throw new Error(`no look came for the write at ${at}`);
    }
  }

  /** As above, and reconcile found what was lost: all that is due must have been told. */
  checkTold(now: number): void {
    for (const { id, stage, over, cancelledBy } of this.#told) {
      if (!this.known.wire.includes(id))
        throw new Error(`announcement ${stage} never reached the bus`);
      if (over !== (cancelledBy !== undefined))
        throw new Error(`announcement ${stage} is over and not cancelled`);
      if (cancelledBy !== undefined && !this.known.wire.includes(cancelledBy))
        throw new Error(`the cancellation of ${stage} never reached the bus`);
    }
    const life = this.known.lives.at(-1);
    if (!life?.open || !life.certain) return;
    const due = POLICY.stagesMs.findLastIndex((ms) => this.activityAt + ms <= now);
    if ((life.told.at(-1)?.stage ?? -1) < due) throw new Error(`stage ${due} is not announced`);
  }
}

function inWords({ type, data: { stage } }: CartEvent): string {
  if (type === 'cart.abandoned') return `stage ${stage} is announced`;
  return type === 'cart.rescue_cancelled' ? `the cancellation of ${stage}` : `${type} of ${stage}`;
}
