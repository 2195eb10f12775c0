import fc from 'fast-check';
import { expect } from 'vitest';
import { parseHeader, parseSegment } from '../../src/model/conversation.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/model/duration.ts';
import { formatInstant } from '../../src/model/instant.ts';
import { said } from '../../src/model/said.ts';
import { parseRecord } from '../../src/tiers/cold-records.ts';
import { SteppedTask } from './stepped-task.ts';
import type { TierWorld } from './tier-world.ts';

/** Whoever moves what was said: each of their calls may be the last. */
interface Mover {
  readonly moves: 'compact' | 'demote' | 'resume';
  readonly dies?: number | undefined;
}

type Step =
  | { readonly do: 'says'; readonly messages: number; readonly afterMs: number }
  | { readonly do: 'lives'; readonly ms: number }
  | { readonly do: 'moves'; readonly movers: readonly Mover[]; readonly says: boolean }
  | { readonly do: 'fails' };

export interface CompactionHistory {
  /** Who writes the session: through the library, or into its own list, with ids or without. */
  readonly owner: 'library' | 'named' | 'unnamed';
  readonly steps: readonly (Step & { readonly turns: readonly number[] })[];
}

const silence = fc.constantFrom(0, MINUTE_MS, 5 * HOUR_MS, 23 * HOUR_MS, DAY_MS, 3 * DAY_MS);
const mover: fc.Arbitrary<Mover> = fc.record({
  moves: fc.constantFrom('compact', 'compact', 'compact', 'demote', 'resume'),
  dies: fc.option(fc.nat(25), { nil: undefined }),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('says'),
    messages: fc.integer({ min: 1, max: 25 }),
    afterMs: silence,
  }),
  fc.record({
    do: fc.constant('lives'),
    ms: fc.constantFrom(HOUR_MS, DAY_MS, 4 * DAY_MS, 9 * DAY_MS, 40 * DAY_MS),
  }),
  fc.record({
    do: fc.constant('moves'),
    movers: fc.array(mover, { minLength: 1, maxLength: 3 }),
    says: fc.boolean(),
  }),
  fc.record({ do: fc.constant('fails') }),
);

export const compactionHistory: fc.Arbitrary<CompactionHistory> = fc.record({
  owner: fc.constantFrom('library', 'named', 'unnamed'),
  steps: fc.array(
    fc
      .tuple(step, fc.array(fc.nat(5), { maxLength: 60 }))
      .map(([one, turns]) => ({ ...one, turns })),
    { minLength: 2, maxLength: 14 },
  ),
});

export interface CompactionTally {
  compactions: number;
  conversations: number;
  messages: number;
  crashes: number;
  failures: number;
  /** Compactors that another one has taken over from. */
  fenced: number;
}

const USER = 'ann';

/** Runs one history of one user, and checks after each step that cold and what is retained hold all that was said, once. */
export class CompactionRun {
  readonly tally: CompactionTally = {
    compactions: 0,
    conversations: 0,
    messages: 0,
    crashes: 0,
    failures: 0,
    fenced: 0,
  };
  readonly #world: TierWorld;
  readonly #history: CompactionHistory;
  readonly #said: string[] = [];

  constructor(world: TierWorld, history: CompactionHistory) {
    this.#world = world;
    this.#history = history;
  }

  async run(): Promise<void> {
    for (const one of this.#history.steps) {
      await this.#does(one);
      await this.#checkNothingLost();
    }
    await this.#world.liveUntil(this.#world.now + 50 * DAY_MS);
    if (this.#history.owner !== 'library') await this.#world.demoter.demote(USER);
    const { conversations } = await this.#world.newCompactor().compact(USER);
    this.tally.conversations += conversations;
    await this.#checkTheEnd();
  }

  async #does(one: CompactionHistory['steps'][number]): Promise<void> {
    const world = this.#world;
    switch (one.do) {
      case 'says':
        world.outage(one.afterMs);
        for (let n = 0; n < one.messages; n += 1) await this.#says();
        return;
      case 'lives':
        return world.liveUntil(world.now + one.ms);
      case 'moves':
        return this.#moves(one.movers, one.says, one.turns);
      case 'fails': {
        this.tally.failures += 1;
        const broken = { name: 'broken', summarize: () => Promise.reject(new Error('no')) };
        const compactor = world.newCompactor((ports) => ({ ...ports, summarizer: broken }));
        await compactor.compact(USER).catch((error: unknown) => {
          expect(String(error)).toBe('Error: no');
        });
      }
    }
  }

  async #moves(movers: readonly Mover[], says: boolean, turns: readonly number[]): Promise<void> {
    const running = await Promise.all(
      movers.map(async (one) => ({ ...one, calls: 0, task: await this.#begin(one) })),
    );
    const move = async (one: (typeof running)[number]): Promise<void> => {
      if (one.dies === one.calls) {
        // Its call takes effect, and it never hears of it.
        await one.task.make();
        this.tally.crashes += 1;
      } else if (one.task.next !== undefined) {
        await one.task.step();
        one.calls += 1;
        if (!one.task.outcome) return;
      }
      running.splice(running.indexOf(one), 1);
      if (!one.task.outcome || !('error' in one.task.outcome)) return;
      // The one that came first is refused once the one that came later has written.
      if (!String(one.task.outcome.error).includes('has taken this user over'))
        throw one.task.outcome.error;
      this.tally.fenced += 1;
    };
    let left = says ? 1 : 0;
    for (const turn of turns) {
      const one = running[turn % (running.length + left || 1)];
      if (one) await move(one);
      else if (left > 0) {
        left = 0;
        await this.#says();
      }
    }
    while (running[0]) await move(running[0]);
  }

  #begin({ moves }: Mover): Promise<SteppedTask<unknown>> {
    const world = this.#world;
    if (moves === 'compact') this.tally.compactions += 1;
    return SteppedTask.begin<unknown>((gate) => {
      switch (moves) {
        case 'compact':
          return world.newCompactor(gate).compact(USER);
        case 'demote':
          return world.newDemoter(gate).demote(USER);
        case 'resume':
          return world.newPromoter(gate).resume(USER, world.now);
      }
    });
  }

  async #says(): Promise<void> {
    const world = this.#world;
    const number = this.#said.length;
    const at = world.now;
    if (this.#history.owner === 'library') {
      const message = { id: `m${number}`, role: 'user', content: `text ${number % 2}` };
      const { content, ...others } = message;
      this.#said.push(JSON.stringify({ tokens: content.length, ...others, content, at }));
      await world.library.appendMessage(USER, message);
      return;
    }
    const named = this.#history.owner === 'named';
    const text = JSON.stringify({
      ...(named && { id: `m${number}` }),
      role: 'user',
      content: `text ${number}`,
      at,
    });
    this.#said.push(text);
    await world.hot.raw.hset(world.hot.keys.session(USER), { last_activity: formatInstant(at) });
    await world.pushes(USER, text);
    await world.hot.sessions.armTouched([USER], at);
  }

  async #checkNothingLost(): Promise<void> {
    const world = this.#world;
    const { raw, keys } = world.hot;
    const found = [
      ...(await world.inCold(USER)).flat(),
      ...(await world.rawsInWarm(USER)),
      ...(await raw.lrange(keys.overflow(USER))),
      ...(await raw.lrange(keys.messages(USER))),
    ].map((text) => said(text).identity);
    const identities = new Set(found);
    const lost = this.#said.filter((text) => !identities.has(said(text).identity));
    expect(lost, 'what was said and stands nowhere').toEqual([]);
  }

  async #checkTheEnd(): Promise<void> {
    const world = this.#world;
    const cold = (await world.inCold(USER)).flat();
    const retained = await world.rawsInWarm(USER);
    this.tally.messages += cold.length;
    const number = (text: string): number => this.#said.indexOf(text);
    expect([...cold, ...retained].toSorted((one, other) => number(one) - number(other))).toEqual(
      this.#said,
    );
    await this.#checkRecords();
    const { items } = await world.warm.find(USER, {}, 'oldest', { limit: 1_000 });
    const segments = items.filter(({ entry }) => entry.memoryType === 'segment');
    const headers = items.filter(({ entry }) => entry.memoryType === 'session');
    const epochs = new Set(segments.map(({ entry }) => parseSegment(entry).epoch));
    const latest = headers.at(-1);
    // Besides the latest, a header stands for what stands.
    for (const one of headers)
      expect(one === latest || epochs.has(parseHeader(one.entry).epoch)).toBe(true);
    const numbers = segments.map(({ entry }) => parseSegment(entry).number);
    expect(new Set(numbers).size, 'no number is given twice').toBe(numbers.length);
  }

  /** Each source of each finding resolves to a message of its transcript. */
  async #checkRecords(): Promise<void> {
    const { cold } = this.#world;
    const transcripts = await cold.names(USER, 'transcripts', { limit: 1_000 });
    expect(await cold.names(USER, 'insights', { limit: 1_000 })).toEqual(transcripts);
    for (const [index, messages] of (await this.#world.inCold(USER)).entries()) {
      const name = transcripts[index] ?? '';
      const record = parseRecord(name, (await cold.get(USER, 'insights', name)) ?? '');
      const identities = messages.map((text) => said(text).identity);
      for (const { sources } of record.findings)
        for (const { hash } of sources) expect(identities).toContain(hash);
    }
  }
}
