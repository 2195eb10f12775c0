import { hash } from 'node:crypto';
import { expect } from 'vitest';
import { type Header, parseHeader, parseSegment } from '../../src/model/conversation.ts';
import { said } from '../../src/model/said.ts';
import { DAY_MS, MINUTE_MS } from '../../src/model/duration.ts';
import { formatInstant } from '../../src/model/instant.ts';
import { parseOwnMarks } from '../../src/model/session.ts';
import { SteppedTask } from './stepped-task.ts';
import type { TierWorld } from './tier-world.ts';
import type { Deed, History, Mover, Step } from './tier-steps.ts';

/** What a history was good for. */
export interface Tally {
  demotions: number;
  sunk: number;
  crashes: number;
  resumes: number;
  messages: number;
  repeats: number;
}

const USER = 'ann';

/** Runs one history of one user, and checks that nothing of what was said is lost, changed or told twice. */
export class TierHistory {
  readonly tally: Tally = {
    demotions: 0,
    sunk: 0,
    crashes: 0,
    resumes: 0,
    messages: 0,
    repeats: 0,
  };
  readonly #world: TierWorld;
  readonly #history: History;
  /** As the texts that were received, in their order. */
  readonly #said: string[] = [];
  /** The fields of each session as they last stood. */
  readonly #fields = new Map<number, Record<string, string>>();
  #items = 0;

  constructor(world: TierWorld, history: History) {
    this.#world = world;
    this.#history = history;
  }

  async run(): Promise<void> {
    const { steps, coda, owner } = this.#history;
    if (owner === 'both') await this.#pushes(1, true);
    for (const step of steps) await this.#step(step);
    const told = this.#world.bus.wire.length;
    if (owner === 'library') {
      await this.#does({ do: 'orders' });
      await this.#does({ do: 'passes', ms: MINUTE_MS });
      await this.#does({ do: 'fills cart', items: 1 });
      for (const step of coda) await this.#step(step);
    }
    await this.#finish();
    await this.#checkWarm();
    await this.#checkHeaders();
    if (owner !== 'library') return;
    const stages = this.#world.bus.wire
      .slice(told)
      .flatMap((event) => (event.type === 'cart.abandoned' ? [event.data.stage] : []));
    expect(stages, 'the stages of the last cart').toContain(2);
  }

  /** Everybody comes to an end of what there is to do. */
  async #finish(): Promise<void> {
    const world = this.#world;
    await this.#remember();
    await world.reconcile();
    if (this.#history.owner !== 'library') await world.demoter.demote(USER);
    await world.liveUntil(world.now + 20 * DAY_MS);
    if (this.#history.owner !== 'library') return;
    expect(await this.#hash(), 'the session is demoted').toEqual({});
    expect(await world.inHot(USER), 'hot is empty').toEqual([]);
  }

  async #step(step: Step): Promise<void> {
    const world = this.#world;
    await this.#remember();
    switch (step.do) {
      case 'look':
        await world.looker.lookOnce();
        break;
      case 'lives':
        await world.liveUntil(world.now + step.ms);
        break;
      case 'jobs': {
        const users = world.demotions.splice(0);
        for (const user of [...users, USER, ...(step.twice ? users : [])]) {
          await world.demoter.demote(user);
          this.tally.demotions += 1;
        }
        break;
      }
      case 'race':
        await this.#race(step);
        break;
      default:
        await this.#does(step);
        return;
    }
    await this.#checkNothingLost();
    if (step.do !== 'race') await this.#checkFields();
  }

  async #race({ movers, deeds, turns }: Extract<Step, { do: 'race' }>): Promise<void> {
    const left = [...deeds];
    const running = await Promise.all(
      movers.map(async (mover) => ({ mover, calls: 0, task: await this.#begin(mover) })),
    );
    const move = async (one: (typeof running)[number]): Promise<void> => {
      const { dies } = one.mover;
      if (dies?.after === one.calls) {
        if (dies.unheard) await one.task.make();
        this.tally.crashes += 1;
        running.splice(running.indexOf(one), 1);
        return;
      }
      await one.task.step();
      one.calls += 1;
      if (!one.task.outcome) return;
      if ('error' in one.task.outcome) throw one.task.outcome.error;
      running.splice(running.indexOf(one), 1);
    };
    for (const turn of turns) {
      const next = turn % (running.length + (left.length > 0 ? 1 : 0) || 1);
      const one = running[next];
      if (one) await move(one);
      else if (left.length > 0) await this.#does(left.shift()!);
    }
    for (const rest of left) await this.#does(rest);
    while (running[0]) await move(running[0]);
  }

  #begin({ moves }: Mover): Promise<SteppedTask<unknown>> {
    const world = this.#world;
    this.tally[moves === 'demote' ? 'demotions' : 'resumes'] += 1;
    return SteppedTask.begin<unknown>((gate) =>
      moves === 'demote'
        ? world.newDemoter(gate).demote(USER)
        : world.newPromoter(gate).resume(USER, world.now),
    );
  }

  async #does(deed: Deed): Promise<void> {
    const world = this.#world;
    world.outage(deed.do === 'passes' ? deed.ms : this.#history.tickMs);
    switch (deed.do) {
      case 'passes':
        return;
      case 'says':
        return this.#says(deed.by, deed.again);
      case 'says much':
        for (let n = 0; n < deed.messages; n += 1) await this.#says('user');
        return;
      case 'fills cart': {
        const cart = Array.from({ length: deed.items }, () => ({
          product_id: `item ${(this.#items += 1)}`,
          quantity: 1,
          price: 10,
        }));
        const language = `language ${this.#items}`;
        if (this.#history.owner === 'library')
          return world.library.updateCart(USER, cart, { language, fields: { colour: language } });
        const last_activity = formatInstant(world.now);
        return world.foreign(USER, { last_activity, cart: JSON.stringify(cart), language });
      }
      case 'orders':
        return world.library.placeOrder(USER);
      case 'ends':
        // Another's call may have come first.
        return world.library.endSession(USER);
      case 'pushes':
        return this.#pushes(deed.messages, deed.named);
      case 'trims': {
        const { raw, keys } = world.hot;
        const list = await raw.lrange(keys.messages(USER));
        const warm = new Set(await this.#inWarm());
        const known = list.findIndex((text) => !warm.has(text));
        const gone = Math.min(
          known < 0 ? list.length : known,
          Math.max(0, list.length - deed.keep),
        );
        await raw.del(keys.messages(USER));
        if (gone < list.length) await raw.rpush(keys.messages(USER), ...list.slice(gone));
      }
    }
  }

  async #says(role: 'user' | 'assistant', again?: number): Promise<void> {
    const at = this.#world.now;
    const before = again === undefined ? undefined : this.#said.at(-1 - again);
    if (before !== undefined) {
      const { message } = said(before);
      this.tally.repeats += 1;
      const { id, role: by, content } = message;
      await this.#world.library.appendMessage(USER, { id: id ?? '', role: by, content });
      return;
    }
    const id = `m${this.#said.length}`;
    // What is said again and again is told apart by its id alone.
    const content = `text ${this.#said.length % 2}`;
    this.#said.push(JSON.stringify({ tokens: content.length, id, role, content, at }));
    await this.#world.library.appendMessage(USER, { id, role, content });
  }

  async #pushes(count: number, named: boolean): Promise<void> {
    const { hot, now } = this.#world;
    const texts = Array.from({ length: count }, (_none, n) => {
      const number = this.#said.length + n;
      return JSON.stringify({
        ...(named && { id: `m${number}` }),
        role: 'user',
        content: `text ${named ? number % 2 : number}`,
      });
    });
    this.#said.push(...texts);
    await hot.raw.hset(hot.keys.session(USER), { last_activity: formatInstant(now) });
    await this.#world.pushes(USER, ...texts);
    await hot.sessions.armTouched([USER], now);
  }

  #hash(): Promise<Record<string, string>> {
    return this.#world.hot.raw.hgetall(this.#world.hot.keys.session(USER));
  }

  async #remember(): Promise<void> {
    const fields = await this.#hash();
    const epoch = parseOwnMarks(fields['rekindle'])?.epoch;
    if (epoch !== undefined) this.#fields.set(epoch, fields);
  }

  async #segments(): Promise<ReturnType<typeof parseSegment>[]> {
    const { items } = await this.#world.warm.find(USER, { memoryType: 'segment' }, 'step', {
      limit: 1_000,
    });
    return items.map(({ entry }) => parseSegment(entry));
  }

  async #headers(): Promise<Map<number, Header>> {
    const { items } = await this.#world.warm.find(USER, { memoryType: 'session' }, 'oldest', {
      limit: 1_000,
    });
    const headers = items.map(({ entry }) => parseHeader(entry));
    return new Map(headers.map((header) => [header.epoch, header]));
  }

  async #inWarm(): Promise<string[]> {
    return (await this.#segments()).flatMap(({ messages }) => messages.map(({ raw }) => raw));
  }

  /** At every moment all that was said stands somewhere. */
  async #checkNothingLost(): Promise<void> {
    const { raw, keys } = this.#world.hot;
    const found = new Set(
      [
        ...(await this.#inWarm()),
        ...(await raw.lrange(keys.overflow(USER))),
        ...(await raw.lrange(keys.messages(USER))),
      ].map((text) => said(text).identity),
    );
    const lost = this.#said.filter((text) => !found.has(said(text).identity));
    expect(lost, 'what was said and stands nowhere').toEqual([]);
  }

  async #checkWarm(): Promise<void> {
    this.tally.messages += this.#said.length;
    expect(await this.#inWarm(), 'the conversation in warm').toEqual(this.#said);
  }

  /** The fields of whichever session is gone by demotion stand in its header. */
  async #checkFields(): Promise<void> {
    const standing = parseOwnMarks((await this.#hash())['rekindle'])?.epoch;
    const last = [...this.#fields].at(-1);
    if (!last || standing !== undefined) return;
    this.tally.sunk += 1;
    const header = (await this.#headers()).get(last[0]);
    expect(header?.fields, 'the fields of a demoted session').toEqual(last[1]);
  }

  async #checkHeaders(): Promise<void> {
    const headers = await this.#headers();
    const segments = await this.#segments();
    expect(
      segments.map(({ number }) => number),
      'the numbers of the segments',
    ).toEqual(segments.map((_segment, index) => index + 1));
    const byEpoch = Map.groupBy(segments, ({ epoch }) => epoch);
    for (const [epoch, own] of byEpoch)
      expect(headers.has(epoch), `the segments of ${epoch} have a header; ${own.length}`).toBe(
        true,
      );
    for (const [epoch, { messages, chain, lastSegment }] of headers) {
      const own = byEpoch.get(epoch) ?? [];
      const all = own.flatMap((segment) => segment.messages);
      // Each segment by what came before it.
      const follows = own.reduce(
        (before, segment) => {
          expect(segment).toMatchObject({ before: before.count, follows: before.chain });
          const identities = segment.messages.map(({ identity }) => identity);
          return {
            count: before.count + identities.length,
            chain: digest([before.chain, ...identities].join('\0')),
          };
        },
        { count: 0, chain: '' },
      );
      expect({ messages, chain }, `the header of ${epoch}`).toEqual({
        messages: all.length,
        chain: follows.chain,
      });
      const last = own.at(-1);
      if (last) expect(lastSegment).toBe(last.number);
    }
    if (this.#history.owner === 'library') await this.#checkFields();
  }
}

function digest(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 22);
}
