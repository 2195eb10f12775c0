/**
 * Which orders should be told as `cart.recovered`, and owed to what? By the shop's own record and the messages that it saw
 * leave, not by the code that is on trial: an order of a cart that had been announced is told once; it is owed directly
 * to a message whose link it came by, or that its user answered; else to one sent before it; else to none.
 */
import type { RecoveryClass, RekindleEvent } from '../model/event.ts';
import type { RescueDesk, Written } from './rescue-desk.ts';
import type { Deed, Visit } from './shop.ts';

type Announcement = RekindleEvent<'cart.abandoned'>;
type Recovered = RekindleEvent<'cart.recovered'>;

/** An order of an announced cart. */
export interface ExpectedRecovery {
  readonly orderId: string;
  /** When it was placed. */
  readonly at: number;
  /** More than one where it was placed while a message was just on its way. */
  readonly classes: readonly RecoveryClass[];
}

/** What should be told of the orders of one user. @param announced what was announced of the user */
function recoveriesOf(
  deeds: readonly Deed[],
  announced: readonly Announcement[],
  written: readonly Written[],
): ExpectedRecovery[] {
  const expected: ExpectedRecovery[] = [];
  let cartSince = -Infinity;
  for (const deed of deeds) {
    if (deed.did === 'ordered') {
      const ids = new Set(
        announced
          .filter(({ data }) => {
            const quietSince = Date.parse(data.last_activity);
            return quietSince > cartSince && quietSince < deed.at;
          })
          .map(({ id }) => id),
      );
      if (ids.size > 0) {
        const answered = deeds.some(
          ({ at, answers }) => at <= deed.at && answers !== undefined && ids.has(answers),
        );
        const isDirect = answered || (deed.ref !== undefined && ids.has(deed.ref));
        const messages = written.filter(({ announcement }) => ids.has(announcement.id));
        const classes = isDirect ? (['direct'] as const) : owedTo(deed.at, messages);
        expected.push({ orderId: deed.orderId ?? '', at: deed.at, classes });
      }
    }
    if (endsCart(deed)) cartSince = deed.at;
  }
  return expected;
}

function owedTo(orderedAt: number, messages: readonly Written[]): readonly RecoveryClass[] {
  const before = messages.filter(({ sentAt }) => sentAt <= orderedAt);
  if (before.some(({ notedAt }) => notedAt <= orderedAt)) return ['assisted'];
  return before.length > 0 ? ['assisted', 'organic'] : ['organic'];
}

function endsCart({ did, cart }: Deed): boolean {
  return did === 'ordered' || did === 'opted out' || cart.length === 0;
}

export interface RecoveryComparison {
  /** Told, and due by now. */
  readonly expected: number;
  /** Not told though it must have been. */
  readonly missing: readonly string[];
  /** Told twice, of no such order, or owed to something else. */
  readonly wrong: readonly string[];
}

/** Compares what was told with what should be. @param until orders that were placed later may be told, and may not be */
export function compareRecoveries(
  visits: readonly Visit[],
  announced: readonly Announcement[],
  recovered: readonly Recovered[],
  { written }: Pick<RescueDesk, 'written'>,
  until: number,
): RecoveryComparison {
  const announcedOf = Map.groupBy(announced, ({ data }) => data.user);
  const writtenOf = Map.groupBy(written, ({ announcement }) => announcement.data.user);
  const told = Map.groupBy(recovered, ({ data }) => data.order_id ?? '');
  const missing: string[] = [];
  const wrong: string[] = [];
  let expected = 0;
  for (const { shopper, deeds } of visits) {
    const { user } = shopper;
    const orders = recoveriesOf(deeds, announcedOf.get(user) ?? [], writtenOf.get(user) ?? []);
    for (const { orderId, at, classes } of orders) {
      const [first, ...more] = told.get(orderId) ?? [];
      told.delete(orderId);
      if (first || at <= until) expected += 1;
      if (!first && at <= until) missing.push(`${user}: no cart.recovered of ${orderId}`);
      if (more.length > 0) wrong.push(`${user}: the order ${orderId} was told more than once`);
      if (first && !classes.includes(first.data.class))
        wrong.push(`${user}: ${orderId} is ${classes.join(' or ')}, not ${first.data.class}`);
    }
  }
  for (const orderId of told.keys()) wrong.push(`${orderId} is no order of an announced cart`);
  return { expected, missing, wrong };
}
