import fc from 'fast-check';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/model/duration.ts';

/** What users, assistants, applications and other programs do. */
export type Deed =
  /** Through the library; `again`: the application sends one of the latest messages a second time. */
  | { readonly do: 'says'; readonly by: 'user' | 'assistant'; readonly again?: number }
  /** As many at once as fill a segment, or nearly. */
  | { readonly do: 'says much'; readonly messages: number }
  | { readonly do: 'fills cart'; readonly items: number }
  | { readonly do: 'orders' }
  | { readonly do: 'ends' }
  /** Another program puts messages into the list, with ids or without. */
  | { readonly do: 'pushes'; readonly messages: number; readonly named: boolean }
  /** That program takes from the beginning of its list what stands in warm already. */
  | { readonly do: 'trims'; readonly keep: number }
  | { readonly do: 'passes'; readonly ms: number };

/** Whoever moves sessions between the tiers; each of their calls may be the last. */
export interface Mover {
  readonly moves: 'demote' | 'resume';
  /** It dies after so many calls; `unheard`: the next one takes effect all the same. */
  readonly dies?: { readonly after: number; readonly unheard: boolean };
}

export type Step =
  | Deed
  /** Nobody looks meanwhile, then all that is due is looked at. */
  | { readonly do: 'look' }
  /** Time passes, with looks when they are due, and their demotions at once. */
  | { readonly do: 'lives'; readonly ms: number }
  /** The jobs that were queued are done, late; `twice`: two times over. */
  | { readonly do: 'jobs'; readonly twice: boolean }
  /** Movers take turns, with deeds between; `turns` says whose. */
  | {
      readonly do: 'race';
      readonly movers: readonly Mover[];
      readonly deeds: readonly Deed[];
      readonly turns: readonly number[];
    };

/** Whose session it is: `both`, where the library writes to a session of another program. */
export type Owner = 'library' | 'others' | 'both';

export interface History {
  readonly owner: Owner;
  /** How long a deed takes: two may come in one millisecond. */
  readonly tickMs: 0 | 1;
  readonly steps: readonly Step[];
  /** What becomes of the cart that is left in the end. */
  readonly coda: readonly Step[];
}

const says = fc
  .constantFrom<('user' | 'assistant')[]>('user', 'user', 'assistant')
  .map((by): Deed => ({ do: 'says', by }));
const saysAgain = fc.nat({ max: 3 }).map((again): Deed => ({ do: 'says', by: 'user', again }));
const saysMuch = fc
  .integer({ min: 4, max: 26 })
  .map((messages): Deed => ({ do: 'says much', messages }));
const fillsCart = fc.nat({ max: 3 }).map((items): Deed => ({ do: 'fills cart', items }));
const passes = fc
  .constantFrom(MINUTE_MS, 20 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS, 23 * HOUR_MS, DAY_MS, 3 * DAY_MS)
  .map((ms): Deed => ({ do: 'passes', ms }));
const pushes = fc
  .record({ messages: fc.integer({ min: 1, max: 5 }), named: fc.boolean() })
  .map((what): Deed => ({ do: 'pushes', ...what }));
const trims = fc.nat({ max: 4 }).map((keep): Deed => ({ do: 'trims', keep }));

const deed: Record<Owner, fc.Arbitrary<Deed>> = {
  library: fc.oneof(
    { arbitrary: says, weight: 8 },
    { arbitrary: saysAgain, weight: 2 },
    { arbitrary: saysMuch, weight: 1 },
    { arbitrary: fillsCart, weight: 2 },
    { arbitrary: fc.constant<Deed>({ do: 'orders' }), weight: 1 },
    { arbitrary: fc.constant<Deed>({ do: 'ends' }), weight: 2 },
    { arbitrary: passes, weight: 3 },
  ),
  others: fc.oneof(
    { arbitrary: pushes, weight: 6 },
    { arbitrary: trims, weight: 3 },
    { arbitrary: fillsCart, weight: 2 },
    { arbitrary: passes, weight: 3 },
  ),
  // Without an id, what stands in the overflow and was trimmed behind it could be new: it is written again rather than lost.
  both: fc.oneof(
    { arbitrary: pushes.map((what): Deed => ({ ...what, named: true }) as Deed), weight: 4 },
    { arbitrary: says, weight: 3 },
    { arbitrary: saysMuch, weight: 1 },
    { arbitrary: trims, weight: 2 },
    { arbitrary: passes, weight: 3 },
  ),
};

const mover: fc.Arbitrary<Mover> = fc.record(
  {
    moves: fc.constantFrom<Mover['moves']>('demote', 'demote', 'demote', 'resume'),
    dies: fc.record({ after: fc.nat({ max: 12 }), unheard: fc.boolean() }),
  },
  { requiredKeys: ['moves'] },
);

const race = (deeds: fc.Arbitrary<Deed>): fc.Arbitrary<Step> =>
  fc
    .record({
      movers: fc.array(mover, { minLength: 1, maxLength: 2 }),
      deeds: fc.array(deeds, { maxLength: 3 }),
      turns: fc.array(fc.nat({ max: 2 }), { minLength: 6, maxLength: 24 }),
    })
    .map((what): Step => ({ do: 'race', ...what }));

const housekeeping = (deeds: fc.Arbitrary<Deed>): fc.Arbitrary<Step> =>
  fc.oneof(
    { arbitrary: race(deeds), weight: 5 },
    { arbitrary: fc.constant<Step>({ do: 'look' }), weight: 1 },
    {
      arbitrary: fc
        .constantFrom(HOUR_MS, 23 * HOUR_MS, 25 * HOUR_MS, 3 * DAY_MS)
        .map((ms): Step => ({ do: 'lives', ms })),
      weight: 2,
    },
    { arbitrary: fc.boolean().map((twice): Step => ({ do: 'jobs', twice })), weight: 2 },
  );

const historyOf = (owner: Owner): fc.Arbitrary<History> =>
  fc.record({
    owner: fc.constant(owner),
    tickMs: fc.constantFrom(0, 1),
    steps: fc.array(
      fc.oneof(
        { arbitrary: deed[owner], weight: 3 },
        { arbitrary: housekeeping(deed[owner]), weight: 2 },
      ),
      { minLength: 3, maxLength: 14 },
    ),
    coda: fc.array(
      fc.oneof(
        { arbitrary: housekeeping(fc.constant({ do: 'passes', ms: HOUR_MS })), weight: 2 },
        { arbitrary: passes, weight: 1 },
      ),
      { maxLength: 2 },
    ),
  });

/** Most are the library's. */
export const history: fc.Arbitrary<History> = fc.oneof(
  { arbitrary: historyOf('library'), weight: 4 },
  { arbitrary: historyOf('both'), weight: 1 },
  { arbitrary: historyOf('others'), weight: 1 },
);
