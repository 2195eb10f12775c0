/**
 * What should be on the bus? Judged by the shop's own record, by the promise as a person would tell it, not by the code
 * that is on trial. Nothing is assumed of how long anything takes: each event names the activity it rests on and the
 * instant at which it was decided, and these must be true; and what was due and not said when all has settled is missing.
 */
import { isDeepStrictEqual } from 'node:util';
import type {
  AnyEvent,
  CartEvent,
  RekindleEvent,
  RescueCancelledData,
} from '../../src/model/event.ts';
import type { Deed, History } from './busy-shop.ts';

type Announcement = RekindleEvent<'cart.abandoned'>;
type Cancellation = RekindleEvent<'cart.rescue_cancelled'>;

export interface Terms {
  readonly stagesMs: readonly number[];
  readonly cooldownMs: number;
}

/** What two clocks that were measured against one Redis may differ by, on a machine that is very slow. */
const CLOCKS_DIFFER_MS = 250;

export interface Judgement {
  /** What was said and is not so. */
  readonly wrong: string[];
  /** What is to be said yet. */
  readonly missing: string[];
  /**
   * Silences of users with a cart: `due` had to be announced, `short` must not be, and of `either` both would be right,
   * for the user came back after the threshold and the shop did not wait for the announcement.
   */
  readonly silences: { due: number; short: number; either: number };
  readonly announced: number;
  readonly cancelled: number;
  /** Stages that were overtaken by the next one before anybody looked. */
  readonly overtaken: number;
}

/** @param events what was heard of the user: each once, in the order of `sequence` */
export function judge(history: History, events: readonly AnyEvent[], terms: Terms): Judgement {
  const bench = new Bench(history, terms);
  for (const event of events) {
    if (event.type === 'cart.abandoned') bench.hearAnnouncement(event);
    else if (event.type === 'cart.rescue_cancelled') bench.hearCancellation(event);
    else if (event.type === 'cart.recovered') bench.hearRecovery(event);
  }
  return bench.close();
}

export function judgeAll(
  histories: readonly History[],
  heardOf: (user: string) => readonly AnyEvent[],
  terms: Terms,
): Judgement {
  const all = histories.map((history) => judge(history, heardOf(history.user), terms));
  const sum = (count: (one: Judgement) => number): number =>
    all.reduce((total, one) => total + count(one), 0);
  return {
    wrong: all.flatMap(({ wrong }) => wrong),
    missing: all.flatMap(({ missing }) => missing),
    silences: {
      due: sum(({ silences }) => silences.due),
      short: sum(({ silences }) => silences.short),
      either: sum(({ silences }) => silences.either),
    },
    announced: sum(({ announced }) => announced),
    cancelled: sum(({ cancelled }) => cancelled),
    overtaken: sum(({ overtaken }) => overtaken),
  };
}

/** An announcement, and what the record says of the silence that it announces. */
interface Announced {
  readonly event: Announcement;
  /** The deed after which the user was silent. */
  readonly deed: number;
  /** The deed that opened this life of the cart. */
  readonly life: number;
}

class Bench {
  readonly #user: string;
  readonly #foreign: boolean;
  readonly #terms: Terms;
  /** What moves the latest activity: all but opting out. */
  readonly #deeds: readonly Deed[];
  readonly #optOut: Deed | undefined;
  /** Of each deed, the one that put the first item into the cart that was there afterwards. */
  readonly #lives: readonly (number | undefined)[];
  readonly #announced: Announced[] = [];
  /** What was announced and not taken back. */
  #outstanding: Announced | undefined;
  #cancelled = 0;
  /** The lives of carts that were announced, and ordered. */
  readonly #recovered = new Set<number>();
  readonly #wrong: string[] = [];

  constructor({ user, foreign, deeds }: History, terms: Terms) {
    this.#user = user;
    this.#foreign = foreign;
    this.#terms = terms;
    this.#deeds = deeds.filter(({ did }) => did !== 'opted out');
    this.#optOut = deeds.find(({ did }) => did === 'opted out');
    let opened: number | undefined;
    this.#lives = this.#deeds.map(({ cart }, index) => {
      opened = cart.length === 0 ? undefined : (opened ?? index);
      return opened;
    });
  }

  hearAnnouncement(event: Announcement): void {
    const { stage, last_activity, valid_until, cart, episode } = event.data;
    const deed = this.#deedOf(last_activity);
    const silence = this.#deeds[deed];
    if (!silence) return this.#object(event, 'nobody did anything then');
    const life = this.#lives[deed];
    if (life === undefined) return this.#object(event, 'the cart was empty');
    const decidedAt = Date.parse(event.time);
    const dueAt = this.#dueAt(silence, stage);
    const validUntil = this.#dueAt(silence, stage + 1);
    if (!(decidedAt >= dueAt)) this.#object(event, 'it was not due yet');
    if (!(decidedAt < validUntil)) this.#object(event, 'it was due no longer');
    if (Date.parse(valid_until) !== validUntil) this.#object(event, 'it is valid for another time');
    const next = this.#deedAfter(deed);
    if (next && decidedAt > next.knownAt + CLOCKS_DIFFER_MS)
      this.#object(event, `the user had ${next.did} before that`);
    if (!isDeepStrictEqual(cart.items, silence.cart)) this.#object(event, 'the cart was another');

    const before = this.#announced.at(-1);
    if (before?.life === life) {
      if (stage <= before.event.data.stage) this.#object(event, 'the stage came before');
      if (episode !== before.event.data.episode) this.#object(event, 'the episode is another');
    } else if (this.#announced.some((other) => other.event.data.episode === episode)) {
      this.#object(event, 'the episode was that of another cart');
    }
    const openedAt = this.#deeds[life]?.at;
    // The library notes when the cart was opened; of others it is known when it was seen.
    if (!this.#foreign && Date.parse(episode) !== openedAt)
      this.#object(event, 'the episode did not open then');
    if (this.#outstanding && this.#outstanding.deed !== deed)
      this.#object(event, 'the one before was not taken back');
    this.#outstanding = { event, deed, life };
    this.#announced.push(this.#outstanding);
  }

  hearCancellation(event: Cancellation): void {
    const { announcement_id, last_activity, reason, stage, episode } = event.data;
    const taken = this.#outstanding;
    this.#cancelled += 1;
    if (taken?.event.id !== announcement_id)
      return this.#object(event, 'that is not what was announced last');
    this.#outstanding = undefined;
    if (stage !== taken.event.data.stage || episode !== taken.event.data.episode)
      this.#object(event, 'stage and episode are not those of the announcement');
    const deed = this.#deedOf(last_activity);
    const cause = reason === 'opted_out' ? this.#optOut : this.#deeds[deed];
    // Not when: a look takes the time before it reads, and may be held up in between.
    if (!cause || deed < taken.deed || (deed === taken.deed && reason !== 'opted_out'))
      return this.#object(event, 'the user did nothing of that sort');
    const expected = reason === 'opted_out' ? reason : this.#reason(taken, deed);
    if (reason !== expected) this.#object(event, `the user had ${expected}`);
  }

  /** Once of each announced cart that was ordered. */
  hearRecovery(event: RekindleEvent<'cart.recovered'>): void {
    const { episode, ordered_at, class: owedTo } = event.data;
    const told = this.#announced.findLast((one) => one.event.data.episode === episode);
    const order = this.#deeds[this.#deedOf(ordered_at)];
    if (!told) return this.#object(event, 'nothing of that episode was announced');
    if (order?.did !== 'ordered') this.#object(event, 'nothing was ordered then');
    if (this.#recovered.has(told.life)) this.#object(event, 'that was said before');
    if (owedTo !== 'organic') this.#object(event, 'nobody had sent a message');
    this.#recovered.add(told.life);
  }

  close(): Judgement {
    const missing: string[] = [];
    const miss = (what: string): void => void missing.push(`${this.#user}: ${what}`);
    const outstanding = this.#outstanding;
    if (outstanding && this.#deedAfter(outstanding.deed))
      miss(`stage ${outstanding.event.data.stage} was not taken back`);
    const lives = new Map(this.#announced.map((one) => [one.life, one.event]));
    for (const [life, { data }] of lives)
      if (this.#wasOrdered(life, Date.parse(data.valid_until)) && !this.#recovered.has(life))
        miss(`the order of a cart that was announced up to stage ${data.stage} is not told`);
    const life = this.#lives.at(-1);
    const last = this.#terms.stagesMs.length - 1;
    const told = this.#announced.filter((one) => one.life === life).at(-1)?.event.data.stage;
    if (life !== undefined && !this.#optOut && told !== last) {
      const heard = told === undefined ? 'nothing' : `stage ${told} alone`;
      miss(`the last silence is not announced; of that cart ${heard} was`);
    }
    return {
      wrong: this.#wrong,
      missing,
      silences: this.#countSilences(),
      announced: this.#announced.length,
      cancelled: this.#cancelled,
      overtaken: this.#countOvertaken(),
    };
  }

  #object({ type, data, time }: CartEvent, why: string): void {
    const since = 'last_activity' in data ? ` for the silence since ${data.last_activity}` : '';
    const what = `${type} of stage ${data.stage}${since}`;
    this.#wrong.push(`${this.#user}: ${what}, decided ${time}: ${why}`);
  }

  /** What ended a life of the cart was an order, and the cool-down had not come before it. */
  #wasOrdered(life: number, validUntil: number): boolean {
    const end = this.#lives.findIndex((one, deed) => deed > life && one !== life);
    const order = this.#deeds[end];
    if (order?.did !== 'ordered' || order.at > (this.#optOut?.at ?? Infinity)) return false;
    const last = this.#announced.findLast((one) => one.life === life)?.event.data.stage;
    return last !== this.#terms.stagesMs.length - 1 || order.at < validUntil;
  }

  #deedOf(lastActivity: string): number {
    const at = Date.parse(lastActivity);
    return this.#deeds.findIndex((deed) => deed.at === at);
  }

  /** What ended the silence after a deed. */
  #deedAfter(deed: number): Deed | undefined {
    return this.#deeds[deed + 1] ?? this.#optOut;
  }

  #dueAt({ at }: Deed, stage: number): number {
    const { stagesMs, cooldownMs } = this.#terms;
    return at + (stagesMs[stage] ?? Math.max(...stagesMs) + cooldownMs);
  }

  /** Of all that came after the announcement up to a deed, what weighs most. */
  #reason(taken: Announced, deed: number): RescueCancelledData['reason'] {
    const since = this.#deeds.slice(taken.deed + 1, deed + 1);
    if (since.some(({ did }) => did === 'ordered')) return 'ordered';
    return since.some(({ cart }) => cart.length === 0) ? 'emptied' : 'resumed';
  }

  #countSilences(): Judgement['silences'] {
    const counts = { due: 0, short: 0, either: 0 };
    const last = this.#terms.stagesMs.length - 1;
    for (const [index, deed] of this.#deeds.entries()) {
      const life = this.#lives[index];
      const spent = this.#announced.some(
        (one) => one.life === life && one.deed < index && one.event.data.stage === last,
      );
      if (life === undefined || spent) continue;
      const next = this.#deedAfter(index);
      if (!next || next.told) counts.due += 1;
      else if (next.knownAt < this.#dueAt(deed, 0) - CLOCKS_DIFFER_MS) counts.short += 1;
      else counts.either += 1;
    }
    return counts;
  }

  #countOvertaken(): number {
    const lives = Map.groupBy(this.#announced, ({ life }) => life);
    let overtaken = 0;
    for (const announced of lives.values())
      overtaken += (announced.at(-1)?.event.data.stage ?? -1) + 1 - announced.length;
    return overtaken;
  }
}
