import type { PolicySettings } from '../../src/abandonment/decision.ts';
import { parseCart } from '../../src/model/cart.ts';
import type { Cart } from '../../src/model/cart.ts';
import { DAY_MS, MINUTE_MS } from '../../src/model/duration.ts';
import { BusUnavailableError, errorMessage } from '../../src/model/errors.ts';
import type { AnyEvent } from '../../src/model/event.ts';
import { formatInstant } from '../../src/model/instant.ts';
import { parseOwnMarks } from '../../src/model/session.ts';
import type { PublishResult } from '../../src/ports/bus.ts';
import { LookWorld } from './look-world.ts';
import type { WorldPorts } from './look-world.ts';
import { memoryHot } from './memory-hot.ts';
import { PolicyOracle } from './policy-oracle.ts';
import type { Recorded } from './policy-oracle.ts';
import { replacing } from './replacing.ts';
import { SteppedWorker } from './stepped-worker.ts';
import type { Reply } from './stepped-worker.ts';

/** One of the workers that stop between any two calls; a third one looks whenever somebody is due. */
export type Who = 0 | 1;

/** One thing that happens to the one user of a history. */
export type Step =
  /** Time goes by, and looks come when they are due. */
  | { readonly do: 'wait'; readonly ms: number }
  /** Time goes by without a look: the daemon is down. */
  | { readonly do: 'outage'; readonly ms: number }
  /** A worker makes so many calls of a look, and stops there; asleep, it has not heard of the last one. */
  | { readonly do: 'go'; readonly who: Who; readonly calls: number; readonly asleep: boolean }
  | { readonly do: 'die'; readonly who: Who }
  /** The next publishes find the bus away, or it refuses the first of their events. */
  | { readonly do: 'bus'; readonly is: 'away' | 'picky'; readonly times: number }
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

/** What happens to workers and bus, not to the user. */
const ASIDE: ReadonlySet<string> = new Set(['wait', 'outage', 'go', 'die', 'bus', 'reconcile']);

/** A parked user comes back so soon. */
const RETRY_MAX_MS = MINUTE_MS / 2;

const USER = 'ann';

export interface Tally {
  readonly announced: number;
  readonly cancelled: number;
  /** Events that came on the wire again. */
  readonly repeated: number;
  /** Commits that were refused, for something had changed or the lease was over. */
  readonly changed: number;
  readonly leaseLost: number;
  readonly busAway: number;
}

interface Stopped {
  readonly worker: SteppedWorker;
  /** What its last call came back with, while it has not heard. */
  reply: Reply | undefined;
}

/**
 * A history of one user: real writes, an honest agenda, real looks by several workers, a bus with faults. Whatever
 * happens, each decision and each event is held against what is known to be true of the user.
 */
export class PolicyHistory {
  readonly #hot: ReturnType<typeof memoryHot>;
  readonly #world: LookWorld;
  readonly #oracle: PolicyOracle;
  readonly #stopped = new Map<Who, Stopped>();
  #busFaults: readonly ('away' | 'picky')[] = [];
  #cartIsForeign = false;

  /** @param busBeside the event bus is in the store of the ledgers: it is never away, and a commit announces */
  constructor(settings: PolicySettings, busBeside = false) {
    this.#oracle = new PolicyOracle(settings);
    this.#hot = memoryHot(() => this.#world.now, {
      thresholdMs: settings.stagesMs[0]!,
      demoteLeadMs: settings.demoteLeadMs,
      ...(busBeside && { busCap: Infinity }),
    });
    this.#world = new LookWorld(this.#hot, settings, (ports) => this.#witnessed(ports));
  }

  get recorded(): readonly Recorded[] {
    return this.#oracle.recorded;
  }

  /** What it was good for: faults and races that took place. */
  get tally(): Tally {
    const { observed, bus } = this.#world;
    const looked = observed.looked ?? [];
    const announced = this.announced.length;
    return {
      announced,
      cancelled: this.recorded.length - announced,
      repeated: bus.wire.length - bus.heard.length,
      changed: looked.filter(({ changed }) => changed > 0).length,
      leaseLost: looked.filter(({ leaseLost }) => leaseLost > 0).length,
      busAway: observed.busAway?.length ?? 0,
    };
  }

  get announced(): Recorded[] {
    return this.#oracle.announced;
  }

  async run(steps: readonly Step[]): Promise<this> {
    for (const step of steps) {
      const { raw, keys } = this.#hot;
      // What a session said of consent goes with it, as soon as there is another.
      if (WRITES.has(step.do) && (await raw.pttl(keys.session(USER))) === undefined)
        this.#oracle.consent = undefined;
      await this.#take(step);
      if (ASIDE.has(step.do)) continue;
      this.#oracle.happened += 1;
      // Of what two programs write within a millisecond nobody can tell the order.
      this.#world.outage(1);
    }
    return this;
  }

  /** Faults end, who was stopped goes on, what was lost is found, and a month goes by: nothing may be left. */
  async finish(): Promise<this> {
    this.#busFaults = [];
    for (const who of [0, 1] as const) {
      if (this.#stopped.get(who)?.worker.next) await this.#go(who, Infinity, false);
    }
    await this.run([{ do: 'reconcile' }, { do: 'wait', ms: 30 * DAY_MS }]);
    const { leasedUntil } = await this.#hot.agenda.inspect(USER);
    const pending = await this.#world.pendingOf(USER);
    if (leasedUntil !== undefined || pending > 0)
      throw new Error(`at the end ${pending} events are pending; leased until ${leasedUntil}`);
    this.#oracle.checkTold();
    if (this.#world.faults.length > 0) throw this.#world.faults[0]!.error;
    return this;
  }

  async #take(step: Step): Promise<void> {
    const { raw, keys } = this.#hot;
    const session = keys.session(USER);
    const oracle = this.#oracle;
    const world = this.#world;
    switch (step.do) {
      case 'wait':
        await world.runFor(step.ms);
        await this.#checkPending();
        return;
      case 'outage':
        world.outage(step.ms);
        return;
      case 'go':
        await this.#go(step.who, step.calls, step.asleep);
        return;
      case 'die':
        this.#stopped.delete(step.who);
        return;
      case 'bus':
        this.#busFaults = Array.from({ length: step.times }, () => step.is);
        return;
      case 'visit':
        await this.#write(step.by, undefined);
        return;
      case 'empty':
        await this.#write(step.by, []);
        return;
      case 'add':
        await this.#write(step.by, [...(await this.#cart()), { product_id: step.item }]);
        oracle.nothingAddedSinceOrder = false;
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
        oracle.consent = { status: step.status, at: world.now };
        const consent = JSON.stringify(oracle.consent);
        if (step.by === 'library') {
          await world.library.recordActivity(USER, { fields: { consent } });
          oracle.activeAt = world.now;
        } else await this.#foreign(step.by, { consent });
        return;
      }
      case 'optOut':
        await world.library.optOut(USER);
        oracle.optedOutAt = world.now;
        return;
      case 'end':
        // A session of others is theirs to end: then that is refused, and nothing happened.
        await world.library.endSession(USER).catch((error: unknown) => {
          if (!errorMessage(error).includes('another program')) throw error;
        });
        return;
      case 'reconcile':
        await world.reconcile();
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
        oracle.activeAt = world.now;
        // In its own way of writing: of an instant that comes round in the same bytes nobody can tell when it was written.
        await this.#foreign('foreign', { last_activity: String(world.now + 2 * DAY_MS) });
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
    const oracle = this.#oracle;
    const { library, now } = this.#world;
    oracle.activeAt = now;
    // The library knows the cart as it wrote it last: what others put there meanwhile looks to it like an addition.
    if (cart && by === 'library' && this.#cartIsForeign) oracle.nothingAddedSinceOrder = false;
    if (cart) this.#cartIsForeign = by !== 'library';
    if (by === 'library') {
      await (cart ? library.updateCart(USER, cart) : library.recordActivity(USER));
      return;
    }
    const last_activity = formatInstant(now);
    await this.#foreign(by, { last_activity, ...(cart && { cart: JSON.stringify(cart) }) });
  }

  /** Of two items the second stays behind. */
  async #order(by: Writer): Promise<void> {
    const { library, now } = this.#world;
    const left = (await this.#cart()).slice(1);
    if (by === 'library') {
      this.#oracle.activeAt = now;
      await library.placeOrder(USER, { cart: left });
    } else {
      await this.#write('unheard', left);
      await this.#foreign(by, { last_order_at: formatInstant(now) });
    }
    this.#oracle.nothingAddedSinceOrder = true;
  }

  async #foreign(by: Writer, fields: Record<string, string>): Promise<void> {
    await this.#hot.raw.hset(this.#hot.keys.session(USER), fields);
    if (by === 'foreign') await this.#hot.sessions.armTouched([USER], this.#world.now);
  }

  async #go(who: Who, calls: number, asleep: boolean): Promise<void> {
    const stopped = this.#stopped.get(who) ?? { worker: this.#hire(), reply: undefined };
    this.#stopped.set(who, stopped);
    const { worker, reply } = stopped;
    stopped.reply = undefined;
    if (reply) await worker.hear(reply);
    else if (!worker.next) await worker.begin();
    for (let call = 1; call <= calls && worker.next; call += 1) {
      const answer = await worker.make();
      await this.#checkPending();
      if (asleep && call === calls) stopped.reply = answer;
      else await worker.hear(answer);
    }
  }

  #hire(): SteppedWorker {
    return new SteppedWorker(
      (gate) => this.#world.newLooker((ports) => gate(this.#witnessed(ports))),
      () => this.#world.now,
    );
  }

  /** Whoever has a pending event has a lease, or is looked at as soon as the bus may take it. */
  async #checkPending(): Promise<void> {
    const { now } = this.#world;
    const { dueAt = Infinity, leasedUntil } = await this.#hot.agenda.inspect(USER);
    if (leasedUntil !== undefined || dueAt <= now + RETRY_MAX_MS) return;
    if ((await this.#world.pendingOf(USER)) > 0)
      throw new Error('an event is pending without a lease and without a look');
  }

  /** The ports, and at their side somebody who holds what is done against what is true. */
  #witnessed(ports: WorldPorts): WorldPorts {
    const { agenda, ledgers } = ports;
    const oracle = this.#oracle;
    const look = { happened: 0, found: false };
    // What a look found and could not write down, nobody knows of either.
    const sees = (): void => {
      if (look.found) oracle.seen = Math.max(oracle.seen, look.happened);
    };
    return {
      ...ports,
      bus: replacing(ports.bus, { publish: (events) => this.#publish(events) }),
      agenda: replacing(agenda, {
        settle: async (claim, next) => {
          const settled = await agenda.settle(claim, next);
          if (settled > 0) sees();
          return settled;
        },
      }),
      ledgers: replacing(ledgers, {
        read: async (users, now) => {
          const readings = await ledgers.read(users, now);
          for (const reading of readings) oracle.checkDecision(reading, now);
          look.happened = oracle.happened;
          look.found = readings[0]!.fields !== undefined;
          return readings;
        },
        commit: async (claim, writes, now) => {
          const outcomes = await ledgers.commit(claim, writes, now);
          const [outcome] = outcomes;
          if (outcome === 'committed' || outcome === 'settled') {
            const { reading, events } = writes[0]!;
            for (const event of events) oracle.record(event, reading);
            if (outcome === 'settled') for (const event of events) oracle.told(event);
            sees();
          } else look.found = false;
          return outcomes;
        },
      }),
    };
  }

  async #publish(events: readonly AnyEvent[]): Promise<PublishResult[]> {
    const [fault, ...others] = this.#busFaults;
    this.#busFaults = others;
    if (fault === 'away') throw new BusUnavailableError('the bus is away');
    const refused = fault === 'picky' ? 1 : 0;
    const taken = events.slice(refused);
    for (const event of taken) if (event.type !== 'user.erased') this.#oracle.told(event);
    const results = await this.#world.bus.publish(taken);
    const refusal = { durable: false, retryable: true, reason: 'refused' } as const;
    return [...events.slice(0, refused).map(() => refusal), ...results];
  }
}
