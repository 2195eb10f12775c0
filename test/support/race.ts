import { DAY_MS, MINUTE_MS } from '../../src/model/duration.ts';
import type { CommitOutcome } from '../../src/ports/ledger.ts';
import type { Hot } from './hot-options.ts';
import { LookWorld, START } from './look-world.ts';
import type { WorldPorts } from './look-world.ts';
import { happen } from './race-shopper.ts';
import { Truth, nothingKnown } from './race-truth.ts';
import type { Known, Write } from './race-truth.ts';
import { replacing } from './replacing.ts';
import { SteppedWorker } from './stepped-worker.ts';
import type { LookStep, Past, Reply } from './stepped-worker.ts';
import { POLICY } from './watched-user.ts';

/** Where a race begins: what was told of the cart so far, and what is due. */
export const BEGINNINGS = [
  /** The cart was just filled, and nobody has looked yet. */
  'new',
  /** Stage 0 is due. */
  'quiet',
  /** Stage 0 was announced, and nothing is due. */
  'told',
  /** Stage 0 was announced, and the user has just come back. */
  'back',
  /** Stage 0 was announced, and stage 1 is due. */
  'still quiet',
] as const;

export type Beginning = (typeof BEGINNINGS)[number];

export interface Scenario {
  readonly begins: Beginning;
  /** Who opened the session. */
  readonly session: 'library' | 'foreign';
  /** What happens besides, each of it once at the most, in any order. */
  readonly writes: readonly Write[];
  /** To where time may jump, once. */
  readonly jumps: readonly Jump[];
  /** A worker may die. */
  readonly dies: boolean;
}

type Jump = 'lease' | 'stage';

type Name = 'A' | 'B';

export type Choice =
  | { readonly do: 'step'; readonly who: Name; readonly step: LookStep }
  | { readonly do: 'die'; readonly who: Name }
  | { readonly do: 'write'; readonly write: Write }
  | { readonly do: 'notify' }
  | {
      readonly do: 'jump';
      readonly to: Jump;
      /** Who has not heard of its last call yet. */
      readonly asleep: readonly Name[];
      /** Who was idle, and had just asked for a claim. */
      readonly asked?: Name;
    }
  | { readonly do: 'end' };

/** All of a race but what lies in the store, as texts: what it takes to go on from there. */
export interface Stand {
  /** Of each worker. */
  readonly looks: readonly string[];
  readonly rest: string;
}

interface LookUnderWay {
  readonly past: Past | undefined;
  /** How many writes there were when it read. */
  readonly seen: number;
}

/** What is common to both workers. */
interface Rest {
  now: number;
  /** Writes that are still to come. */
  left: readonly Write[];
  written: number;
  /** No notification is under way. */
  notified: boolean;
  mayDie: boolean;
  jumps: readonly Jump[];
  ended: boolean;
  readonly known: Known;
}

/** No whole second: an instant that is noted in whole seconds means any time within it. */
const ODD_MS = 7;

/** A TTL runs on the server's own clock, which no virtual one moves: whatever it is, it is told as this. */
const FAR = START + 365 * DAY_MS;

const USER = 'ann';
const NAMES = ['A', 'B'] as const;

interface Runner {
  worker: SteppedWorker;
  /** How many writes there were when it read. */
  seen: number;
}

/**
 * The histories of one user, two workers and whoever writes, over the ports of a hot tier. Whoever drives it asks where
 * it stands and what may come next, and takes one choice after the other until none is left.
 *
 *   a worker   idle ─claim▶ read ▶ commit ▶ publish ▶ settle ─▶ idle, or idle after the commit where that settles; at each
 *              gap it may die, once in a history, and another one takes its place
 *   writers    each write comes once at the most: one step by the library or by a program whose notification is lost,
 *              two by one whose notification arrives
 *   time       stands, but for one jump: to the end of the lease that lives, or to the next threshold. A worker sleeps
 *              through it just before a call, a claim too, with the old instant in that, or before it heard of its last
 *   the end    may come when both are idle, nobody is due and no notification is under way. Then time runs on, reconcile
 *              finds what was lost, and the promises are checked at each threshold until the cool-down is over
 *
 * What is no choice, for it makes no difference: which of two idle workers claims; a claim while nobody is armed; when
 * a publish comes, for nobody reads the wire. Each writer's clock is a millisecond ahead of the one before, so that the
 * order of writes is told by their instants, and the clock of the workers does not depend on how many there were.
 */
export class Race {
  readonly #world: LookWorld;
  readonly #truth: Truth;
  readonly #rest: Rest;
  readonly #runners: readonly Runner[];

  private constructor(hot: Hot, rest: Rest) {
    this.#rest = rest;
    this.#truth = new Truth(rest.known);
    this.#world = new LookWorld(hot, {}, (ports) => this.#witnessed(ports, { seen: 0 }));
    this.#runners = NAMES.map(() => this.#newRunner());
  }

  /** A new race, in an empty store. */
  static async begin(
    hot: Hot,
    { begins, session: by, writes, jumps, dies }: Scenario,
  ): Promise<Race> {
    const race = new Race(hot, {
      now: START,
      left: writes,
      written: 0,
      notified: true,
      mayDie: dies,
      jumps,
      ended: false,
      known: nothingKnown(),
    });
    const world = race.#world;
    const untilStage = (n: number): void =>
      world.outage(race.#truth.activityAt + POLICY.stagesMs[n]! - world.now);
    world.outage(ODD_MS);
    await race.#write(`${by} adds`, true);
    if (begins === 'new') return race;
    await world.runFor(0);
    untilStage(0);
    if (begins === 'quiet') return race;
    await world.runFor(MINUTE_MS);
    if (begins === 'back') await race.#write(`${by} views`, true);
    if (begins === 'still quiet') untilStage(1);
    return race;
  }

  /** A race that goes on from where another one stood; its store is as it was then. */
  static async resume(hot: Hot, { looks, rest }: Stand): Promise<Race> {
    const race = new Race(hot, JSON.parse(rest) as Rest);
    const moments = looks.flatMap((text, n) => {
      const { past, seen } = JSON.parse(text) as LookUnderWay;
      const runner = race.#runners[n]!;
      runner.seen = seen;
      return past ? momentsOf(runner.worker, past) : [];
    });
    await retell(race.#world, moments);
    race.#world.outage(race.#rest.now - race.#world.now);
    return race;
  }

  /** Where it stands, and what may come next; checks what must hold after every step. Equal states have equal futures. */
  async look(): Promise<{
    readonly stand: Stand;
    readonly state: string;
    readonly choices: readonly Choice[];
  }> {
    const { hot, now } = this.#world;
    const [found, { dueAt = Infinity, leasedUntil }] = await Promise.all([
      hot.ledgers.read([USER], now),
      hot.agenda.inspect(USER),
    ]);
    const { fields, ledger, version, pending } = found[0]!;
    if (pending.length > 0 && leasedUntil === undefined && dueAt > now)
      throw new Error('an event is pending without a lease and without a look that is due');
    const stored = [fields, { ...ledger, expiresAt: FAR }, version, pending.map(({ id }) => id)];
    const looks = this.#runners.map(({ worker: { past }, seen }): LookUnderWay => {
      return { past, seen: past ? seen : 0 };
    });
    const stand = {
      looks: looks.map((look) => JSON.stringify(look)),
      rest: JSON.stringify({ ...this.#rest, now } satisfies Rest),
    };
    // The workers are alike: it is the same whichever stands where.
    const state = JSON.stringify([dueAt, leasedUntil, stored, stand.looks.toSorted(), stand.rest]);
    return { stand, state, choices: this.#choices(dueAt, leasedUntil) };
  }

  #choices(dueAt: number, leasedUntil: number | undefined): Choice[] {
    if (this.#rest.ended) return [];
    const workers = this.#runners.map(({ worker }, n) => ({ worker, who: NAMES[n]! }));
    const telling = workers.find(({ worker }) => worker.next === 'publish');
    const busy = telling ? [telling] : workers.filter(({ worker }) => worker.next);
    const choices = busy.map(({ who, worker }) => stepOf(who, worker));
    if (this.#rest.mayDie) choices.push(...busy.map(({ who }): Choice => ({ do: 'die', who })));
    if (telling) return choices;

    const { now } = this.#world;
    const isLeased = leasedUntil !== undefined && leasedUntil > now;
    const isArmed = dueAt <= now || (leasedUntil !== undefined && !isLeased);
    const idle = workers.find(({ worker }) => !worker.next);
    if (idle && isArmed) choices.push(stepOf(idle.who, idle.worker));
    const different = this.#rest.left.filter((write, n, all) => all.indexOf(write) === n);
    choices.push(...different.map((write): Choice => ({ do: 'write', write })));
    if (!this.#rest.notified) choices.push({ do: 'notify' });
    const sleepy = busy.filter(({ worker }) => maySleep(worker.past, now)).map(({ who }) => who);
    for (const to of this.#rest.jumps) {
      if (to === 'lease' && !isLeased) continue;
      for (const asleep of subsetsOf(sleepy)) {
        choices.push({ do: 'jump', to, asleep });
        if (idle) choices.push({ do: 'jump', to, asleep, asked: idle.who });
      }
    }
    if (busy.length === 0 && this.#rest.notified && (isLeased || !isArmed))
      choices.push({ do: 'end' });
    return choices;
  }

  async take(choice: Choice): Promise<void> {
    switch (choice.do) {
      case 'step': {
        const runner = this.#runners[NAMES.indexOf(choice.who)]!;
        const { worker } = runner;
        if (!worker.next) {
          runner.seen = 0;
          await worker.begin();
        }
        await worker.hear(await worker.make());
        return;
      }
      case 'die':
        this.#rest.mayDie = false;
        this.#replace(this.#runners[NAMES.indexOf(choice.who)]!);
        return;
      case 'write':
        this.#rest.left = this.#rest.left.toSpliced(this.#rest.left.indexOf(choice.write), 1);
        await this.#write(choice.write, false);
        return;
      case 'notify':
        await this.#notify();
        return;
      case 'jump':
        await this.#jump(choice);
        return;
      case 'end':
        this.#rest.ended = true;
        await this.#runOut();
    }
  }

  async #write(write: Write, notified: boolean): Promise<void> {
    this.#rest.written += 1;
    await happen(this.#world, this.#truth, USER, write, this.#world.now + this.#rest.written);
    if (write.startsWith('foreign ')) this.#rest.notified = false;
    if (!this.#rest.notified && notified) await this.#notify();
  }

  async #notify(): Promise<void> {
    this.#rest.notified = true;
    await this.#world.hot.sessions.armTouched([USER], this.#world.now);
  }

  async #jump({ to, asleep, asked }: Extract<Choice, { do: 'jump' }>): Promise<void> {
    if (asked) await this.#runners[NAMES.indexOf(asked)]!.worker.begin();
    const world = this.#world;
    this.#rest.jumps = [];
    const { leasedUntil } = await world.hot.agenda.inspect(USER);
    const thresholds = POLICY.stagesMs.map((ms) => this.#truth.activityAt + ms);
    const at = to === 'lease' ? leasedUntil! : thresholds.find((one) => one > world.now)!;
    // Each sleeper gives way to another one that has not heard of the last call.
    const sleepers = asleep.map((who) => {
      const runner = this.#runners[NAMES.indexOf(who)]!;
      const { beganAt, heard } = runner.worker.past!;
      const last = heard.at(-1)!;
      const worker = this.#replace(runner);
      return { worker, past: { beganAt, heard: heard.slice(0, -1) }, reply: last.reply };
    });
    await retell(
      world,
      sleepers.flatMap(({ worker, past }) => momentsOf(worker, past)),
    );
    world.outage(at - world.now);
    for (const { worker, reply } of sleepers) await worker.hear(reply);
  }

  async #runOut(): Promise<void> {
    const world = this.#world;
    const truth = this.#truth;
    const { leasedUntil = 0 } = await world.hot.agenda.inspect(USER);
    // The lease of one that died.
    await world.runUntil(Math.max(world.now, leasedUntil));
    truth.checkTouches(world.now);
    if (truth.hasLost) {
      await world.runUntil(Math.max(world.now, truth.armedAt + POLICY.stagesMs[0]!));
      truth.checkTouches(world.now);
      await world.reconcile();
      await world.runFor(0);
    }
    truth.checkTold(world.now);
    for (const ms of POLICY.stagesMs) {
      if (truth.activityAt + ms < world.now) continue;
      await world.runUntil(truth.activityAt + ms);
      truth.checkTouches(world.now);
      truth.checkTold(world.now);
    }
    await world.runUntil(truth.activityAt + POLICY.stagesMs.at(-1)! + POLICY.cooldownMs);
    const { armed, leased } = await world.hot.agenda.counts(world.now);
    const pending = await world.pendingOf(USER);
    if (armed + leased + pending > 0)
      throw new Error(`at the end ${armed} are armed, ${leased} leased, ${pending} events pending`);
  }

  #newRunner(): Runner {
    const look = { seen: 0 };
    return Object.assign(look, { worker: this.#newWorker(look) });
  }

  #replace(runner: Runner): SteppedWorker {
    runner.worker = this.#newWorker(runner);
    return runner.worker;
  }

  #newWorker(look: { seen: number }): SteppedWorker {
    const world = this.#world;
    return new SteppedWorker(
      (gate) => world.newLooker((ports) => gate(this.#witnessed(ports, look))),
      () => world.now,
    );
  }

  /** The ports, and at their side somebody who tells the truth what was done. */
  #witnessed(ports: WorldPorts, look: { seen: number }): WorldPorts {
    const { agenda, ledgers, bus } = ports;
    return {
      ...ports,
      agenda: replacing(agenda, {
        settle: async (claim, next) => {
          const settled = await agenda.settle(claim, next);
          if (settled > 0) this.#truth.looked(look.seen);
          return settled;
        },
      }),
      ledgers: replacing(ledgers, {
        read: async (users, now) => {
          look.seen = this.#truth.writes;
          const readings = await ledgers.read(users, now);
          return readings.map((reading) =>
            reading.expiresAt === undefined ? reading : { ...reading, expiresAt: FAR },
          );
        },
        commit: async (claim, writes, now) => {
          const outcomes = await ledgers.commit(claim, writes, now);
          const { events } = writes[0]!;
          if (isWritten(outcomes[0])) this.#truth.recorded(events, look.seen);
          if (outcomes[0] === 'settled') {
            this.#truth.published(events);
            this.#truth.looked(look.seen);
          }
          return outcomes;
        },
      }),
      bus: replacing(bus, {
        publish: async (events) => {
          this.#truth.published(events.filter((event) => event.type !== 'user.erased'));
          return bus.publish(events);
        },
      }),
    };
  }
}

interface Moment {
  readonly at: number;
  readonly live: () => Promise<void>;
}

function momentsOf(worker: SteppedWorker, { beganAt, heard }: Past): Moment[] {
  return [
    { at: beganAt, live: () => worker.begin() },
    ...heard.map(({ at, reply }) => ({ at, live: () => worker.hear(reply) })),
  ];
}

/** Lets workers live again what others lived, in the order of the instants. */
async function retell(world: LookWorld, moments: readonly Moment[]): Promise<void> {
  for (const { at, live } of moments.toSorted((one, other) => one.at - other.at)) {
    world.outage(at - world.now);
    await live();
  }
}

/** Whether its next call would be another if it heard of the last one later. */
function maySleep(past: Past | undefined, now: number): boolean {
  const last = past?.heard.at(-1);
  if (last?.at !== now) return false;
  if (last.step === 'commit') return !isWritten(outcomesOf(last.reply)[0]);
  return last.step === 'claim' || last.step === 'read';
}

function outcomesOf(reply: Reply): readonly CommitOutcome[] {
  return 'value' in reply ? (reply.value as CommitOutcome[]) : [];
}

function isWritten(outcome: CommitOutcome | undefined): boolean {
  return outcome === 'committed' || outcome === 'settled';
}

function stepOf(who: Name, { next = 'claim' }: SteppedWorker): Choice {
  return { do: 'step', who, step: next };
}

function subsetsOf(names: readonly Name[]): (readonly Name[])[] {
  const [first, ...others] = names;
  if (!first) return [[]];
  return subsetsOf(others).flatMap((some) => [some, [first, ...some]]);
}

/** A choice as a line of a story. */
export function inWords(choice: Choice): string {
  switch (choice.do) {
    case 'step':
      return `${choice.who}: ${choice.step}`;
    case 'die':
      return `${choice.who} dies`;
    case 'write':
      return choice.write;
    case 'notify':
      return 'the notification arrives';
    case 'jump': {
      const what = choice.to === 'lease' ? 'the lease ends' : 'the next threshold comes';
      const asleep = choice.asleep.map((who) => `; ${who} has not heard yet`);
      const asked = choice.asked ? `; ${choice.asked} has just asked for a claim` : '';
      return [what, ...asleep, asked].join('');
    }
    case 'end':
      return 'time runs on';
  }
}
