import type { Problem } from '../model/problem.ts';
import type { Agenda } from '../ports/agenda.ts';
import type { Clock } from '../ports/clock.ts';
import type { LedgerStore, Quarantined, Reading } from '../ports/ledger.ts';
import type { Sessions } from '../ports/sessions.ts';
import { LOOK_BATCH } from './look.ts';
import type { Observe } from './observe.ts';
import type { PolicySettings } from './decision.ts';
import { decide } from './policy.ts';

/** Users read by one script: as many as a look takes, for no look is to wait for more. */
const READ_BATCH = LOOK_BATCH;

/** Of the time that a regular pass takes, the part in which it works: so a million sessions cost Redis a few per cent. */
const BACKGROUND_SHARE = 0.05;

export interface ReconcilePorts {
  readonly sessions: Sessions;
  readonly ledgers: LedgerStore;
  readonly agenda: Agenda;
  readonly clock: Clock;
}

export interface ReconcileReport {
  /** Users seen, each as often as it was found. */
  readonly users: number;
  readonly armed: number;
  readonly tookMs: number;
}

/**
 * Goes over all sessions and ledgers and arms what the agenda may have missed: touches while notifications were off or
 * lost, what a restart of the store forgot. A user with something pending or to be recorded is armed now, one with
 * nothing new as the policy says; arming never moves an earlier look, so it never costs a look that finds nothing.
 * Ledgers that are spent are swept.
 *
 * @param options.fullSpeed without pauses: after notifications were lost; else in the background, at a bounded rate
 */
export async function reconcile(
  ports: ReconcilePorts,
  settings: PolicySettings,
  observe: Observe,
  { fullSpeed, signal }: { readonly fullSpeed: boolean; readonly signal?: AbortSignal },
): Promise<ReconcileReport> {
  const { sessions, ledgers, clock } = ports;
  const isImpossible = (user: string): boolean => sessions.names.problemOf(user) !== undefined;
  const startedAt = clock.now();
  let users = 0;
  let armed = 0;
  let workedAt = performance.now();
  const pause = async (): Promise<void> => {
    const workedMs = performance.now() - workedAt;
    if (!fullSpeed)
      await clock.sleep((workedMs * (1 - BACKGROUND_SHARE)) / BACKGROUND_SHARE, signal);
    workedAt = performance.now();
  };
  const visit = async (
    found: readonly string[],
    which: (reading: Reading) => boolean,
  ): Promise<void> => {
    for (let from = 0; from < found.length && signal?.aborted !== true; from += READ_BATCH) {
      const now = clock.now();
      const readings = await ledgers.read(found.slice(from, from + READ_BATCH), now);
      const some = readings.filter(which);
      await ledgers.forget(some.filter((reading) => isSpent(reading, settings, now)));
      const judged = some.map((reading) => judge(reading, settings, now));
      armed += await arm(ports, judged);
      await quarantine(ports, judged.flatMap(unlisted), observe);
      users += readings.length;
      await pause();
    }
  };

  // What is no user cannot be asked for: its key is gone if no page names it.
  const quarantined = await ledgers.quarantined(Number.MAX_SAFE_INTEGER);
  const unseen = new Set(quarantined.entries.map(({ user }) => user).filter(isImpossible));

  let cursor: string | undefined = '';
  while (cursor !== undefined && signal?.aborted !== true) {
    const page = await sessions.scan(cursor);
    await pause();
    for (const { user } of page.impossible) unseen.delete(user);
    await quarantine(ports, page.impossible, observe);
    await visit(page.users, () => true);
    cursor = page.cursor;
  }
  // A pending event or an open episode may outlive its session; the others were seen above.
  cursor = '';
  while (cursor !== undefined && signal?.aborted !== true) {
    const page = await ledgers.scan(cursor);
    await pause();
    await visit(page.users, (reading) => reading.fields === undefined);
    cursor = page.cursor;
  }
  const report = { users, armed, tookMs: clock.now() - startedAt };
  if (signal?.aborted !== true) {
    await release(ports, [...unseen], observe);
    await releaseMended(ports, observe);
    observe('reconciled', report);
  }
  return report;
}

/** Nothing is open, nothing is to be told, and nobody was there for longer than it is to be remembered. */
function isSpent(
  { fields, problem, ledger, pending, overflow }: Reading,
  settings: PolicySettings,
  now: number,
): boolean {
  if (fields ?? problem ?? ledger?.episode) return false;
  return (
    ledger !== undefined &&
    pending.length === 0 &&
    overflow === 0 &&
    now - ledger.activityAt > settings.ledgerTtlMs
  );
}

interface Judged {
  readonly user: string;
  /** When a look is due; undefined: none is. */
  readonly at: number | undefined;
  /** A problem that no look has to record. */
  readonly problem: Problem | undefined;
}

function judge(reading: Reading, settings: PolicySettings, now: number): Judged {
  const { user, ledger, pending } = reading;
  try {
    const decision = decide(reading, ledger, settings, now);
    const waits = decision.demote && reading.overflow > 0;
    const isNews = decision.ledger !== undefined || decision.events.length > 0 || waits;
    return {
      user,
      at: isNews || pending.length > 0 ? now : decision.nextAt,
      problem: isNews ? undefined : decision.problem,
    };
  } catch {
    // The look reports the fault.
    return { user, at: now, problem: undefined };
  }
}

/** Whom no look will put into quarantine: their ledger cannot say so, or says so though the list has dropped them. */
function unlisted({ user, problem }: Judged): { user: string; problem: Problem }[] {
  return problem ? [{ user, problem }] : [];
}

async function arm({ agenda }: ReconcilePorts, judged: readonly Judged[]): Promise<number> {
  const looks = judged.flatMap(({ user, at }) => (at === undefined ? [] : [{ user, at }]));
  await agenda.arm(looks);
  return looks.length;
}

async function quarantine(
  { sessions, ledgers, clock }: ReconcilePorts,
  found: readonly { readonly user: string; readonly problem: Problem }[],
  observe: Observe,
): Promise<void> {
  const entries = found.map(
    ({ user, problem }): Quarantined => ({
      user,
      key: sessions.keyOf(user),
      at: clock.now(),
      ...problem,
    }),
  );
  for (const entry of await ledgers.quarantine(entries)) observe('quarantined', entry);
}

/** Whom no look takes out of quarantine: those whose ledger was unreadable and was deleted. */
async function releaseMended(ports: ReconcilePorts, observe: Observe): Promise<void> {
  const { sessions, ledgers, clock } = ports;
  const { entries } = await ledgers.quarantined(Number.MAX_SAFE_INTEGER);
  const users = entries.map(({ user }) => user).filter((user) => !sessions.names.problemOf(user));
  for (let from = 0; from < users.length; from += READ_BATCH) {
    const readings = await ledgers.read(users.slice(from, from + READ_BATCH), clock.now());
    const mended = readings
      .filter(({ problem, ledger }) => !problem && !ledger?.problem)
      .map(({ user }) => user);
    await release(ports, mended, observe);
  }
}

async function release(
  { ledgers }: ReconcilePorts,
  users: readonly string[],
  observe: Observe,
): Promise<void> {
  await ledgers.release(users);
  for (const user of users) observe('mended', { user });
}
