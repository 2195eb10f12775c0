import { parseCart } from '../../src/model/cart.ts';
import type { Cart } from '../../src/model/cart.ts';
import { DAY_MS, SECOND_MS } from '../../src/model/duration.ts';
import type { RekindleEvent } from '../../src/model/event.ts';
import { parseOwnMarks } from '../../src/model/session.ts';
import { type RescueStep, type RescueStory, USERS, type Who } from './rescue-steps.ts';
import { type Deed, RescueTruth, type Said } from './rescue-truth.ts';
import { type Places, RescueWorld } from './rescue-world.ts';

/** After the last stage, its cool-down, and whatever waits for a morning. */
const LONG_MS = 6 * DAY_MS;

/** What histories were good for. */
export interface RescueTally {
  announced: number;
  touched: number;
  cancelled: number;
  direct: number;
  assisted: number;
  organic: number;
  crashes: number;
  repeats: number;
  overtaken: number;
  deferred: number;
  again: number;
  lost: number;
  buried: number;
}

/** Lives a story, to the end of all that follows from it, and throws if a promise was broken on the way. */
export async function live(story: RescueStory, places: Places): Promise<RescueTally> {
  const history = await RescueHistory.begin(story, places);
  try {
    for (const step of story.steps) await history.take(step);
    return await history.finish();
  } finally {
    await history.close();
  }
}

class RescueHistory {
  readonly #truth: RescueTruth;
  readonly #world: RescueWorld;

  private constructor(truth: RescueTruth, world: RescueWorld) {
    this.#truth = truth;
    this.#world = world;
  }

  static async begin(story: RescueStory, places: Places): Promise<RescueHistory> {
    const truth = new RescueTruth();
    return new RescueHistory(truth, await RescueWorld.open(places, truth, story.members));
  }

  async take(step: RescueStep): Promise<void> {
    const world = this.#world;
    const from = world.now;
    const troubled = [world.troubled];
    await this.#take(step);
    troubled.push(world.troubled);
    if (troubled.includes(true)) this.#truth.trouble(from, world.now);
    this.#truth.assert();
  }

  /** Faults end, who stopped goes on, and time runs: nothing may be left. */
  async finish(): Promise<RescueTally> {
    const world = this.#world;
    const truth = this.#truth;
    world.mend();
    world.resumeAll();
    await world.runUntil(world.now + LONG_MS);
    truth.assert();
    const { behind, dead } = await world.leftOver(USERS);
    if (behind > 0) throw new Error(`at the end ${behind} events are not settled`);
    truth.finish(dead, world.poisoned);
    truth.assert();
    const { overtaken, deferred, repeats, lost } = world.counts;
    return {
      announced: truth.announcedCount,
      touched: truth.sentCount,
      cancelled: truth.cancelled,
      ...truth.recoveries,
      crashes: world.crashes,
      repeats: world.repeats,
      overtaken,
      deferred,
      again: repeats,
      lost,
      buried: dead.length,
    };
  }

  close(): Promise<void> {
    return this.#world.close();
  }

  async #take(step: RescueStep): Promise<void> {
    const world = this.#world;
    const { library } = world;
    switch (step.do) {
      case 'wait':
        if (step.asleep) {
          // What is under way ends before: a bus that looks each second would find later what it missed, and here nobody looks.
          await world.settle();
          const from = world.now;
          await world.jumpTo(from + step.ms);
          this.#truth.trouble(from, world.now);
        } else await world.runUntil(world.now + step.ms);
        return;
      case 'halt':
        this.#process(step.who)?.haltIn(step.calls, step.place);
        return;
      case 'kill':
        if (step.who === 'watcher') world.killWatcher();
        else await world.killMember(step.who);
        this.#truth.trouble(world.now);
        return;
      case 'resume':
        world.resumeAll();
        return;
      case 'fault':
        world.fail(step.port, step.times, step.effective);
        return;
      case 'repeat': {
        const { wire } = this.#truth;
        if (wire.length > 0) await world.repeat(wire[step.nth % wire.length]!);
        return;
      }
      case 'poison':
        world.poisoned.add(step.user);
        return;
      case 'reply': {
        const latest = this.#latest(step.user);
        if (latest && (await world.reply(latest))) this.#truth.replied(latest, world.now);
        return;
      }
      case 'arrive': {
        const { user, channel, zone, consent } = step;
        const fields = consent && { consent: JSON.stringify({ status: consent, at: world.now }) };
        await this.#does(user, 'activity', { channel, zone, consent }, async () =>
          library.updateCart(user, [...(await this.#cart(user)), { product_id: 'shirt' }], {
            channel,
            ...(zone !== undefined && { timezone: zone }),
            ...(fields && {
              fields: { consent: JSON.stringify({ status: consent, at: world.now }) },
            }),
          }),
        );
        return;
      }
      case 'visit':
        await this.#does(step.user, 'activity', {}, () => library.recordActivity(step.user));
        return;
      case 'message': {
        const message = { role: 'user', content: 'Hello' };
        await this.#does(step.user, 'activity', {}, () =>
          library.appendMessage(step.user, message),
        );
        return;
      }
      case 'add':
        await this.#does(step.user, 'activity', {}, async () =>
          library.updateCart(step.user, [
            ...(await this.#cart(step.user)),
            { product_id: step.item },
          ]),
        );
        return;
      case 'empty':
        await this.#does(step.user, 'empty', {}, () => library.updateCart(step.user, []));
        return;
      case 'end':
        await this.#does(step.user, 'end', {}, () => library.endSession(step.user));
        return;
      case 'erase':
        await this.#does(step.user, 'erase', {}, () => world.erase(step.user));
        return;
      case 'optOut': {
        const { user, of: channel } = step;
        await this.#does(user, channel === undefined ? 'optOut' : 'optOutOf', { channel }, () =>
          library.optOut(user, channel ?? {}),
        );
        return;
      }
      case 'consent': {
        const { user, status, scope } = step;
        await this.#does(user, 'consent', { consent: status, scope }, () =>
          library.recordActivity(user, {
            fields: { consent: JSON.stringify({ status, scope, at: world.now }) },
          }),
        );
        return;
      }
      case 'order': {
        const { user } = step;
        const ref = this.#ref(step.ref, user);
        const left = step.leaves ? (await this.#cart(user)).slice(1) : [];
        await this.#does(user, 'order', { ref }, () =>
          library.placeOrder(user, { cart: left, ...(ref !== undefined && { recovery_ref: ref }) }),
        );
      }
    }
  }

  /** A deed, and a millisecond: of two things at one instant nobody can tell the order. */
  async #does(user: string, deed: Deed, said: Said, act: () => Promise<unknown>): Promise<void> {
    const world = this.#world;
    // An instant in whole seconds may mean any in its second.
    if (world.now % SECOND_MS === 0) await world.jumpTo(world.now + 1);
    const { raw, keys } = world.hot;
    const session = keys.session(user);
    const gone = (await raw.pttl(session)) === undefined;
    const ended = parseOwnMarks((await raw.hgetall(session))['rekindle'])?.endedAt !== undefined;
    await act();
    this.#truth.does(user, deed, world.now, gone ? 'gone' : ended ? 'ended' : undefined, said);
    await world.jumpTo(world.now + 1);
  }

  async #cart(user: string): Promise<Cart> {
    const { raw, keys } = this.#world.hot;
    const { cart, rekindle } = await raw.hgetall(keys.session(user));
    if (parseOwnMarks(rekindle)?.endedAt !== undefined) return [];
    const parsed = parseCart(cart);
    return 'items' in parsed ? parsed.items : [];
  }

  #process(who: Who): { haltIn: RescueWorld['watcher']['process']['haltIn'] } | undefined {
    return who === 'watcher' ? this.#world.watcher.process : this.#world.members[who]?.process;
  }

  #latest(user: string): RekindleEvent<'cart.abandoned'> | undefined {
    return this.#truth.wire.findLast(
      (event): event is RekindleEvent<'cart.abandoned'> =>
        event.type === 'cart.abandoned' && event.data.user === user,
    );
  }

  #ref(ref: 'nothing' | 'announcement' | 'message' | 'another', user: string): string | undefined {
    if (ref === 'nothing') return undefined;
    const latest = this.#latest(ref === 'another' ? 'bob' : user);
    return latest && (ref === 'message' ? `m-${latest.id}` : latest.id);
  }
}
