import type { SteppedTask } from './stepped-task.ts';

/** One history of a race, which is run from its beginning as often as it branches. */
export interface TierRace {
  /** Who is still under way, in an order that does not change. */
  readonly tasks: ReadonlyMap<string, SteppedTask<unknown>>;
  /** What happens besides, each once, in this order. */
  readonly deeds: readonly string[];
  happens(deed: string): Promise<void>;
  /** All that lies in the stores, and what everybody was told: what follows is the same where this is. */
  state(): Promise<string>;
  /** Everybody is done or dead: checks what must be true. */
  end(): Promise<void>;
  close(): Promise<void>;
}

export interface TierScenario {
  readonly name: string;
  /** One of the tasks may die at any of its calls, before it or unheard. */
  readonly dies?: string;
  begin(): Promise<TierRace>;
}

export interface TierExplored {
  /** Each from the beginning to where it leaves those before it, and on to an end or to a state that was reached before. */
  histories: number;
  ends: number;
  steps: number;
  states: number;
}

interface Move {
  readonly who: string;
  readonly call: string;
  readonly how: 'step' | 'makes' | 'hears' | 'dies' | 'dies unheard' | 'deed';
}

/**
 * Runs every history of a scenario, depth first: a history takes the first move each time, and leaves a branch for every
 * other one. It stops in a state that was reached before, for what follows is known.
 */
export async function exploreTiers(scenario: TierScenario): Promise<TierExplored> {
  const states = new Set<string>();
  const branches: (readonly Move[])[] = [[]];
  let ends = 0;
  let steps = 0;
  let histories = 0;
  for (let story = branches.pop(); story; story = branches.pop()) {
    histories += 1;
    const taken: Move[] = [];
    const race = await scenario.begin();
    const deeds = [...race.deeds];
    const dead = new Set<string>();
    const deaf = new Set<string>();
    const take = async ({ who, how, call }: Move): Promise<void> => {
      taken.push({ who, how, call });
      steps += 1;
      if (how === 'deed') return race.happens(deeds.shift() ?? '');
      const task = race.tasks.get(who);
      if (how === 'dies unheard') await task?.make();
      if (how === 'step') await task?.step();
      else if (how === 'makes') await task?.make().then(() => deaf.add(who));
      else if (how === 'hears') await task?.hear().then(() => deaf.delete(who));
      else dead.add(who);
    };
    const moves = (): Move[] => {
      const found: Move[] =
        deeds[0] === undefined ? [] : [{ who: '', how: 'deed', call: deeds[0] }];
      for (const [who, { next: call }] of race.tasks) {
        if (call === undefined || dead.has(who)) continue;
        // Its answer may be long on the way, and what was asked is the only call that an instant is told by.
        const how = deaf.has(who) ? 'hears' : call === 'records.snapshot' ? 'makes' : 'step';
        found.push({ who, how, call });
        if (how === 'hears') continue;
        if (scenario.dies === who && dead.size === 0)
          found.push({ who, how: 'dies', call }, { who, how: 'dies unheard', call });
      }
      return found;
    };
    try {
      for (const move of story) await take(move);
      for (;;) {
        const state = [await race.state(), ...dead, '', ...[...deaf].sort(), deeds.length].join();
        if (states.has(state)) break;
        states.add(state);
        const [first, ...others] = moves();
        if (!first) {
          await race.end();
          ends += 1;
          break;
        }
        for (const other of others) branches.push([...taken, other]);
        await take(first);
      }
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const words = taken.map(({ who, how, call }) => `${who} ${how}: ${call}`);
      throw new Error([`${scenario.name}: ${error.message}`, ...words].join('\n  '), {
        cause: error,
      });
    } finally {
      await race.close();
    }
  }
  return { histories, ends, steps, states: states.size };
}
