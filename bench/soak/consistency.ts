import { compare, expectationOf } from '../../src/demo/expectations.ts';
import type { Visit } from '../../src/demo/shop.ts';
import type { Hot } from '../../src/compose.ts';
import { type AnyEvent, isRescueEvent } from '../../src/model/event.ts';
import type { Bus } from '../../src/ports/bus.ts';
import { TERMS } from './terms.ts';

/** What was heard against the application's own record. */
export interface Heard {
  readonly announcements: number;
  readonly cancellations: number;
  readonly missing: number;
  readonly unexpected: number;
  /** Users who did something so close to a due instant that what should be heard of them is open. */
  readonly undecided: number;
  readonly problems: readonly string[];
}

const PROBLEMS_SHOWN = 10;

/** @param until what is due later may be missing */
export function compareAll(
  visits: readonly Visit[],
  events: readonly AnyEvent[],
  until: number,
): Heard {
  const eventsOf = Map.groupBy(events.filter(isRescueEvent), ({ data }) => data.user);
  const counts = { announcements: 0, cancellations: 0, missing: 0, unexpected: 0, undecided: 0 };
  const problems: string[] = [];
  for (const { shopper, deeds } of visits) {
    const { user } = shopper;
    const expectation = expectationOf(deeds, TERMS);
    const heard = (eventsOf.get(user) ?? []).toSorted((a, b) => (a.sequence < b.sequence ? -1 : 1));
    eventsOf.delete(user);
    const { missing, unexpected } = compare(expectation, heard, until);
    for (const { type, dueAt } of expectation.events) {
      if (dueAt > until) continue;
      counts[type === 'cart.abandoned' ? 'announcements' : 'cancellations'] += 1;
    }
    counts.missing += missing.length;
    counts.unexpected += unexpected.length;
    if (expectation.undecided) counts.undecided += 1;
    for (const { type, stage } of missing) problems.push(`${user}: no ${type} of stage ${stage}`);
    for (const { type, data } of unexpected)
      problems.push(`${user}: ${type} of stage ${data.stage} was not called for`);
  }
  for (const [user, strangers] of eventsOf) {
    counts.unexpected += strangers.length;
    problems.push(`${user}: not one of ours`);
  }
  return { ...counts, problems: problems.slice(0, PROBLEMS_SHOWN) };
}

/** What must be nothing when everything is over. */
export interface LeftOver {
  readonly due: number;
  readonly leased: number;
  readonly pending: number;
  readonly quarantined: number;
  readonly behind: number;
  readonly deadLetters: number;
}

export async function leftOver({ agenda, ledgers, clock }: Hot, bus: Bus): Promise<LeftOver> {
  const { due, leased } = await agenda.counts(clock.now());
  const groups = await bus.groups();
  return {
    due,
    leased,
    pending: await pendingEvents(ledgers, clock),
    quarantined: (await ledgers.quarantined(0)).total,
    behind: groups.reduce((sum, { behind }) => sum + behind, 0),
    deadLetters: groups.reduce((sum, { deadLetters }) => sum + deadLetters, 0),
  };
}

async function pendingEvents(ledgers: Hot['ledgers'], clock: Hot['clock']): Promise<number> {
  let pending = 0;
  for (let cursor: string | undefined = ''; cursor !== undefined; ) {
    const page: Awaited<ReturnType<typeof ledgers.scan>> = await ledgers.scan(cursor);
    const readings = await ledgers.read(page.users, clock.now());
    for (const reading of readings) pending += reading.pending.length;
    cursor = page.cursor;
  }
  return pending;
}
