/**
 * One look at a batch of due users:
 *
 *   claim ─▶ read ─▶ decide ─▶ (queue demotions) ─▶ commit ─▶ announce ─▶ settle
 *
 * A commit that leaves nothing pending ends the look: then neither announce nor settle has anything left to do for that user.
 * A worker may die between any two of these: its lease runs out, the users are due again, and what was committed is
 * found pending and announced under the same ids. Invariant: whoever has a pending event has a live lease or a due
 * agenda entry.
 */
import { HOUR_MS, MINUTE_MS } from '../model/duration.ts';
import { errorMessage } from '../model/errors.ts';
import type { CartEvent } from '../model/event.ts';
import { parseInstant } from '../model/instant.ts';
import type { Agenda, Claim, NextLook } from '../ports/agenda.ts';
import type { Clock } from '../ports/clock.ts';
import type { Jobs } from '../ports/jobs.ts';
import type { LedgerStore, LedgerWrite, Quarantined, Reading } from '../ports/ledger.ts';
import type { Sessions } from '../ports/sessions.ts';
import type { Announcer, Pending } from './announce.ts';
import { type EventSettings, buildEvent } from './events.ts';
import type { Observe } from './observe.ts';
import type { Decision, PolicySettings } from './decision.ts';
import { DEMOTION, withoutDemotion } from './demotion.ts';
import { decide } from './policy.ts';
import { spreadRefusals } from './refusals.ts';

export interface LookSettings extends PolicySettings, EventSettings {
  /** Treat sessions of others as ours, and let them live so long after an activity; undefined: leave them alone. */
  readonly manageTtlMs: number | undefined;
}

export interface LookPorts {
  readonly clock: Clock;
  /** Where demotions are queued. */
  readonly jobs: Pick<Jobs, 'add'>;
  readonly agenda: Agenda;
  readonly ledgers: LedgerStore;
  readonly sessions: Sessions;
}

/** Users a look takes at a time: few enough that several batches keep Redis and the watcher busy in turn. */
export const LOOK_BATCH = 64;

/** After a fault of ours in judging one user: the others go on, and it is tried again when that may have been mended. */
const FAULT_RETRY_MS = MINUTE_MS;

export interface LookResult {
  readonly users: number;
  /** When the next look is due, as far as is known. */
  readonly nextDueAt: number | undefined;
}

interface Judged {
  readonly reading: Reading;
  readonly decision: Decision;
  readonly events: readonly CartEvent[];
}

export class Looker {
  readonly #ports: LookPorts;
  readonly #announcer: Announcer;
  readonly #settings: LookSettings;
  readonly #observe: Observe;
  readonly #onFault: (user: string, error: unknown) => void;

  constructor(
    ports: LookPorts,
    announcer: Announcer,
    settings: LookSettings,
    observe: Observe,
    onFault: (user: string, error: unknown) => void,
  ) {
    this.#ports = ports;
    this.#announcer = announcer;
    this.#settings = settings;
    this.#observe = observe;
    this.#onFault = onFault;
  }

  /** Claims due users, at most one batch, and looks at them. */
  async lookOnce(signal?: AbortSignal): Promise<LookResult> {
    const { clock, agenda, ledgers } = this.#ports;
    const claim = await agenda.claim(clock.now(), LOOK_BATCH);
    if (claim.users.length === 0) return { users: 0, nextDueAt: claim.nextDueAt };

    const readings = await ledgers.read(claim.users, clock.now());
    // Not before: what is first seen now was written before now.
    const now = clock.now();
    const next = new Map<string, number | undefined>();
    const judged = readings.flatMap((reading) => this.#judge(reading, now, next));
    const queued = await this.#queueDemotions(judged, next, now);
    const pending = await this.#commit(claim, queued, next);

    const announced = await this.#announcer.announce(pending, signal);
    const settle: NextLook[] = announced.map(({ user, published, retryAt }) => {
      const at = next.get(user);
      next.delete(user);
      return { user, at: retryAt === undefined ? at : earlier(at, retryAt), published };
    });
    for (const [user, at] of next) settle.push({ user, at });
    await agenda.settle(claim, settle);
    return { users: claim.users.length, nextDueAt: claim.nextDueAt };
  }

  #judge(reading: Reading, now: number, next: Map<string, number | undefined>): Judged[] {
    try {
      const decision = decide(reading, reading.ledger, this.#settings, now);
      const events = decision.events.map((draft) =>
        buildEvent(reading.user, draft, this.#settings, now),
      );
      next.set(reading.user, decision.nextAt);
      return [{ reading, decision, events }];
    } catch (error) {
      this.#onFault(reading.user, error);
      next.set(reading.user, now + FAULT_RETRY_MS);
      return [];
    }
  }

  /** Before the commit, which notes it: a job too many does no harm. While the queue is away, all else goes on. */
  async #queueDemotions(
    judged: readonly Judged[],
    next: Map<string, number | undefined>,
    now: number,
  ): Promise<readonly Judged[]> {
    const users = judged
      .filter(({ decision }) => decision.demote)
      .map(({ reading }) => reading.user);
    if (users.length === 0) return judged;
    try {
      await this.#ports.jobs.add(DEMOTION, users);
      this.#observe('demotionsQueued', { users: users.length });
      return judged;
    } catch (error) {
      this.#observe('queueAway', { reason: errorMessage(error) });
      return judged.map((one) => {
        if (!one.decision.demote) return one;
        const { reading } = one;
        const decision = withoutDemotion(one.decision, reading.ledger, now);
        next.set(reading.user, decision.nextAt);
        return { ...one, decision };
      });
    }
  }

  /** @returns what is pending afterwards, of the users that this claim still holds */
  async #commit(
    claim: Claim,
    judged: readonly Judged[],
    next: Map<string, number | undefined>,
  ): Promise<Pending[]> {
    const { ledgers, clock } = this.#ports;
    const writes = judged.flatMap((one) => this.#writeOf(one, clock.now(), next));
    const outcomes = writes.length > 0 ? await ledgers.commit(claim, writes, clock.now()) : [];
    const refused = new Set<string>();
    let changed = 0;
    const settled = new Set<string>();
    writes.forEach(({ reading, quarantine, events }, index) => {
      const outcome = outcomes[index] ?? 'changed';
      if (outcome === 'settled') {
        settled.add(reading.user);
        next.delete(reading.user);
        this.#announcer.announced(events);
      }
      if (outcome === 'settled' || outcome === 'committed') {
        this.#tellQuarantine(reading, quarantine);
        return;
      }
      refused.add(reading.user);
      // Whose lease is lost is somebody else's to settle; whose session changed is looked at again at once.
      if (outcome === 'lease_lost') next.delete(reading.user);
      else next.set(reading.user, clock.now());
      if (outcome === 'changed') changed += 1;
    });
    this.#observe('looked', { users: judged.length, changed, leaseLost: refused.size - changed });
    const kept = judged.filter(({ reading }) => !refused.has(reading.user));
    await this.#quarantineUnwritable(kept, clock.now());
    await this.#adopt(kept, clock.now());
    const seen = kept.map(({ reading }) => reading);
    await spreadRefusals(this.#ports.sessions, seen, clock.now());
    const open = kept.filter(({ reading }) => !settled.has(reading.user));
    return open.map(({ reading, events }) => ({
      user: reading.user,
      events: reading.pending.length > 0 ? [...reading.pending, ...events] : events,
    }));
  }

  #writeOf(
    { reading, decision, events }: Judged,
    now: number,
    next: ReadonlyMap<string, number | undefined>,
  ): LedgerWrite[] {
    if (!decision.ledger) return [];
    const known = reading.ledger?.problem?.reason;
    let quarantine: LedgerWrite['quarantine'];
    if (decision.problem && decision.problem.reason !== known)
      quarantine = this.#entry(reading, decision.problem, now);
    else if (!decision.problem && known !== undefined) quarantine = 'leave';
    const last = this.#commitsLast ? { nextAt: next.get(reading.user) } : undefined;
    return [{ reading, ledger: decision.ledger, events, quarantine, last }];
  }

  /** Sessions of others are adopted after the commit, and refusals spread. */
  get #commitsLast(): boolean {
    return this.#settings.manageTtlMs === undefined && !this.#ports.sessions.names.several;
  }

  #entry({ user }: Reading, problem: NonNullable<Decision['problem']>, at: number): Quarantined {
    return {
      user,
      key: this.#ports.sessions.keyOf(user),
      reason: problem.reason,
      detail: problem.detail,
      at,
    };
  }

  #tellQuarantine({ user }: Reading, quarantine: LedgerWrite['quarantine']): void {
    if (quarantine === 'leave') this.#observe('mended', { user });
    else if (quarantine) this.#observe('quarantined', quarantine);
  }

  /** A ledger that cannot be read is left as it is, so it cannot say itself that its user is in quarantine. */
  async #quarantineUnwritable(judged: readonly Judged[], now: number): Promise<void> {
    const entries = judged
      .filter(({ decision }) => decision.problem?.reason === 'ledger_unreadable')
      .flatMap(({ reading, decision }) =>
        decision.problem ? [this.#entry(reading, decision.problem, now)] : [],
      );
    for (const entry of await this.#ports.ledgers.quarantine(entries))
      this.#observe('quarantined', entry);
  }

  /** Makes sessions of others ours to expire, and lets them live on with what others write to them. */
  async #adopt(judged: readonly Judged[], now: number): Promise<void> {
    const { manageTtlMs } = this.#settings;
    if (manageTtlMs === undefined) return;
    const foreign = judged.filter(({ reading: { fields, expiresAt }, decision }) => {
      if (!fields || decision.problem) return false;
      const activityAt = parseInstant(fields.last_activity ?? '') ?? now;
      return (
        fields.rekindle === undefined ||
        (expiresAt ?? 0) < Math.min(activityAt, now) + manageTtlMs - HOUR_MS
      );
    });
    // Whose session is none any more is looked at again, for somebody wrote there; it holds up nobody else.
    await Promise.allSettled(
      foreign.map(({ reading }) =>
        this.#ports.sessions.write({ user: reading.user, at: now, activity: false }),
      ),
    );
  }
}

function earlier(a: number | undefined, b: number): number {
  return a === undefined ? b : Math.min(a, b);
}
