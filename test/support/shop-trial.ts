import type { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Hot, openHot } from '../../src/compose.ts';
import { type Config, loadConfig } from '../../src/config.ts';
import { MINUTE_MS } from '../../src/model/duration.ts';
import { stageEventId } from '../../src/model/event.ts';
import { BusEar } from './bus-ear.ts';
import { type Judgement, judgeAll } from './bus-truth.ts';
import { BusyShop, type Crowd } from './busy-shop.ts';
import { foreignWriter, libraryWriter } from './shop-writers.ts';

/** On any machine, however slow. What comes later than this is lost. */
const SETTLES_WITHIN_MS = 120_000;

/** Nothing that the test itself asks of Redis is given up, for a busy machine may stand still for seconds. */
export const PATIENT = { REDIS_COMMAND_TIMEOUT: '10m' };

const POLL_MS = 250;

/** Users whose ledgers are read at a time. */
const READ_BATCH = 250;

/** A busy shop and a subscriber on one Redis, and the judgement of what whoever watches there has told. */
export class ShopTrial {
  readonly hot: Hot;
  readonly ear: BusEar;
  readonly shop: BusyShop;
  readonly #config: Config;
  readonly #closing = new AbortController();
  readonly #open: Promise<void>;

  private constructor(config: Config, hot: Hot, ear: BusEar, shop: BusyShop) {
    this.#config = config;
    this.hot = hot;
    this.ear = ear;
    this.shop = shop;
    this.#open = shop.open(this.#closing.signal);
    this.#open.catch(() => undefined);
  }

  /** @param foreign what another program writes with */
  static async open(
    settings: Readonly<Record<string, string>>,
    crowd: Crowd,
    foreign: Redis,
  ): Promise<ShopTrial> {
    const config = loadConfig({ ...settings, ...PATIENT });
    const hot = await openHot(config);
    const ear = await BusEar.open(config);
    const shop = new BusyShop(crowd, {
      ear,
      clock: hot.clock,
      stagesMs: config.stagesMs,
      library: libraryWriter(hot),
      foreign: foreignWriter(foreign),
    });
    return new ShopTrial(config, hot, ear, shop);
  }

  /** Closes the shop, and waits until all that is due was told and heard and nobody has anything in hand. */
  async settle(): Promise<Judgement> {
    this.#closing.abort();
    await this.#open;
    const deadline = performance.now() + SETTLES_WITHIN_MS;
    for (;;) {
      const judgement = this.judgement();
      const unsettled = judgement.missing.length > 0 ? judgement.missing : await this.#unsettled();
      // What is wrong stays so.
      if (unsettled.length === 0 || judgement.wrong.length > 0) return this.judgement();
      if (performance.now() > deadline)
        throw new Error(`it does not settle:\n${unsettled.slice(0, 10).join('\n')}`);
      await sleep(POLL_MS);
    }
  }

  judgement(): Judgement {
    return judgeAll(this.shop.histories, (user) => this.ear.of(user), this.#config);
  }

  /** What the ledgers say was announced, and nobody has heard. */
  async lostByTheLedgers(): Promise<string[]> {
    const heard = new Set(this.ear.events.map(({ id }) => id));
    const lost: string[] = [];
    const users = this.shop.histories.map(({ user }) => user);
    for (let from = 0; from < users.length; from += READ_BATCH) {
      const some = users.slice(from, from + READ_BATCH);
      for (const { user, ledger } of await this.hot.ledgers.read(some, this.hot.clock.now())) {
        for (const { n, as } of ledger?.episode?.stages ?? []) {
          const opened = ledger?.episode?.openedAt ?? 0;
          const id = stageEventId('cart.abandoned', this.#config.prefix, user, opened, n);
          if (as === 'a' && !heard.has(id)) lost.push(`${user}: stage ${n}`);
        }
      }
    }
    return lost;
  }

  /** In numbers, for a person. */
  report(judgement: Judgement): string {
    const { silences, announced, cancelled, overtaken } = judgement;
    const { histories } = this.shop;
    const foreign = histories.filter((history) => history.foreign).length;
    const deeds = histories.reduce((sum, history) => sum + history.deeds.length, 0);
    const all = silences.due + silences.short + silences.either;
    const either = ((100 * silences.either) / all).toFixed(1);
    return [
      `${histories.length} users (${foreign} of another program) did ${deeds} things`,
      `${all} silences with a cart: ${silences.due} due, ${silences.short} too short, ${silences.either} either (${either} %)`,
      `${announced} announced and ${cancelled} taken back, ${this.ear.repeats} repeats, ${overtaken} stages overtaken`,
    ].join('; ');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#open.catch(() => undefined);
    await this.ear.close();
    await this.hot.close();
  }

  async #unsettled(): Promise<string[]> {
    const { agenda, clock } = this.hot;
    const { due, leased } = await agenda.counts(clock.now() + MINUTE_MS);
    const counts = {
      'need a look soon': due,
      'are leased': leased,
      'events are not heard': await this.ear.behind(),
    };
    return Object.entries(counts).flatMap(([what, count]) => (count > 0 ? `${count} ${what}` : []));
  }
}
