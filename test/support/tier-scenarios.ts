import { hash } from 'node:crypto';
import { expect } from 'vitest';
import { parseSegment } from '../../src/model/conversation.ts';
import { DAY_MS } from '../../src/model/duration.ts';
import { messageText } from '../../src/model/message.ts';
import { UserErasedError } from '../../src/model/errors.ts';
import type { Entry } from '../../src/model/entry.ts';
import type { StoredEntry } from '../../src/ports/warm.ts';
import { restoreDatabase, saveDatabase } from './redis-snapshot.ts';
import { formatInstant } from '../../src/model/instant.ts';
import { type ErasePorts, erase } from '../../src/tiers/erase.ts';
import { replacing } from './replacing.ts';
import { everyText } from './every-text.ts';
import { type Gate, SteppedTask } from './stepped-task.ts';
import type { TierRace, TierScenario } from './tier-explorer.ts';
import { HOT_TTL_MS, TierWorld } from './tier-world.ts';
import { SHIRT } from './watched-user.ts';
import type { TestRedis } from './redis-server.ts';

/**
 * Where a race begins. `due`: the session is over, was looked at, and nothing of it is in warm; `sunk`: all of it is in
 * warm, and hot is empty; `partly`: in warm stands what was said before the last message; `foreign`: another program's,
 * whose messages say no time, partly in warm.
 */
type Beginning = 'due' | 'sunk' | 'partly' | 'foreign';

interface Stage {
  hot: readonly Buffer[] | undefined;
  warm: readonly Entry[];
  said: readonly string[];
  now: number;
}

/** Names of what is measured by the server's own clock, which no virtual one moves. */
const OF_REAL_TIME: ReadonlySet<string> = new Set(['leftMs', 'expiresAt', 'expires_at', 'pttl']);

type Task = 'demote' | 'resume' | 'erase' | 'look';

interface Plan {
  readonly begins: Beginning;
  readonly tasks: readonly Task[];
  /** `says`: a message through the library; `pushes`: one of another program; `ends`: the session is ended. */
  readonly deeds: readonly ('says' | 'pushes' | 'ends' | 'passes')[];
  readonly dies?: string;
}

const USER = 'ann~the user';
const ERASURE = { tombstoneTtlMs: 90 * DAY_MS, prefix: 'rekindle', queues: ['demotion'] };

export function scenarioOf(plan: Plan, redis: Pick<TestRedis, 'client' | 'prefix'>): TierScenario {
  const { begins, tasks, deeds, dies } = plan;
  const title = `${begins}: ${[...tasks, ...deeds].join(', ')}${dies ? `; ${dies} may die` : ''}`;
  const stage: Stage = { hot: undefined, warm: [], said: [], now: 0 };
  return { name: title, ...(dies && { dies }), begin: () => Race.begin(redis, plan, stage) };
}

/** A demoter that begins anew forgets what it was told before: it reads warm again, after it wrote or compared. */
function ofThisAttempt(heard: SteppedTask<unknown>['heard']): SteppedTask<unknown>['heard'] {
  const begins = heard.findLastIndex(
    ({ call }, index) => call === 'warm.find' && ENDS_AN_ATTEMPT.has(heard[index - 1]?.call ?? ''),
  );
  return begins < 0 ? heard : heard.slice(begins);
}

const ENDS_AN_ATTEMPT: ReadonlySet<string> = new Set(['warm.put', 'records.trim', 'records.sink']);

class Race implements TierRace {
  readonly tasks = new Map<string, SteppedTask<unknown>>();
  readonly deeds: readonly string[];
  readonly #world: TierWorld;
  readonly #plan: Plan;
  /** Texts that were said before anybody could be erased, and after every erasure had emptied hot. */
  readonly #before: string[] = [];
  readonly #between: string[] = [];
  readonly #after: string[] = [];

  private constructor(world: TierWorld, plan: Plan) {
    this.#world = world;
    this.#plan = plan;
    this.deeds = plan.deeds;
  }

  /** The first one sets the stage; those after it find it as it stood. */
  static async begin(
    redis: Pick<TestRedis, 'client' | 'prefix'>,
    plan: Plan,
    stage: Stage,
  ): Promise<Race> {
    const race = new Race(new TierWorld(redis), plan);
    const world = race.#world;
    if (stage.hot) {
      await restoreDatabase(world.client, stage.hot);
      const entries = stage.warm.map((entry) => ({ entry }));
      if (entries.length > 0) await world.warm.put(USER, entries);
      race.#before.push(...stage.said);
      world.clock.jumpTo(stage.now);
    } else {
      await world.client.flushdb();
      await race.#begin();
      stage.hot = await saveDatabase(world.client);
      stage.warm = (await race.#entries()).map(({ entry }) => entry);
      stage.said = [...race.#before];
      stage.now = world.now;
    }
    await race.#start();
    return race;
  }

  async #entries(): Promise<readonly StoredEntry[]> {
    return (await this.#world.warm.find(USER, {}, 'oldest', { limit: 1_000 })).items;
  }

  async state(): Promise<string> {
    const keys: Buffer[] = [];
    // How long a key has to live runs with real time.
    (await saveDatabase(this.#world.client)).forEach((part, index) => {
      if (index % 3 !== 1) keys.push(part);
    });
    const told = [...this.tasks].map(([who, { next, heard }]) => [
      who,
      next,
      who.startsWith('demote') ? ofThisAttempt(heard) : heard,
    ]);
    const rest = [this.#world.now, this.#between, this.#after, told, await this.#entries()];
    const text = JSON.stringify(rest, (name, value: unknown) =>
      OF_REAL_TIME.has(name) ? 0 : value,
    );
    return hash(
      'sha1',
      Buffer.concat([...keys.sort((one, other) => one.compare(other)), Buffer.from(text)]),
    );
  }

  async #begin(): Promise<void> {
    const world = this.#world;
    const foreign = this.#plan.begins === 'foreign';
    for (let n = 0; n < 4; n += 1) await this.#speaks(foreign ? 'pushes' : 'says');
    if (!foreign) await world.library.updateCart(USER, [SHIRT], { language: 'hi' });
    if (this.#plan.begins === 'partly' || foreign) {
      await world.demoter.demote(USER);
      await this.#speaks(foreign ? 'pushes' : 'says');
    }
    await world.reconcile();
    if (this.#plan.begins === 'sunk') await world.liveUntil(world.now + HOT_TTL_MS);
    else if (!foreign) {
      world.outage(HOT_TTL_MS);
      while ((await world.looker.lookOnce()).users > 0);
    }
    world.demotions.splice(0);
  }

  async #start(): Promise<void> {
    const world = this.#world;
    if (this.#plan.tasks.includes('look'))
      await world.hot.agenda.arm([{ user: USER, at: world.now }]);
    for (const [place, task] of this.#plan.tasks.entries())
      this.tasks.set(
        this.#plan.tasks.indexOf(task) === place ? task : `${task} again`,
        await this.#task(task),
      );
  }

  #task(task: Task): Promise<SteppedTask<unknown>> {
    const world = this.#world;
    return SteppedTask.begin<unknown>(
      (gate) => {
        switch (task) {
          case 'demote':
            return world.newDemoter(gate).demote(USER);
          case 'resume':
            return world.newPromoter(gate).resume(USER, world.now);
          case 'erase':
            return this.#erase(gate);
          case 'look':
            return world.newLooker(gate).lookOnce();
        }
      },
      () => world.now,
    );
  }

  #erase(gate: Gate): Promise<unknown> {
    const { clock, records, warm } = this.#world;
    const gated = gate({ records, warm });
    // Of its scan nothing follows but its report; and what one session is called, nobody has to look up.
    const ports: ErasePorts = {
      clock,
      records: replacing(gated.records, {
        remains: (user) => records.remains(user),
        sessionsOf: (user) => records.sessionsOf(user),
      }),
      warm: replacing(gated.warm, { count: (user) => warm.count(user) }),
      cold: this.#world.cold,
      jobs: { forget: async () => 0 },
      bus: this.#world.bus,
    };
    return erase(USER, ports, ERASURE);
  }

  async happens(deed: string): Promise<void> {
    this.#world.outage(1);
    if (deed === 'ends') return this.#world.library.endSession(USER);
    if (deed !== 'passes') await this.#speaks(deed as 'says' | 'pushes');
  }

  async #speaks(how: 'says' | 'pushes'): Promise<void> {
    const world = this.#world;
    const number = this.#before.length + this.#between.length + this.#after.length;
    const text = `said ${number}~`;
    await this.#period.then((period) => period.push(text));
    world.outage(1);
    if (how === 'says') {
      await world.library.appendMessage(USER, { id: `m${number}`, role: 'user', content: text });
      return;
    }
    const { raw, keys, sessions } = world.hot;
    await raw.hset(keys.session(USER), { last_activity: formatInstant(world.now) });
    await world.pushes(USER, JSON.stringify({ role: 'user', content: text }));
    await sessions.armTouched([USER], world.now);
  }

  /** What is said while an erasure is under way may be of before it, or of after. */
  get #period(): Promise<string[]> {
    const erasing = this.#plan.tasks.includes('erase') ? this.tasks.get('erase') : undefined;
    if (!erasing) return Promise.resolve(this.#before);
    const again = this.tasks.get('erase again');
    const emptied = [erasing, ...(again ? [again] : [])].every(
      ({ next, outcome }) =>
        outcome !== undefined || (next !== undefined && !next.startsWith('records.erase')),
    );
    return Promise.resolve(emptied ? this.#after : this.#between);
  }

  async end(): Promise<void> {
    const world = this.#world;
    for (const [, { outcome }] of this.tasks) {
      const error = outcome && 'error' in outcome ? outcome.error : undefined;
      if (error !== undefined && !(error instanceof UserErasedError)) throw error as Error;
    }
    const erased = this.#plan.tasks.includes('erase');
    world.outage(1);
    // What was broken off is repeated.
    const brokenOff = erased && this.tasks.get('erase')?.outcome === undefined;
    if (brokenOff) {
      // Nobody waits for that: what was said since is taken to warm beside what was erased.
      await world.demoter.demote(USER);
      const since = (await this.#inWarm()).filter((text) => this.#after.includes(text));
      expect(since, 'what was said beside an erasure that was broken off').toEqual(this.#after);
      world.outage(1);
    }
    if (brokenOff)
      await erase(USER, { ...world.tierPorts, jobs: { forget: async () => 0 } }, ERASURE);
    const gone = brokenOff ? [...this.#before, ...this.#between, ...this.#after] : this.#before;
    const here = brokenOff ? [] : this.#after;
    world.outage(1);
    if (this.#plan.begins === 'foreign') await world.demoter.demote(USER);
    await world.reconcile();
    await world.liveUntil(world.now + 20 * DAY_MS);
    if (this.#plan.begins === 'foreign') await world.demoter.demote(USER);
    const warm = await this.#inWarm();
    if (!erased) {
      expect(warm).toEqual(this.#before);
      return;
    }
    const items = await this.#entries();
    const texts = [...(await everyText(world.client)), JSON.stringify(items)].join('\n');
    for (const text of gone) expect(texts, 'what stands somewhere').not.toContain(text);
    expect(warm.filter((text) => here.includes(text))).toEqual(here);
    expect(new Set(warm).size).toBe(warm.length);
    if (warm.length > 0 || here.length + this.#between.length > 0) return;
    const named = (await everyText(world.client, [world.hot.keys.tombstones])).join('\n');
    expect(named, 'what names the user').not.toContain(USER);
    expect(items).toEqual([]);
  }

  async #inWarm(): Promise<string[]> {
    const { items } = await this.#world.warm.find(USER, { memoryType: 'segment' }, 'step', {
      limit: 1_000,
    });
    return items.flatMap(({ entry }) =>
      parseSegment(entry).messages.map(({ message }) => messageText(message)),
    );
  }

  async close(): Promise<void> {
    await this.#world[Symbol.asyncDispose]();
  }
}
