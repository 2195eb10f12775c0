import type { Cart, CartItem } from '../model/cart.ts';
import { CATALOGUE, type Language, NAMES, PHRASES, type Situation } from './phrases.ts';
import { SeededRandom } from './random.ts';

/** One thing that happens in somebody's session, at `atMs` after the start. `replies` is the assistant's doing. */
export type Act = { readonly atMs: number } & (
  | { readonly does: 'says' | 'replies'; readonly text: string }
  | { readonly does: 'cart'; readonly cart: Cart }
  | { readonly does: 'orders'; readonly orderId: string }
  | { readonly does: 'views' | 'opts out' }
);

/** Somebody who comes to the shop, and all that they are going to do there. */
export interface Shopper {
  readonly user: string;
  readonly language: Language;
  readonly channel: string;
  /** They agreed to be written to; else nobody asked. */
  readonly consents: boolean;
  /** Their session is written by a program that knows nothing of Rekindle. */
  readonly foreign: boolean;
  readonly acts: readonly Act[];
}

/** The demo's sense of time, all in milliseconds. */
export interface Timing {
  /** For how long people do things. */
  readonly spanMs: number;
  /** Inactivity after which a cart is announced. */
  readonly stagesMs: readonly [number, number];
  /** Who comes back sooner after a due instant than this may be seen before the announcement is made. */
  readonly sureMs: number;
  /** How long a session stays hot after the last activity; undefined: nobody brings it back. */
  readonly hotLifeMs?: number;
}

/**
 * In 20 seconds: stages of 3 s and 8 s, so that two announcements and a return fit. A session stays hot for longer than
 * those are away who come back after the first announcement, and shorter than those after the second: 7.5 s.
 */
export function timingFor(seconds: number): Required<Timing> {
  const spanMs = seconds * 1_000;
  const stagesMs = [Math.round(spanMs * 0.15), Math.round(spanMs * 0.4)] as const;
  const sureMs = Math.min(1_500, (stagesMs[1] - stagesMs[0]) / 2);
  const outMs = SURE_FACTOR * sureMs;
  const hotLifeMs = Math.round((stagesMs[0] * (1 + LINGER) + stagesMs[1]) / 2 + outMs);
  return { spanMs, stagesMs, sureMs, hotLifeMs };
}

export interface Crowd {
  readonly seed: number;
  readonly users: number;
  /** Let another program write a tenth of the sessions. */
  readonly foreigners: boolean;
}

/** Plans what everybody does: the same for the same seed. */
export function planShoppers({ seed, users, foreigners }: Crowd, timing: Timing): Shopper[] {
  const random = new SeededRandom(seed);
  return Array.from({ length: users }, (_none, index) => {
    const foreign = foreigners && index % FOREIGN_EVERY === FOREIGN_EVERY - 1;
    return planShopper(random, index, foreign, timing);
  });
}

const FOREIGN_EVERY = 10;

/** Who waits for an announcement waits so many times as long as it takes to be out for sure. */
const SURE_FACTOR = 1.1;

/** And then up to this share of the first threshold. */
const LINGER = 0.2;

const LANGUAGES = [
  { language: 'en', weight: 5 },
  { language: 'hi-Latn', weight: 3 },
  { language: 'hi', weight: 2 },
] as const;

/** What people come for: weights in per cent. Where it is not said otherwise, they go quiet at the end. */
const STORIES = [
  { weight: 17, foreign: true, tell: (story: Story) => story.chat() },
  { weight: 5, foreign: true, tell: (story: Story) => story.chat().add().empty() },
  { weight: 15, foreign: true, tell: (story: Story) => story.chat().add().order() },
  { weight: 16, foreign: true, tell: (story: Story) => story.chat().add().untilAnnounced(1) },
  // After the first announcement:
  { weight: 11, foreign: true, tell: (story: Story) => story.fill().comeBack().order() },
  { weight: 5, foreign: true, tell: (story: Story) => story.fill().order() },
  { weight: 7, foreign: true, tell: (story: Story) => story.fill().comeBack().untilAnnounced(1) },
  { weight: 3, foreign: true, tell: (story: Story) => story.fill().add().remove().order() },
  { weight: 4, foreign: true, tell: (story: Story) => story.fill().optOut() },
  { weight: 3, foreign: true, tell: (story: Story) => story.fill().empty() },
  // After the second:
  { weight: 4, foreign: true, tell: (story: Story) => story.add().untilAnnounced(1).order() },
  // By then the session has sunk to warm; they go on where they stopped, and so does their conversation.
  { weight: 7, foreign: false, sinks: true, tell: (story: Story) => story.fillAndGoOn() },
  // Buys, and fills another cart: two episodes of one user. Other programs leave no note of when an
  // item was added; a cart that they refill before anybody looks counts as left behind by the order.
  {
    weight: 3,
    foreign: false,
    tell: (story: Story) => story.add().order().add().untilAnnounced(0),
  },
] as const;

function planShopper(
  random: SeededRandom,
  index: number,
  foreign: boolean,
  timing: Timing,
): Shopper {
  const { language } = random.weighted(LANGUAGES);
  const user = `${random.pick(NAMES)}-${String(index + 1).padStart(3, '0')}`;
  const story = new Story(random, timing, language, user);
  let plot = random.weighted(STORIES);
  while ((foreign && !plot.foreign) || ('sinks' in plot && timing.hotLifeMs === undefined))
    plot = random.weighted(STORIES);
  plot.tell(story);
  const arrivesMs = random.between(0, timing.spanMs - story.endsMs);
  return {
    user,
    language,
    channel: random.pick(['whatsapp', 'web', 'instagram']),
    consents: random.chance(0.7),
    foreign,
    acts: story.acts.map((act) => ({ ...act, atMs: Math.round(act.atMs + arrivesMs) })),
  };
}

/** Somebody's visit in the making: each step goes on where the one before ended. */
class Story {
  readonly acts: Act[] = [];
  readonly #random: SeededRandom;
  readonly #timing: Timing;
  readonly #language: Language;
  readonly #user: string;
  #atMs = 0;
  #cart: CartItem[] = [];
  #orders = 0;

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
    this.#act({ does: 'orders', orderId: `${this.#user}-${String(this.#orders)}` });
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
    this.#says('returns');
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
    const outMs = stagesMs[stage] + sureMs * SURE_FACTOR;
    this.#atMs += this.#random.between(outMs, outMs + firstMs * LINGER);
    return this;
  }

  #says(situation: Situation): void {
    const phrases = PHRASES[this.#language];
    this.#act({ does: 'says', text: this.#random.pick(phrases[situation]) });
    const text = this.#random.pick(phrases.reply);
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
