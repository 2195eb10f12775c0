import type { Redis } from 'ioredis';
import type { AnyEvent } from '../../src/model/event.ts';
import { impossibleUser } from '../../src/model/user-id.ts';
import type { Agenda } from '../../src/ports/agenda.ts';
import type { LedgerStore } from '../../src/ports/ledger.ts';
import { type HostileSession, cartOf, hashOf } from './hostile-session.ts';

/** One whose session is as it should be beside each that is not: in the same batches, in the same run. */
export function withHealthy(hostile: readonly HostileSession[], now: number): HostileSession[] {
  return hostile.flatMap((session, index) => {
    const name = `healthy ${index}`;
    return [session, { name, user: name, session: hashOf(name, now), expected: 'announced' }];
  });
}

export function isImpossible({ user }: HostileSession): boolean {
  return impossibleUser(Buffer.from(user)) !== undefined;
}

/** What stands for its user in the quarantine and in events. */
export function userOf({ user }: HostileSession): string {
  return impossibleUser(Buffer.from(user))?.user ?? String(user);
}

/** Takes Redis some ten milliseconds at each look. */
export function isHeavy({ session, messages, ledger }: HostileSession): boolean {
  return [session, messages, ledger].some((written) => JSON.stringify(written ?? '').length > 1e6);
}

export function isBroken({ expected }: HostileSession): boolean {
  return expected.startsWith('quarantined');
}

export function expectedOutcomes(sessions: readonly HostileSession[]): Record<string, string> {
  return Object.fromEntries(sessions.map(({ name, expected }) => [name, expected]));
}

/** Once each broken one was mended, and the impossible ones are gone. */
export function mendedOutcomes(sessions: readonly HostileSession[]): Record<string, string> {
  const pairs = sessions.map((session): [string, string] => {
    if (isImpossible(session)) return [session.name, 'nothing'];
    return [session.name, isBroken(session) ? 'announced' : session.expected];
  });
  return Object.fromEntries(pairs);
}

/** What became of each so far, by its name. */
export async function outcomes(
  { agenda, ledgers }: { readonly agenda: Agenda; readonly ledgers: LedgerStore },
  events: readonly AnyEvent[],
  sessions: readonly HostileSession[],
): Promise<Record<string, string>> {
  const heard = Map.groupBy(events, ({ data }) => data.user);
  const { entries } = await ledgers.quarantined(10_000);
  const reasons = new Map(entries.map(({ user, reason }) => [user, reason]));
  const pairs = sessions.map(async (session): Promise<[string, string]> => {
    const user = userOf(session);
    const { dueAt, leasedUntil } = await agenda.inspect(user);
    const what = (heard.get(user) ?? []).map(({ type }): string =>
      type === 'cart.abandoned' ? 'announced' : 'cancelled',
    );
    const reason = reasons.get(user);
    if (reason !== undefined) what.push(`quarantined: ${reason}`);
    // Whoever was announced waits for the next stage.
    if (what.length === 0) what.push((dueAt ?? leasedUntil) === undefined ? 'nothing' : 'waits');
    return [session.name, what.join(', ')];
  });
  return Object.fromEntries(await Promise.all(pairs));
}

/** What each event tells, and what is its user's own. */
export function tellings(
  events: readonly AnyEvent[],
  sessions: readonly HostileSession[],
): { told: unknown; own: object }[] {
  const byUser = new Map(sessions.map((session) => [userOf(session), session]));
  return events.map(({ data }) => {
    const { name = '', tells } = byUser.get(data.user) ?? {};
    const usual = { cart: { items: cartOf(name) }, language: `language of ${name}` };
    return { told: data, own: tells ?? usual };
  });
}

/** Everybody of whom anything is remembered. */
export async function remembered({
  ledgers,
}: {
  readonly ledgers: LedgerStore;
}): Promise<string[]> {
  const found: string[] = [];
  for (let cursor: string | undefined = ''; cursor !== undefined; ) {
    const page = await ledgers.scan(cursor);
    found.push(...page.users);
    cursor = page.cursor;
  }
  return found;
}

/** Every key of other programs, with a digest of what stands there, and when it goes. */
export async function keyspaceOf(client: Redis): Promise<Map<string, unknown>> {
  const found = new Map<string, unknown>();
  let cursor = '0';
  do {
    const [next, page] = await client.scanBuffer(cursor, 'MATCH', 'session:*', 'COUNT', 1_000);
    cursor = String(next);
    const add = async (key: Buffer): Promise<void> => {
      const digest = await client.call('DEBUG', 'DIGEST-VALUE', key);
      found.set(key.toString('latin1'), [digest, await client.pexpiretime(key)]);
    };
    await Promise.all(page.map(add));
  } while (cursor !== '0');
  return found;
}
