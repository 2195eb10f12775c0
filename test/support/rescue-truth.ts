import { MINUTE_MS } from '../../src/model/duration.ts';
import type { AnyEvent, RecoveryClass, RekindleEvent } from '../../src/model/event.ts';
import type { OutgoingMessage } from '../../src/ports/outbox.ts';
import { HOT_DEFAULTS } from './hot-options.ts';
import { CALM_MS, RESCUE_SETTINGS as SETTINGS } from './rescue-settings.ts';

type Announcement = RekindleEvent<'cart.abandoned'>;

/** What a user did, or what was done to them. */
export type Deed =
  | 'activity'
  | 'order'
  | 'empty'
  | 'end'
  | 'optOut'
  | 'optOutOf'
  | 'consent'
  | 'erase';

interface Done {
  readonly at: number;
  readonly deed: Deed;
  /** It ends the life of the cart. */
  readonly closes: boolean;
  readonly consents: boolean;
  readonly ref: string | undefined;
  /** When everything up to it had been looked at. */
  seenAt: number;
}

interface Consent {
  readonly status: 'yes' | 'no' | 'unknown';
  readonly at: number;
  readonly scope: readonly string[] | undefined;
}

/** What is true of a user, whatever anybody noticed. */
interface Person {
  readonly done: Done[];
  readonly announced: Announced[];
  readonly recovered: RekindleEvent<'cart.recovered'>[];
  readonly touches: Touch[];
  readonly replies: { readonly episode: string; readonly at: number }[];
  readonly sentAt: number[];
  activityAt: number;
  endedAt: number;
  erasedAt: number;
  consent: Consent | undefined;
  optedOutAt: number;
  readonly optedOutOf: Map<string, number>;
  channel: string | undefined;
  zone: string | undefined;
}

interface Touch {
  readonly episode: string;
  readonly messageId: string;
  readonly channel: string;
  readonly at: number;
  readonly notedAt: number;
}

interface Announced {
  readonly event: Announcement;
  readonly toldAt: number;
  /** Why nobody may write to the user, as of when it was told. */
  readonly forbidden: string | undefined;
  sentAt: number | undefined;
}

/** One call of the handler. */
export interface Call {
  /** What spoke against a message when the handler asked last; undefined: nothing. */
  blame: string | undefined;
  asked: boolean;
  written: boolean;
}

/** What is said with a deed. */
export interface Said {
  readonly ref?: string | undefined;
  readonly consent?: Consent['status'] | undefined;
  readonly scope?: readonly string[] | undefined;
  readonly channel?: string | undefined;
  readonly zone?: string | undefined;
}

/** Drawn by chance once, and for good. */
const HELD_OUT: ReadonlySet<string> = new Set(['dan']);

/**
 * Who watches over the whole way. It knows what the users did, what was told, what left and what was recorded, and
 * nothing of how the promises are kept.
 */
export class RescueTruth {
  readonly recoveries: Record<RecoveryClass, number> = { direct: 0, assisted: 0, organic: 0 };
  cancelled = 0;
  sentCount = 0;
  announcedCount = 0;
  /** Everything that was ever on the wire. */
  readonly wire: AnyEvent[] = [];
  readonly #known = new Set<string>();
  readonly #people = new Map<string, Person>();
  /** By its data, what was undone before it was received. */
  readonly #late = new WeakMap<object, string>();
  readonly #calls = new Map<string, { sent: boolean }>();
  readonly #troubles: { readonly from: number; readonly to: number }[] = [];
  #failure: string | undefined;

  /** Notes what breaks a promise; the first stands. */
  fail(what: string): void {
    this.#failure ??= what;
  }

  /** @throws if a promise was broken */
  assert(): void {
    if (this.#failure !== undefined) throw new Error(this.#failure);
  }

  /** @param isNew there is no session, or it was ended: nothing of it is left but what is of the user */
  does(
    user: string,
    deed: Deed,
    at: number,
    isNew: 'gone' | 'ended' | undefined,
    said: Said = {},
  ): void {
    const person = this.#person(user);
    // There is nothing to end.
    if (deed === 'end' && isNew) return;
    const acts = deed !== 'end' && deed !== 'optOut' && deed !== 'optOutOf' && deed !== 'erase';
    if (acts && isNew) {
      person.channel = undefined;
      if (isNew === 'gone') [person.consent, person.zone] = [undefined, undefined];
    }
    if (acts) person.activityAt = at;
    if (deed === 'end') person.endedAt = at;
    if (deed === 'optOut') person.optedOutAt = at;
    if (deed === 'optOutOf') person.optedOutOf.set(said.channel ?? '', at);
    if (deed === 'erase') {
      person.erasedAt = at;
      Object.assign(person, { consent: undefined, channel: undefined, zone: undefined });
    }
    if (acts && said.channel !== undefined) person.channel = said.channel;
    if (said.zone !== undefined) person.zone = said.zone;
    if (said.consent) person.consent = { status: said.consent, at, scope: said.scope };
    const closes =
      ['order', 'empty', 'end', 'optOut', 'erase'].includes(deed) ||
      said.consent === 'no' ||
      (acts && isNew !== undefined);
    const consents = said.consent !== undefined;
    person.done.push({ at, deed, closes, consents, ref: said.ref, seenAt: Infinity });
  }

  /** Whether something was recorded until then that nobody has looked at. */
  isUnseen(user: string, until: number): boolean {
    return (
      this.#people.get(user)?.done.some(({ at, seenAt }) => at <= until && seenAt === Infinity) ??
      false
    );
  }

  /** All that was recorded until then was looked at. */
  seen(user: string, until: number, at: number): void {
    for (const one of this.#person(user).done)
      if (one.at <= until && one.seenAt === Infinity) one.seenAt = at;
  }

  /** Something was out of order from then to then. */
  trouble(from: number, to = from): void {
    this.#troubles.push({ from, to });
  }

  /** An event is on the wire. @returns whether it was before */
  told(event: AnyEvent, at: number): boolean {
    if (this.#known.has(event.id)) return true;
    this.#known.add(event.id);
    this.wire.push(event);
    const person = this.#person(event.data.user);
    if (event.type === 'cart.abandoned') {
      const { episode, stage } = event.data;
      if (
        person.announced.some(
          ({ event: { data } }) => data.episode === episode && data.stage >= stage,
        )
      )
        this.fail(`stage ${stage} is announced after itself or a later one`);
      const forbidden = this.#forbidden(event.data.user, at);
      person.announced.push({ event, toldAt: at, forbidden, sentAt: undefined });
      this.announcedCount += 1;
    } else if (event.type === 'cart.recovered') {
      if (person.recovered.some(({ data }) => data.episode === event.data.episode))
        this.fail('an episode is recovered twice');
      person.recovered.push(event);
      this.recoveries[event.data.class] += 1;
    } else if (event.type === 'cart.rescue_cancelled') this.cancelled += 1;
    return false;
  }

  /** A member has it in hand. */
  received({ type, data, time }: AnyEvent): void {
    if (type !== 'cart.abandoned') return;
    const why = this.#undone(this.#person(data.user), data, Date.parse(time));
    if (why !== undefined) this.#late.set(data, why);
  }

  /** A message was written: that takes time, and what was asked before does not count any more. */
  wrote(call: Call): void {
    if (!call.written) call.asked = false;
    call.written = true;
  }

  /** A handler is called. */
  called({ id, data }: Announcement, mayBeRepeat: boolean): Call {
    const late = this.#late.get(data);
    if (late !== undefined) this.fail(`a handler is called although ${late}`);
    if (this.#calls.get(id)?.sent === true && !mayBeRepeat)
      this.fail('a handler is called again after it sent, and not told so');
    if (!this.#calls.has(id)) this.#calls.set(id, { sent: false });
    return { blame: undefined, asked: false, written: false };
  }

  /** The handler asks whether the announcement is still wanted. */
  check(call: Call, { data, time }: Announcement, at: number): void {
    const person = this.#person(data.user);
    call.asked = true;
    call.blame =
      this.#undone(person, data, Date.parse(time)) ??
      this.#forbidden(data.user, at) ??
      (isQuiet(person.zone, at) ? 'it is night' : undefined) ??
      (at >= Date.parse(data.valid_until) ? 'it is over' : undefined);
  }

  /** The handler was answered: what spoke against it when it asked may have passed, if that took long. */
  answered(call: Call, { data, time }: Announcement, at: number): void {
    const person = this.#person(data.user);
    if (call.blame === undefined || this.#undone(person, data, Date.parse(time))) return;
    if (this.#forbidden(data.user, at) === undefined && !isQuiet(person.zone, at))
      call.blame = undefined;
  }

  /** A message was accepted. */
  sent({ announcement_id: id, user }: OutgoingMessage, call: Call | undefined, at: number): void {
    const person = this.#person(user);
    const announced = person.announced.find(({ event }) => event.id === id);
    if (!announced || !call?.asked)
      return this.fail('a message for nothing, or without a question');
    if (call.blame !== undefined) this.fail(`a message although ${call.blame}`);
    if (announced.sentAt !== undefined) this.fail('a second message for one announcement');
    announced.sentAt = at;
    person.sentAt.push(at);
    this.sentCount += 1;
    this.#calls.get(id)!.sent = true;
  }

  /** A touch is recorded. */
  noted(
    { data: { user, episode } }: Announcement,
    touch: { readonly channel: string; readonly message_id: string; readonly at: number },
    notedAt: number,
  ): void {
    const { channel, message_id: messageId, at } = touch;
    this.#person(user).touches.push({ episode, messageId, channel, at, notedAt });
  }

  replied({ data: { user, episode } }: Announcement, at: number): void {
    this.#person(user).replies.push({ episode, at });
  }

  /** At the end, when all is up and done. @param dead ids of announcements that were put aside */
  finish(dead: readonly AnyEvent[], poisoned: ReadonlySet<string>): void {
    for (const { data } of dead)
      if (!poisoned.has(data.user)) this.fail(`an event of ${data.user} went to the dead letters`);
    const buried = new Set(dead.map(({ id }) => id));
    for (const person of this.#people.values()) {
      for (const one of person.announced) {
        const { sentAt: toldAt } = one;
        const isKnown = person.touches.some(({ messageId }) => messageId === `m-${one.event.id}`);
        if (toldAt !== undefined && !isKnown && this.#owed(person, { ...one, toldAt }))
          this.fail('a message left and was never recorded');
        if (one.sentAt === undefined && !buried.has(one.event.id) && this.#owed(person, one))
          this.fail(`stage ${one.event.data.stage} for ${one.event.data.user} was never touched`);
      }
      this.#judgeRecoveries(person);
    }
  }

  /** Nothing stood in the way of this message, for as long as it may take. */
  #owed(person: Person, { event, toldAt, forbidden }: Announced): boolean {
    if (forbidden !== undefined) return false;
    const { count, windowMs } = SETTINGS.frequencyCap;
    const after = Date.parse(event.time);
    const undone = person.done.find(({ at }) => at >= after)?.at ?? Infinity;
    const overtaken = person.announced.find(
      (other) => Date.parse(other.event.time) > after,
    )?.toldAt;
    // What Redis drops, for nobody took it to warm in all that time, takes the consent with it.
    const goneAt = Date.parse(event.data.last_activity) + HOT_DEFAULTS.ttlMs;
    const validUntil = Math.min(Date.parse(event.data.valid_until), goneAt);
    const until = Math.min(validUntil, undone, overtaken ?? Infinity);
    const others = person.sentAt.filter((at) => at > toldAt - windowMs && at < until);
    return others.length < count && this.#wasCalm(toldAt, until);
  }

  #wasCalm(from: number, to: number): boolean {
    let since = from;
    for (const trouble of this.#troubles.toSorted((one, other) => one.from - other.from)) {
      if (trouble.from >= to) break;
      if (trouble.from - since >= CALM_MS) return true;
      since = Math.max(since, trouble.to);
    }
    return to - since >= CALM_MS;
  }

  #judgeRecoveries(person: Person): void {
    const episodes = new Set(person.announced.map(({ event }) => event.data.episode));
    for (const { data } of person.recovered)
      if (!episodes.has(data.episode)) this.fail('what was not announced is recovered');
    for (const episode of episodes) this.#judgeEpisode(person, episode);
  }

  #judgeEpisode(person: Person, episode: string): void {
    const announced = person.announced
      .map(({ event }) => event)
      .filter(({ data }) => data.episode === episode);
    const told = person.recovered.find(({ data }) => data.episode === episode);
    const announcedAt = Date.parse(announced[0]!.time);
    if (told) this.#judgeClass(person, told, announced);
    const after = person.done.filter(({ at }) => at >= announcedAt);
    const first = after.find(({ closes }) => closes);
    if (!first) {
      if (told) this.fail('recovered without an order');
      return;
    }
    // Of what comes between two looks nobody sees the order.
    const together = after.filter(({ at }) => at >= first.at && at <= first.seenAt);
    const telling = together.filter(({ closes, consents }) => closes || consents);
    if (telling.length > 1 && telling.some(({ deed }) => deed !== 'order')) return;
    const orders = together.filter(({ deed }) => deed === 'order');
    if (orders.length === 0) {
      if (told) this.fail(`recovered after ${first.deed}`);
      return;
    }
    // Nobody looked for so long that the session went with the order in it.
    const unheard = first.seenAt - first.at >= HOT_DEFAULTS.ttlMs;
    const erased = after.some(({ deed }) => deed === 'erase');
    if (unheard || erased || this.#isCool(person, announced, together.at(-1)!.at)) return;
    if (!told) this.fail('an order that closes an announced episode gives no cart.recovered');
    else if (!orders.some(({ at }) => at === Date.parse(told.data.ordered_at)))
      this.fail('recovered by another order');
  }

  /** The episode may have come to its own end before, or its session to its. */
  #isCool(person: Person, announced: readonly Announcement[], at: number): boolean {
    const { stagesMs, cooldownMs } = SETTINGS;
    const last = announced.find(({ data }) => data.stage === stagesMs.length - 1);
    if (last && at >= Date.parse(last.data.valid_until)) return true;
    const longest = Math.min(stagesMs.at(-1)! + cooldownMs, HOT_DEFAULTS.ttlMs);
    const acts = [
      Date.parse(announced[0]!.data.last_activity),
      ...person.done.map((one) => one.at),
    ];
    const before = acts.filter((one) => one <= at).sort((one, other) => one - other);
    return before.some((one, n) => n > 0 && one - before[n - 1]! >= longest);
  }

  #judgeClass(
    person: Person,
    { data, time }: RekindleEvent<'cart.recovered'>,
    announced: readonly Announcement[],
  ): void {
    const orderedAt = Date.parse(data.ordered_at);
    const order = person.done.find(({ at, deed }) => at === orderedAt && deed === 'order');
    if (!order) return this.fail('recovered by what is no order');
    const before = announced.filter((one) => Date.parse(one.time) <= orderedAt);
    // What is recorded while the order waits to be looked at may count, or come too late.
    const classes = [orderedAt, Date.parse(time)].map((asOf) =>
      classOf(person, order, before, asOf),
    );
    if (!classes.includes(data.class))
      this.fail(`an order is told as ${data.class}, and is ${classes.join(' or ')}`);
  }

  /** Why what was announced does not hold any more. A deed of the same instant came after it: time moves on with each. */
  #undone(person: Person, data: Announcement['data'], time: number): string | undefined {
    if (person.erasedAt >= time) return 'the user was erased';
    if (person.done.some(({ at, deed }) => deed === 'order' && at >= time))
      return 'the user has ordered';
    if (person.activityAt > Date.parse(data.last_activity)) return 'the user is back';
    return person.endedAt >= time ? 'the session was ended' : undefined;
  }

  /** Why nobody may write to the user. */
  #forbidden(user: string, now: number): string | undefined {
    const { consent, optedOutAt, optedOutOf, channel = '', touches, erasedAt } = this.#person(user);
    if (HELD_OUT.has(user)) return 'the user is held out';
    if (consent?.status !== 'yes') return 'there is no consent';
    if (!(consent.at > optedOutAt)) return 'the user opted out';
    if (consent.scope && !consent.scope.includes(channel))
      return 'the consent is for other channels';
    if (!(consent.at > (optedOutOf.get(channel) ?? -Infinity)))
      return `the user opted out of ${channel}`;
    const { count, windowMs } = SETTINGS.frequencyCap;
    const lately = touches.filter(({ at, notedAt }) => at > now - windowMs && notedAt > erasedAt);
    const messages = new Set(lately.map(({ messageId }) => messageId));
    return messages.size >= count ? 'the user had as many as the cap allows' : undefined;
  }

  #person(user: string): Person {
    let person = this.#people.get(user);
    if (!person) {
      person = {
        done: [],
        announced: [],
        recovered: [],
        touches: [],
        replies: [],
        sentAt: [],
        activityAt: -Infinity,
        endedAt: -Infinity,
        erasedAt: -Infinity,
        consent: undefined,
        optedOutAt: -Infinity,
        optedOutOf: new Map(),
        channel: undefined,
        zone: undefined,
      };
      this.#people.set(user, person);
    }
    return person;
  }
}

/** By the record as it stood at `asOf`. */
function classOf(
  { touches, replies }: Person,
  { at: orderedAt, ref }: Done,
  announced: readonly Announcement[],
  asOf: number,
): RecoveryClass {
  const episode = announced[0]?.data.episode;
  const sent = touches.filter(
    (one) => one.episode === episode && one.notedAt <= asOf && one.at <= orderedAt,
  );
  const named =
    sent.some(({ messageId }) => messageId === ref) || announced.some(({ id }) => id === ref);
  const replied = replies.some((one) => one.episode === episode && one.at <= orderedAt);
  if (named || replied) return 'direct';
  const { chat, email } = SETTINGS.attribution;
  const owed = sent.some(
    ({ at, channel }) => orderedAt - at <= (channel === 'email' ? email : chat),
  );
  return owed ? 'assisted' : 'organic';
}

const clocks = new Map<string, Intl.DateTimeFormat>();
const nights = new Map<string, boolean>();

/** By the clocks of the host's own time zone tables; no zone is off by less than a quarter of an hour. */
function isQuiet(zone: string = SETTINGS.timezone, at: number): boolean {
  const key = `${zone} ${Math.floor(at / (15 * MINUTE_MS))}`;
  let quiet = nights.get(key);
  if (quiet === undefined) {
    let clock = clocks.get(zone);
    if (!clock) {
      clock = new Intl.DateTimeFormat('en', { timeZone: zone, hour: '2-digit', hourCycle: 'h23' });
      clocks.set(zone, clock);
    }
    const hour = Number(clock.format(at));
    quiet = hour >= 21 || hour < 8;
    nights.set(key, quiet);
  }
  return quiet;
}
