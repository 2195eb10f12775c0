import type { Cart, CartItem } from '../model/cart.ts';
import { CATALOGUE, type Language, PHRASES, type Situation } from './phrases.ts';
import type { SeededRandom } from './random.ts';
import { LINGER, SURE_FACTOR, type Timing } from './timing.ts';

/**
 * One thing that happens in somebody's session, at `atMs` after the start. `replies` is the assistant's doing; with
 * `recalls` the assistant first asks what is known of the user. `answers`: where a rescue message came, this answers it.
 * `byLink`: the order comes by the link of one; where none came, there is no order.
 */
export type Act = { readonly atMs: number } & (
  | {
      readonly does: 'says';
      readonly text: string;
      readonly recalls?: true;
      readonly answers?: true;
    }
  | { readonly does: 'replies'; readonly text: string }
  | { readonly does: 'cart'; readonly cart: Cart }
  | { readonly does: 'orders'; readonly orderId: string; readonly byLink?: true }
  | { readonly does: 'views' | 'opts out' }
);

/** Of those who were announced: who comes back by answering the message, and who orders by its link. */
const ANSWERS = 0.25;
const BY_LINK = 0.3;

/** Somebody's visit in the making: each step goes on where the one before ended. */
export class Story {
  readonly acts: Act[] = [];
  readonly #random: SeededRandom;
  readonly #timing: Timing;
  readonly #language: Language;
  readonly #user: string;
  #atMs = 0;
  #cart: CartItem[] = [];
  #orders = 0;
  #wasAnnounced = false;

  constructor(random: SeededRandom, timing: Timing, language: Language, user: string) {
    this.#random = random;
    this.#timing = timing;
    this.#language = language;
    this.#user = user;
  }

  get endsMs(): number {
    return this.#atMs;
  }

  chat(): this {
    this.#says('hello');
    this.#pause();
    for (let questions = this.#random.between(0, 3); questions > 1; questions -= 1) {
      this.#says('asks');
      this.#pause();
    }
    if (this.#random.chance(0.5)) this.#act({ does: 'views' });
    return this;
  }

  /** Wants to know something for which one must know the past. */
  ask(text: string): this {
    this.#say(text, { recalls: true });
    return this;
  }

  buyOrLeave(): this {
    this.add();
    return this.#random.chance(0.5) ? this.order() : this.untilAnnounced(0);
  }

  add(): this {
    this.#pause();
    for (let items = this.#random.between(1, 3); items >= 1; items -= 1) {
      const product = this.#random.pick(CATALOGUE);
      this.#cart.push({ ...product, size: this.#random.pick(['S', 'M', 'L']), quantity: 1 });
    }
    this.#act({ does: 'cart', cart: [...this.#cart] });
    if (this.#random.chance(0.6)) {
      this.#pause();
      this.#says('adds');
    }
    return this;
  }

  /** Takes one item out, and leaves at least one in. */
  remove(): this {
    this.#pause();
    if (this.#cart.length > 1) this.#cart.shift();
    this.#act({ does: 'cart', cart: [...this.#cart] });
    return this;
  }

  empty(): this {
    this.#pause();
    this.#cart = [];
    this.#act({ does: 'cart', cart: [] });
    return this;
  }

  order(): this {
    this.#pause();
    this.#cart = [];
    this.#orders += 1;
    const byLink = this.#wasAnnounced && this.#random.chance(BY_LINK);
    const orderId = `${this.#user}-${String(this.#orders)}`;
    this.#act({ does: 'orders', orderId, ...(byLink && { byLink }) });
    this.#wasAnnounced = false;
    this.#pause();
    this.#says('thanks');
    return this;
  }

  optOut(): this {
    this.#act({ does: 'opts out' });
    return this;
  }

  /** Fills a cart and is silent until the first announcement is out. */
  fill(): this {
    return this.chat().add().untilAnnounced(0);
  }

  /** Comes back after the second announcement, and buys what was left and a little more. */
  fillAndGoOn(): this {
    return this.chat().add().untilAnnounced(1).comeBack().add().order();
  }

  comeBack(): this {
    const answers = this.#random.chance(ANSWERS);
    this.#say(this.#random.pick(PHRASES[this.#language].returns), answers ? { answers } : {});
    this.#atMs += this.#timing.stagesMs[0] * 0.35;
    return this;
  }

  /** Does nothing until the announcement of `stage` is out for sure; the assistant may ask meanwhile: no activity. */
  untilAnnounced(stage: 0 | 1): this {
    const { stagesMs, sureMs } = this.#timing;
    const [firstMs] = stagesMs;
    if (this.#random.chance(0.4)) {
      const text = this.#random.pick(PHRASES[this.#language].nudge);
      this.acts.push({ does: 'replies', text, atMs: this.#atMs + firstMs * 0.7 });
    }
    this.#wasAnnounced = true;
    const outMs = stagesMs[stage] + sureMs * SURE_FACTOR;
    this.#atMs += this.#random.between(outMs, outMs + firstMs * LINGER);
    return this;
  }

  #says(situation: Situation): void {
    this.#say(this.#random.pick(PHRASES[this.#language][situation]));
  }

  #say(said: string, why: { readonly recalls?: true; readonly answers?: true } = {}): void {
    this.#act({ does: 'says', text: said, ...why });
    const text = this.#random.pick(PHRASES[this.#language].reply);
    this.acts.push({ does: 'replies', text, atMs: this.#atMs + this.#timing.stagesMs[0] * 0.04 });
  }

  #act(act: DistributiveOmit<Act, 'atMs'>): void {
    this.acts.push({ ...act, atMs: this.#atMs });
  }

  /** Far below the first threshold: a stall of the machine makes nobody quiet. */
  #pause(): void {
    this.#atMs += this.#timing.stagesMs[0] * this.#random.between(0.1, 0.3);
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
