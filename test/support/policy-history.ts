import { isDeepStrictEqual } from 'node:util';
import { Activity } from '../../src/abandonment/activity.ts';
import { decide } from '../../src/abandonment/policy.ts';
import type { Decision, EventDraft, PolicySettings } from '../../src/abandonment/decision.ts';
import { reconcile } from '../../src/abandonment/reconcile.ts';
import { buildEvent } from '../../src/abandonment/events.ts';
import { cartDigest, parseCart } from '../../src/model/cart.ts';
import type { Cart } from '../../src/model/cart.ts';
import { DAY_MS } from '../../src/model/duration.ts';
import { errorMessage } from '../../src/model/errors.ts';
import { formatInstant } from '../../src/model/instant.ts';
import { decodeLedger, encodeLedger } from '../../src/model/ledger.ts';
import { parseOwnMarks } from '../../src/model/session.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { Reading } from '../../src/ports/ledger.ts';
import { memoryHot } from './memory-hot.ts';

/** One thing that happens to the one user of a history. */
export type Step =
  /** Time goes by, and looks come when they are due. */
  | { readonly do: 'wait'; readonly ms: number }
  /** Time goes by without a look: the daemon is down. */
  | { readonly do: 'outage'; readonly ms: number }
  /** The next worker dies after the claim, or after the commit. */
  | { readonly do: 'crash'; readonly after: 'claim' | 'commit' }
  | { readonly do: 'visit' | 'empty' | 'order'; readonly by: Writer }
  | { readonly do: 'add' | 'remove'; readonly by: Writer; readonly item: string }
  | { readonly do: 'consent'; readonly by: Writer; readonly status: 'yes' | 'no' | 'unknown' }
  | { readonly do: 'optOut' | 'end' | 'reconcile' | 'vanish' }
  /** Another program gives the session a TTL. */
  | { readonly do: 'expire'; readonly ms: number }
  /** Another program writes what cannot be understood, or a time to come. */
  | { readonly do: 'spoil' | 'future' };

/** `unheard`: another program whose notification is lost. */
export type Writer = 'library' | 'foreign' | 'unheard';

export interface Recorded {
  readonly at: number;
  readonly event: EventDraft;
}

/** A month of half-lives of a TTL is some hundred looks. */
const LOOKS_MAX = 10_000;

const WRITES: ReadonlySet<string> = new Set([
  'visit',
  'add',
  'remove',
  'empty',
  'order',
  'consent',
  'spoil',
  'future',
]);

const USER = 'ann';
const START = 1_800_000_000_000;

/**
 * A history of one user: real writes, an honest agenda, real decisions. Whatever happens, each decision is held against
 * what is known to be true of the user; the first that breaks a promise throws.
 */
export class PolicyHistory {
  readonly recorded: Recorded[] = [];
  readonly #settings: PolicySettings;
  readonly #hot: ReturnType<typeof memoryHot>;
  readonly #library: Activity;
  readonly #clock: Clock;
  #now = START;
  #crash: 'claim' | 'commit' | undefined;

  /** What is true, whatever anybody noticed. */
  #activeAt = Number.NEGATIVE_INFINITY;
  #nothingAddedSinceOrder = false;
  #cartIsForeign = false;
  #optedOutAt: number | undefined;
  /** Something happened since the last look that found the session. */
  #unseen = false;
  #consent: { status: string; at: number } | undefined;

  constructor(settings: PolicySettings) {
    this.#settings = settings;
    this.#hot = memoryHot(() => this.#now, {
      thresholdMs: settings.stagesMs[0]!,
      demoteLeadMs: settings.demoteLeadMs,
    });
    this.#clock = { now: () => this.#now, sleep: () => Promise.resolve() };
    this.#library = new Activity(
      this.#hot.sessions,
      this.#clock,
      { hotTtlMs: DAY_MS, maxCart: 65_536 },
      (text) => text.length,
    );
  }

  async run(steps: readonly Step[]): Promise<this> {
    for (const step of steps) {
      const { raw, keys } = this.#hot;
      // What a session said of consent goes with it, as soon as there is another.
      if (WRITES.has(step.do) && (await raw.pttl(keys.session(USER))) === undefined)
        this.#consent = undefined;
      await this.#take(step);
      if (step.do === 'wait' || step.do === 'outage') continue;
      this.#unseen = true;
      // Of what two programs write within a millisecond nobody can tell the order.
      this.#now += 1;
    }
    return this;
  }

  get announced(): Recorded[] {
    return this.recorded.filter(({ event }) => event.type === 'cart.abandoned');
  }

  async #take(step: Step): Promise<void> {
    const { raw, keys } = this.#hot;
    const session = keys.session(USER);
    switch (step.do) {
      case 'wait':
        await this.#lookUntil(this.#now + step.ms);
        return;
      case 'outage':
        this.#now += step.ms;
        return;
      case 'crash':
        this.#crash = step.after;
        return;
      case 'visit':
        await this.#write(step.by, undefined);
        return;
      case 'empty':
        await this.#write(step.by, []);
        return;
      case 'add':
        await this.#write(step.by, [...(await this.#cart()), { product_id: step.item }]);
        this.#nothingAddedSinceOrder = false;
        return;
      case 'remove':
        await this.#write(
          step.by,
          (await this.#cart()).filter(({ product_id }) => product_id !== step.item),
        );
        return;
      case 'order':
        await this.#order(step.by);
        return;
      case 'consent': {
        this.#consent = { status: step.status, at: this.#now };
        const consent = JSON.stringify(this.#consent);
        if (step.by === 'library') {
          await this.#library.recordActivity(USER, { fields: { consent } });
          this.#activeAt = this.#now;
        } else await this.#foreign(step.by, { consent });
        return;
      }
      case 'optOut':
        await this.#library.optOut(USER);
        this.#optedOutAt = this.#now;
        return;
      case 'end':
        // A session of others is theirs to end: then that is refused, and nothing happened.
        await this.#library.endSession(USER).catch((error: unknown) => {
          if (!errorMessage(error).includes('another program')) throw error;
        });
        return;
      case 'reconcile':
        await reconcile({ ...this.#hot, clock: this.#clock }, this.#settings, () => undefined, {
          fullSpeed: true,
        });
        return;
      case 'vanish':
        await raw.del(session);
        return;
      case 'expire':
        await raw.pexpire(session, step.ms);
        return;
      case 'spoil':
        await this.#foreign('foreign', { cart: '{' });
        return;
      case 'future':
        this.#activeAt = this.#now;
        await this.#foreign('foreign', { last_activity: formatInstant(this.#now + 2 * DAY_MS) });
    }
  }

  async #cart(): Promise<Cart> {
    const { cart, rekindle } = await this.#hot.raw.hgetall(this.#hot.keys.session(USER));
    if (parseOwnMarks(rekindle)?.endedAt !== undefined) return [];
    const parsed = parseCart(cart);
    return 'items' in parsed ? parsed.items : [];
  }

  /** An activity of the user, with what is in the cart now, if it changed. */
  async #write(by: Writer, cart: Cart | undefined): Promise<void> {
    this.#activeAt = this.#now;
    // The library knows the cart as it wrote it last: what others put there meanwhile looks to it like an addition.
    if (cart && by === 'library' && this.#cartIsForeign) this.#nothingAddedSinceOrder = false;
    if (cart) this.#cartIsForeign = by !== 'library';
    if (by === 'library') {
      await (cart ? this.#library.updateCart(USER, cart) : this.#library.recordActivity(USER));
      return;
    }
    const last_activity = formatInstant(this.#now);
    await this.#foreign(by, { last_activity, ...(cart && { cart: JSON.stringify(cart) }) });
  }

  /** Of two items the second stays behind. */
  async #order(by: Writer): Promise<void> {
    const left = (await this.#cart()).slice(1);
    if (by === 'library') {
      this.#activeAt = this.#now;
      await this.#library.placeOrder(USER, { cart: left });
    } else {
      await this.#write('unheard', left);
      await this.#foreign(by, { last_order_at: formatInstant(this.#now) });
    }
    this.#nothingAddedSinceOrder = true;
  }

  async #foreign(by: Writer, fields: Record<string, string>): Promise<void> {
    await this.#hot.raw.hset(this.#hot.keys.session(USER), fields);
    if (by === 'foreign') await this.#hot.sessions.armTouched([USER], this.#now);
  }

  async #lookUntil(end: number): Promise<void> {
    for (let looks = 0; ; looks += 1) {
      if (looks > LOOKS_MAX) throw new Error(`looked at for ever, at ${this.#now}`);
      const { dueAt, leasedUntil } = await this.#hot.agenda.inspect(USER);
      // Nobody looks while the lease of a dead worker lives.
      const at = leasedUntil ?? dueAt;
      if (at === undefined || at > end) break;
      this.#now = Math.max(this.#now, at);
      await this.#look();
    }
    this.#now = end;
  }

  async #look(): Promise<void> {
    const { agenda, ledgers } = this.#hot;
    const now = this.#now;
    const claim = await agenda.claim(now, 10);
    if (claim.users.length === 0) return;
    const crash = this.#crash;
    this.#crash = undefined;
    if (crash === 'claim') return;
    const [reading] = await ledgers.read([USER], now);
    const decision = this.#decide(reading!);
    const { nextAt } = decision;
    if (decision.ledger) {
      const events = decision.events.map((draft) =>
        buildEvent(USER, draft, { ...EVENTS, stagesMs: this.#settings.stagesMs }, now),
      );
      const write = { reading: reading!, ledger: decision.ledger, events, quarantine: undefined };
      const [outcome] = await ledgers.commit(claim, [write], now);
      if (outcome !== 'committed')
        throw new Error(`nothing happened meanwhile, but ${String(outcome)}`);
      for (const event of decision.events) this.#record(event, reading!);
    } else if (decision.events.length > 0) throw new Error('events without a ledger');
    if (reading!.fields) this.#unseen = false;
    if (crash === 'commit') return;
    const [after] = await ledgers.read([USER], now);
    const pending = after!.pending;
    await ledgers.strike([{ user: USER, ids: pending.map(({ id }) => id) }]);
    if (nextAt !== undefined && nextAt <= now)
      throw new Error(`a look at ${now} asks for one at ${nextAt}`);
    await agenda.settle(claim, [{ user: USER, at: nextAt }]);
  }

  /** A decision, and that it is a function of its arguments alone, and that it is final. */
  #decide(reading: Reading): Decision {
    const now = this.#now;
    deepFreeze(reading);
    const decision = decide(reading, reading.ledger, this.#settings, now);
    const again = decide(reading, reading.ledger, this.#settings, now);
    if (!isDeepStrictEqual(decision, again)) throw new Error('the same look decides otherwise');
    const { ledger } = decision;
    if (ledger) {
      const decoded = decodeLedger(encodeLedger(ledger));
      if (encodeLedger(decoded!) !== encodeLedger(ledger))
        throw new Error('a ledger is not what was stored');
      const kept = decide(reading, ledger, this.#settings, now);
      const stored = decide(reading, decoded, this.#settings, now);
      if (!isDeepStrictEqual(kept, stored)) throw new Error('a stored ledger decides otherwise');
      if (stored.ledger !== undefined || stored.events.length > 0) {
        throw new Error(`a repeated look finds something new: ${JSON.stringify(stored)}`);
      }
      if (stored.nextAt !== decision.nextAt)
        throw new Error('a repeated look comes back at another time');
    }
    return decision;
  }

  #record(event: EventDraft, reading: Reading): void {
    const latest = this.recorded.at(-1)?.event.sequence ?? 0;
    if (event.sequence <= latest) throw new Error('the sequence does not grow');
    if (event.type === 'cart.abandoned') this.#checkAnnouncement(event, reading);
    else this.#checkCancellation(event);
    this.recorded.push({ at: this.#now, event });
  }

  #checkAnnouncement(
    event: Extract<EventDraft, { type: 'cart.abandoned' }>,
    { fields }: Reading,
  ): void {
    const { episode, stage } = event;
    const same = this.announced.filter((one) => one.event.episode === episode);
    if (same.some((one) => one.event.stage >= stage)) throw new Error('a stage is announced again');
    if (this.#now >= event.validUntil) throw new Error('announced when it is over');
    // What was written and expired before any look could see it, nobody knows of.
    if (!fields && this.#unseen) return;
    const idleMs = this.#now - this.#activeAt;
    if (idleMs < this.#settings.stagesMs[stage]!) throw new Error('announced while active');
    const cart = fields ? parseCart(fields.cart) : { items: event.facts.cart };
    if (!('items' in cart) || cart.items.length === 0)
      throw new Error('announced with an empty cart');
    if (cartDigest(cart.items) !== event.facts.cartDigest)
      throw new Error('announced another cart');
    if (this.#nothingAddedSinceOrder) throw new Error('announced after an order');
    if (this.#isOptedOut) throw new Error('announced after an opt-out');
  }

  get #isOptedOut(): boolean {
    const { status, at } = this.#consent ?? { status: 'unknown', at: 0 };
    if (status === 'no') return true;
    return this.#optedOutAt !== undefined && !(status === 'yes' && at > this.#optedOutAt);
  }

  #checkCancellation({ episode, stage }: EventDraft): void {
    const ofSame = (one: Recorded): boolean =>
      one.event.episode === episode && one.event.stage === stage;
    if (!this.announced.some(ofSame)) throw new Error('a cancellation of what was not announced');
    if (this.recorded.some((one) => one.event.type === 'cart.rescue_cancelled' && ofSame(one))) {
      throw new Error('a second cancellation');
    }
  }
}

const EVENTS = {
  prefix: 'rekindle',
  quietHours: undefined,
  timezone: 'UTC',
  sessionKey: (user: string) => `session:${user}`,
} as const;

function deepFreeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const inner of Object.values(value)) deepFreeze(inner);
}
