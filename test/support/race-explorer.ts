import { createHash } from 'node:crypto';
import type { Hot } from './hot-options.ts';
import { Race, inWords } from './race.ts';
import type { Choice, Scenario, Stand } from './race.ts';

export interface Explored {
  /** Histories that were run, each from where it leaves those before it. */
  readonly histories: number;
  readonly steps: number;
  readonly states: number;
  /** What they stand for: where two histories reach the same state, what follows is run once. */
  readonly interleavings: bigint;
}

/** More would be a history that goes round and round. */
const STEPS_MAX = 300;

interface State {
  /** Where each choice leads. */
  readonly next: string[];
  readonly isEnd: boolean;
}

/** A history that breaks a promise, as the steps that led there. */
class BrokenPromise extends Error {
  readonly steps: number;

  constructor(title: string, choices: readonly Choice[], cause: Error) {
    super([`${title}: ${cause.message}`, ...choices.map(inWords)].join('\n  '), { cause });
    this.name = 'BrokenPromise';
    this.steps = choices.length;
  }
}

/** A store that can be put back to where it was. */
export interface World {
  readonly hot: Hot;
  /** Empties the store. */
  clear(): Promise<void>;
  /** All that lies in the store. */
  save(): Promise<readonly Buffer[]>;
  restore(saved: readonly Buffer[]): Promise<void>;
}

/** Where a history leaves those before it. */
interface Branch {
  readonly story: readonly Choice[];
  readonly from?: { readonly id: string; readonly stand: Stand; readonly saved: readonly Buffer[] };
}

/**
 * Runs every history of a race, depth first: a history takes up where it leaves the ones before, takes the first choice
 * each time, and leaves a branch for every other one. It stops in a state that was reached before, for what follows is
 * known; so each choice in each state is taken once, by whichever history came first.
 *
 * @param worlds where histories run side by side
 */
export async function explore(scenario: Scenario, worlds: readonly World[]): Promise<Explored> {
  const states = new Map<string, State>();
  const branches: Branch[] = [{ story: [] }];
  const explored = { histories: 0, steps: 0 };
  let broken: BrokenPromise | undefined;

  /** The shortest story is the one to read: a longer one need not be told to its end. */
  const matters = ({ length }: readonly Choice[]): boolean => !broken || length < broken.steps;

  const run = async ({ story, from }: Branch, world: World): Promise<void> => {
    if (!matters(story)) return;
    const taken = [...story];
    try {
      let race: Race;
      if (from) {
        await world.restore(from.saved);
        race = await Race.resume(world.hot, from.stand);
        await race.take(taken.at(-1)!);
        explored.steps += 1;
      } else {
        await world.clear();
        race = await Race.begin(world.hot, scenario);
      }
      for (let before = from?.id; ; ) {
        const [{ stand, state, choices }, saved] = await Promise.all([race.look(), world.save()]);
        const id = createHash('sha1').update(state).digest('base64');
        if (before !== undefined) states.get(before)?.next.push(id);
        if (states.has(id)) return;
        states.set(id, { next: [], isEnd: choices.length === 0 });
        const [first, ...others] = choices;
        if (!first || !matters([...taken, first])) return;
        if (taken.length >= STEPS_MAX) throw new Error('there is no end');
        for (const other of others.reverse())
          branches.push({ story: [...taken, other], from: { id, stand, saved } });
        taken.push(first);
        await race.take(first);
        explored.steps += 1;
        before = id;
      }
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      if (matters(taken)) broken = new BrokenPromise(titleOf(scenario), taken, error);
    } finally {
      explored.histories += 1;
    }
  };

  await inWorlds(worlds, branches, run);
  if (broken) throw broken;
  return { ...explored, states: states.size, interleavings: countPaths(states) };
}

/** Takes from the stack until it is empty and nobody is left who may put something there. */
function inWorlds<T>(
  worlds: readonly World[],
  stack: T[],
  run: (next: T, world: World) => Promise<void>,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const free = [...worlds];
  const launch = (): void => {
    while (free.length > 0 && stack.length > 0) {
      const world = free.pop()!;
      run(stack.pop()!, world).then(() => {
        free.push(world);
        launch();
      }, reject);
    }
    if (free.length === worlds.length) resolve(undefined);
  };
  launch();
  return promise;
}

function titleOf({ begins, session, writes, jumps, dies }: Scenario): string {
  const given = [
    ...writes,
    ...jumps.map((to) => `a jump to the ${to}`),
    ...(dies ? ['a death'] : []),
  ];
  return `a session by ${session}, ${begins}, with ${given.join(', ')}`;
}

/** From the first state to any end. */
function countPaths(states: ReadonlyMap<string, State>): bigint {
  const counted = new Map<string, bigint | undefined>();
  const count = (id: string): bigint => {
    const known = counted.get(id);
    if (known !== undefined) return known;
    if (counted.has(id)) throw new Error('workers go round and round');
    counted.set(id, undefined);
    const { next, isEnd } = states.get(id)!;
    let sum = isEnd ? 1n : 0n;
    // A claim that finds nobody leads to where it began.
    for (const other of next) if (other !== id) sum += count(other);
    counted.set(id, sum);
    return sum;
  };
  const [first] = states.keys();
  return first === undefined ? 0n : count(first);
}
