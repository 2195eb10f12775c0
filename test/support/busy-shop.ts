import { SeededRandom } from '../../src/demo/random.ts';
import type { Deed as DemoDeed } from '../../src/demo/shop.ts';
import type { Cart, CartItem } from '../../src/model/cart.ts';
import type { RekindleEvent } from '../../src/model/event.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { BusEar } from './bus-ear.ts';

/** Something that a user did, as the shop that wrote it remembers it. */
export interface Deed extends DemoDeed {
  /** It came after the shop had heard that the silence before it was announced. */
  readonly told: boolean;
}

/** All that one user did. */
export interface History {
  readonly user: string;
  /** Written by a program that knows nothing of Rekindle. */
  readonly foreign: boolean;
  readonly deeds: readonly Deed[];
}

/** Writes into the session what a user does. */
export type Writer = (user: string, deed: Pick<Deed, 'did' | 'at' | 'cart'>) => Promise<void>;

export interface ShopTools {
  readonly ear: BusEar;
  readonly clock: Clock;
  readonly stagesMs: readonly number[];
  readonly library: Writer;
  readonly foreign: Writer;
}

export interface Crowd {
  readonly seed: number;
  readonly users: number;
  /** Every n-th session is written by the foreign writer; 0: none. */
  readonly foreignEvery: number;
}

/**
 * A shop whose users never rest: they fill carts, are silent, come back, order and begin anew, until it closes. Whoever
 * is silent for long comes back when the announcement was heard, as somebody does who was written to. So nothing is
 * assumed of how long an announcement takes; and if one is lost, its user waits for ever.
 */
export class BusyShop {
  readonly #visits: Visit[] = [];
  readonly #crowd: Crowd;
  readonly #tools: ShopTools;

  constructor(crowd: Crowd, tools: ShopTools) {
    this.#crowd = crowd;
    this.#tools = tools;
  }

  get histories(): readonly History[] {
    return this.#visits;
  }

  /** Settles when `closing` has aborted and the last deed is written: from then on everybody is silent. */
  async open(closing: AbortSignal): Promise<void> {
    const { seed, users, foreignEvery } = this.#crowd;
    const seat = async (index: number): Promise<void> => {
      const random = new SeededRandom(seed * 1_000_003 + index);
      const foreign = foreignEvery > 0 && index % foreignEvery === 0;
      for (let guest = 0; !closing.aborted; guest += 1) {
        const user = `${foreign ? 'foreigner' : 'user'}-${index}-${guest}`;
        const visit = new Visit(user, foreign, this.#tools, random, closing);
        this.#visits.push(visit);
        await visit.go();
      }
    };
    await Promise.all(Array.from({ length: users }, (_none, index) => seat(index)));
  }
}

type Step = 'fills' | 'browses' | 'is told' | 'hesitates' | 'orders' | 'empties' | 'opts out';

/** What users do, and how often. Each ends without a cart. */
const STORIES: readonly {
  readonly weight: number;
  readonly steps: readonly Step[];
  /** Not for other programs' users: they leave no notes, so two of their deeds unseen between two looks count as one. */
  readonly libraryOnly?: true;
}[] = [
  { weight: 15, steps: ['fills', 'orders'], libraryOnly: true },
  { weight: 10, steps: ['fills', 'browses', 'empties'], libraryOnly: true },
  { weight: 15, steps: ['fills', 'is told', 'orders'] },
  { weight: 8, steps: ['fills', 'is told', 'empties'] },
  { weight: 20, steps: ['fills', 'is told', 'browses', 'is told', 'orders'] },
  { weight: 8, steps: ['fills', 'is told', 'fills', 'is told', 'empties'] },
  { weight: 10, steps: ['fills', 'is told', 'is told', 'browses', 'orders'] },
  // As near to the threshold as can be: a touch between the steps of a look.
  { weight: 4, steps: ['fills', 'hesitates', 'browses', 'is told', 'orders'] },
  { weight: 4, steps: ['fills', 'hesitates', 'orders'], libraryOnly: true },
  { weight: 1, steps: ['fills', 'is told', 'opts out'] },
];

/** Somebody in the shop. */
class Visit implements History {
  readonly user: string;
  readonly foreign: boolean;
  readonly deeds: Deed[] = [];
  readonly #tools: ShopTools;
  readonly #random: SeededRandom;
  readonly #closing: AbortSignal;
  #items = 0;
  /** When the first item came into the cart that is filled now. */
  #openedAt = 0;
  /** The announcement that the shop heard of the present silence. */
  #told: RekindleEvent<'cart.abandoned'> | undefined;
  #leaves = false;

  constructor(
    user: string,
    foreign: boolean,
    tools: ShopTools,
    random: SeededRandom,
    closing: AbortSignal,
  ) {
    this.user = user;
    this.foreign = foreign;
    this.#tools = tools;
    this.#random = random;
    this.#closing = closing;
  }

  /** Settles when the user has left for good, or the shop closes. */
  async go(): Promise<void> {
    const stories = STORIES.filter(({ libraryOnly }) => !(libraryOnly && this.foreign));
    await this.#pause(0, 1);
    while (!this.#closing.aborted && !this.#leaves) {
      for (const step of this.#random.weighted(stories).steps) await this.#take(step);
    }
  }

  async #take(step: Step): Promise<void> {
    switch (step) {
      case 'fills':
        for (let items = this.#random.between(1, 3); items >= 1; items -= 1) {
          await this.#do('changed the cart', [...this.#cart, this.#newItem()]);
          await this.#pause(0.05, 0.3);
        }
        return;
      case 'browses':
        for (let pages = this.#random.between(1, 4); pages >= 1; pages -= 1) {
          await this.#do('touched', this.#cart);
          await this.#pause(0.05, 0.3);
        }
        return;
      case 'hesitates':
        return this.#pause(0.98, 1.1);
      case 'is told':
        return this.#hear();
      case 'orders':
        return this.#end('ordered');
      case 'empties':
        return this.#end('changed the cart');
      case 'opts out':
        this.#leaves = true;
        return this.#do('opted out', this.#cart);
    }
  }

  get #cart(): Cart {
    return this.deeds.at(-1)?.cart ?? [];
  }

  #newItem(): CartItem {
    this.#items += 1;
    const price = Math.round(this.#random.between(100, 20_000)) / 100;
    return { product_id: `${this.user}-${this.#items}`, quantity: 1, price };
  }

  async #do(did: Deed['did'], cart: Cart): Promise<void> {
    if (this.#closing.aborted) return;
    const { clock, library, foreign } = this.#tools;
    const at = clock.now();
    if (this.#cart.length === 0 && cart.length > 0) this.#openedAt = at;
    await (this.foreign ? foreign : library)(this.user, { did, at, cart });
    this.deeds.push({ did, at, cart, knownAt: clock.now(), told: this.#told !== undefined });
    this.#told = undefined;
  }

  /** Waits until the present silence is announced; for the next stage, if it was before. */
  async #hear(): Promise<void> {
    const { ear, stagesMs } = this.#tools;
    const last = stagesMs.length - 1;
    const silentAt = this.deeds.at(-1)?.at;
    const known = this.#told?.data.stage ?? -1;
    if (known === last) return;
    const heard = await ear.until(
      this.user,
      ({ type, data }) =>
        type === 'cart.abandoned' &&
        // After the last stage nothing is due for the rest of this cart's life.
        (Date.parse(data.last_activity) === silentAt
          ? data.stage > known
          : data.stage === last && Date.parse(data.last_activity) >= this.#openedAt),
      this.#closing,
    );
    if (heard?.type !== 'cart.abandoned') return;
    if (Date.parse(heard.data.last_activity) === silentAt) this.#told = heard;
  }

  /** Leaves the cart empty. Another program's user begins anew only when that was noticed, and leaves where nothing tells. */
  async #end(did: 'ordered' | 'changed the cart'): Promise<void> {
    const announced = this.#told;
    await this.#do(did, []);
    if (!this.foreign) return this.#pause(0.05, 0.3);
    this.#leaves = announced === undefined;
    if (!announced) return;
    await this.#tools.ear.until(
      this.user,
      ({ type, data }) => type === 'cart.rescue_cancelled' && data.announcement_id === announced.id,
      this.#closing,
    );
  }

  /** In parts of the first threshold. */
  async #pause(from: number, to: number): Promise<void> {
    const [firstMs = 0] = this.#tools.stagesMs;
    await this.#tools.clock.sleep(firstMs * this.#random.between(from, to), this.#closing);
  }
}
