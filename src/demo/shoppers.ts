import { type Language, NAMES } from './phrases.ts';
import { SeededRandom } from './random.ts';
import { type Act, Story } from './story.ts';
import { TALKS, type Talk } from './talks.ts';
import type { Timing } from './timing.ts';

/** Somebody who comes to the shop, and all that they are going to do there. */
export interface Shopper {
  readonly user: string;
  readonly language: Language;
  readonly channel: string;
  /** They agreed to be written to; else nobody asked. */
  readonly consents: boolean;
  /** Their session is written by a program that knows nothing of Rekindle. */
  readonly foreign: boolean;
  /** What was said when they were here before. */
  readonly past: Talk | undefined;
  readonly acts: readonly Act[];
}

export interface Crowd {
  readonly seed: number;
  readonly users: number;
  /** Let another program write a tenth of the sessions. */
  readonly foreigners: boolean;
  /** Some have been here before, the first of all among them. */
  readonly pasts?: boolean;
}

/** Plans what everybody does: the same for the same seed. */
export function planShoppers(
  { seed, users, foreigners, pasts = false }: Crowd,
  timing: Timing,
): Shopper[] {
  const random = new SeededRandom(seed);
  return Array.from({ length: users }, (_none, index) => {
    const foreign = foreigners && index % FOREIGN_EVERY === FOREIGN_EVERY - 1;
    const hasPast = pasts && index % PAST_EVERY === 0;
    return planShopper(random, index, { foreign, hasPast }, timing);
  });
}

const FOREIGN_EVERY = 10;

/** Never one of the foreign ones. */
const PAST_EVERY = 15;

/** Of the whole time; who has been here before comes after it, when the past has sunk and is compacted. */
const PAST_SINKS_BY = 0.4;

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
  { foreign, hasPast }: { readonly foreign: boolean; readonly hasPast: boolean },
  timing: Timing,
): Shopper {
  const { language } = random.weighted(LANGUAGES);
  const user = `${random.pick(NAMES)}-${String(index + 1).padStart(3, '0')}`;
  const story = new Story(random, timing, language, user);
  const past = hasPast ? random.pick(TALKS[language]) : undefined;
  if (past) story.ask(past.question).buyOrLeave();
  else tellOne(random, foreign, timing, story);
  const latestMs = timing.spanMs - story.endsMs;
  const arrivesMs = random.between(
    past ? Math.min(latestMs, timing.spanMs * PAST_SINKS_BY) : 0,
    latestMs,
  );
  return {
    user,
    language,
    channel: random.pick(['whatsapp', 'web', 'instagram']),
    consents: random.chance(0.7),
    foreign,
    past,
    acts: story.acts.map((act) => ({ ...act, atMs: Math.round(act.atMs + arrivesMs) })),
  };
}

function tellOne(random: SeededRandom, foreign: boolean, timing: Timing, story: Story): void {
  let plot = random.weighted(STORIES);
  while ((foreign && !plot.foreign) || ('sinks' in plot && timing.hotLifeMs === undefined))
    plot = random.weighted(STORIES);
  plot.tell(story);
}
