import { Keys, isMessagesType } from '../../src/adapters/hot/redis/keys.ts';
import { digestShowsAddition, parseCart } from '../../src/model/cart.ts';
import { MINUTE_MS } from '../../src/model/duration.ts';
import { formatInstant, parseInstant } from '../../src/model/instant.ts';
import { parseOwnMarks } from '../../src/model/session.ts';
import type { Session } from '../../src/model/session.ts';
import type { SessionNames } from '../../src/model/session-names.ts';
import { type ImpossibleUser, impossibleUser } from '../../src/model/user-id.ts';
import type { Agenda, Claim, NextLook } from '../../src/ports/agenda.ts';
import type { SessionPage, SessionWrite, Sessions } from '../../src/ports/sessions.ts';
import { HOT_DEFAULTS } from './hot-options.ts';
import type { Hot, HotOptions } from './hot-options.ts';
import { MemoryLedgers } from './memory-ledgers.ts';
import { rawTiny, TinyStore } from './tiny-store.ts';

/**
 * The hot tier in memory: what the Redis adapter promises, kept by the same contract suites, some hundred times faster.
 * All that is done through one of its ports happens at once, so whoever drives it decides what happens between two
 * steps; the clock that is given decides when keys expire.
 */
export function memoryHot(
  now: () => number,
  options: Partial<HotOptions> = {},
): Hot & { readonly store: TinyStore } {
  const settings = { ...HOT_DEFAULTS, ...options };
  const keys = new Keys(settings.template, settings.prefix);
  const store = new TinyStore(now);
  const agenda = new MemoryAgenda(settings.leaseMs, (user, ids) => {
    ledgers.strike(user, ids);
  });
  const ledgers = new MemoryLedgers(store, keys, agenda, settings, now);
  return {
    agenda,
    ledgers,
    sessions: new MemorySessions(store, keys, agenda, settings, now),
    keys,
    store,
    raw: rawTiny(store, now),
    told: () => Promise.resolve(ledgers.told),
  };
}

class MemoryAgenda implements Agenda {
  readonly #leaseMs: number;
  readonly #due = new Map<string, number>();
  readonly #leased = new Map<string, number>();
  readonly #strike: (user: string, ids: readonly string[]) => void;

  constructor(leaseMs: number, strike: (user: string, ids: readonly string[]) => void) {
    this.#leaseMs = leaseMs;
    this.#strike = strike;
  }

  async claim(now: number, limit: number): Promise<Claim> {
    for (const [user] of inOrder(this.#leased, now).slice(0, limit)) {
      this.#leased.delete(user);
      this.armAt(user, now);
    }
    const users = inOrder(this.#due, now)
      .filter(([user]) => !this.#leased.has(user))
      .slice(0, limit)
      .map(([user]) => user);
    const leasedUntil = now + this.#leaseMs;
    for (const user of users) {
      this.#due.delete(user);
      this.#leased.set(user, leasedUntil);
    }
    const later = [...this.#due.values()].filter((at) => at > now);
    const nextDueAt = users.length === limit ? now : Math.min(...later, ...this.#leased.values());
    return { users, leasedUntil, nextDueAt: Number.isFinite(nextDueAt) ? nextDueAt : undefined };
  }

  async settle(claim: Claim, next: readonly NextLook[]): Promise<number> {
    for (const { user, published = [] } of next) this.#strike(user, published);
    const mine = next.filter(({ user }) => this.#leased.get(user) === claim.leasedUntil);
    for (const { user, at } of mine) this.endLease(user, at);
    return mine.length;
  }

  endLease(user: string, nextAt: number | undefined): void {
    this.#leased.delete(user);
    if (nextAt !== undefined) this.armAt(user, nextAt);
  }

  async arm(looks: readonly { readonly user: string; readonly at: number }[]): Promise<void> {
    for (const { user, at } of looks) this.armAt(user, at);
  }

  async inspect(
    user: string,
  ): Promise<{ dueAt: number | undefined; leasedUntil: number | undefined }> {
    return { dueAt: this.#due.get(user), leasedUntil: this.#leased.get(user) };
  }

  async counts(now: number): Promise<{ armed: number; due: number; leased: number }> {
    const due = [...this.#due.values()].filter((at) => at <= now).length;
    return { armed: this.#due.size, due, leased: this.#leased.size };
  }

  /** @returns true if that was new or moved the look earlier */
  armAt(user: string, at: number): boolean {
    if ((this.#due.get(user) ?? Number.POSITIVE_INFINITY) <= at) return false;
    this.#due.set(user, at);
    return true;
  }

  leaseOf(user: string): number | undefined {
    return this.#leased.get(user);
  }
}

/** Those due at `now`, the earliest first; the order of a sorted set. */
function inOrder(scores: ReadonlyMap<string, number>, now: number): [user: string, at: number][] {
  return [...scores]
    .filter(([, at]) => at <= now)
    .sort(([a, atA], [b, atB]) => atA - atB || Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** As in policy.ts: no clock is off by more. */
const FUTURE_TOLERANCE_MS = 5 * MINUTE_MS;

/** What a session that was ended hands on to the next: facts about the user. */
const OF_THE_USER = ['consent', 'phone', 'timezone', 'language'] as const;

class MemorySessions implements Sessions {
  readonly #store: TinyStore;
  readonly #keys: Keys;
  readonly #agenda: MemoryAgenda;
  readonly #options: HotOptions;
  readonly #now: () => number;
  #watchers = 0;

  constructor(
    store: TinyStore,
    keys: Keys,
    agenda: MemoryAgenda,
    options: HotOptions,
    now: () => number,
  ) {
    this.#store = store;
    this.#keys = keys;
    this.#agenda = agenda;
    this.#options = options;
    this.#now = now;
  }

  get names(): SessionNames {
    return this.#keys.names;
  }

  keyOf(user: string): string {
    return this.#keys.session(user);
  }

  async write(write: SessionWrite): Promise<void> {
    const store = this.#store;
    const { user, at, activity, messages = [], cart } = write;
    const now = write.now ?? at;
    const { manage, thresholdMs, ttlMs, window } = this.#options;
    const [sessionKey, listKey] = [this.#keys.session(user), this.#keys.messages(user)];
    const overflowKey = this.#keys.overflow(user);

    this.#expectType(sessionKey, 'hash');
    const known = store.hash(sessionKey);
    const lastActivityAt = parseInstant(known?.get('last_activity') ?? '');
    let marks = readMarks(known?.get('rekindle'));
    const foreign = known !== undefined && !marks && !manage;
    if (foreign && write.ended) {
      throw new Error(
        `${sessionKey} was written by another program; it ends when that program deletes it`,
      );
    }
    const opensNext = marks !== undefined && marks.ended !== 0 && (activity || messages.length > 0);
    if (messages.length > 0 || opensNext) this.#expectType(listKey, 'list');
    if (opensNext) this.#expectType(overflowKey, 'list');

    const handedOn = new Map<string, string>();
    const owner = this.names.ownerOf(user);
    if (write.optedOut) {
      const known = store.hash(this.#keys.optouts)?.get(owner);
      const text = write.optedOut === true ? String(at) : optOutOf(known, write.optedOut, at);
      store.hset(this.#keys.optouts, [[owner, text]]);
      for (const ref of write.armNow ? this.#sessionsOf(owner) : []) this.#agenda.armAt(ref, now);
    }
    if (opensNext) {
      for (const name of OF_THE_USER) {
        const value = known?.get(name);
        if (value !== undefined) handedOn.set(name, value);
      }
      const said = store.list(listKey);
      if (said.length > 0) store.rpush(overflowKey, said);
      store.del(sessionKey);
      store.del(listKey);
      marks = undefined;
    }
    if (!marks && !foreign && (write.optedOut || write.ended) && !activity) {
      this.#agenda.armAt(user, now);
      return;
    }

    const saysNothing = !activity && !write.fields && !cart && messages.length === 0;
    if (saysNothing && known === undefined) {
      if (write.armNow) this.#agenda.armAt(user, now);
      return;
    }

    const fields = new Map([...handedOn, ...Object.entries(write.fields ?? {})]);
    if (cart) fields.set('cart', cart.json);
    const later =
      lastActivityAt !== undefined &&
      lastActivityAt > at &&
      lastActivityAt <= now + FUTURE_TOLERANCE_MS;
    if (activity && !later) fields.set('last_activity', formatInstant(at));
    else if (activity && lastActivityAt !== undefined && lastActivityAt > now) {
      fields.set('last_activity', formatInstant(lastActivityAt + 1));
    }
    if (!foreign) {
      marks ??= { epoch: at, ended: 0, opened: 0, added: 0, digest: '' };
      if (cart) markCart(marks, cart.digest, write.ordered === true, at);
      if (write.ended) marks.ended = at;
      const { epoch, ended, opened, added, digest } = marks;
      fields.set('rekindle', [epoch, ended, opened, added, digest].join(';'));
    }
    if (messages.length > 0) {
      const length = store.rpush(listKey, messages);
      const sessionEndsAt = store.expiresAt(sessionKey);
      if (foreign && length === messages.length && sessionEndsAt !== undefined) {
        store.pexpire(listKey, sessionEndsAt - this.#now());
      }
      if (length > window && ['none', 'list'].includes(store.typeOf(overflowKey))) {
        store.rpush(overflowKey, store.lpop(listKey, length - window));
      }
      const tokens = store.list(listKey).reduce((sum, text) => sum + tokensOf(text), 0);
      fields.set('context_tokens', String(tokens));
    }
    if (fields.size > 0) store.hset(sessionKey, fields);
    if (!foreign) for (const key of [sessionKey, listKey]) store.pexpire(key, ttlMs);

    let lookNow = write.armNow === true;
    if (activity) {
      const countedAt = at > now + FUTURE_TOLERANCE_MS ? now : at;
      const moved = this.#agenda.armAt(user, countedAt + thresholdMs);
      const silent = lastActivityAt === undefined || countedAt - lastActivityAt >= thresholdMs;
      lookNow ||= moved || silent;
    }
    if (lookNow) this.#agenda.armAt(user, now);
  }

  /** None where the user's only one is written. */
  #sessionsOf(owner: string): string[] {
    if (!this.names.several) return [];
    return [...this.#store.keys()].flatMap((key) => {
      const ref = this.#keys.recordUser(key) ?? this.#keys.sessionUser(key);
      return ref !== undefined && this.names.ownerOf(ref) === owner ? [ref] : [];
    });
  }

  #expectType(key: string, right: 'hash' | 'list'): void {
    const type = this.#store.typeOf(key);
    if (type !== 'none' && type !== right) throw new Error(`${key} is a ${type}`);
  }

  async read(user: string): Promise<Session | undefined> {
    const hash = this.#store.hash(this.#keys.session(user));
    if (!hash) return undefined;
    const fields = Object.fromEntries(hash);
    const cart = parseCart(fields['cart']);
    if ('problem' in cart) throw new Error(`${this.keyOf(user)}: ${cart.problem.detail}`);
    const listKey = this.#keys.messages(user);
    const texts = this.#store.typeOf(listKey) === 'list' ? this.#store.list(listKey) : [];
    const whole = this.#store.typeOf(listKey) === 'string' ? this.#store.text(listKey) : undefined;
    return {
      ...this.names.nameOf(user),
      lastActivityAt:
        fields['last_activity'] === undefined ? undefined : parseInstant(fields['last_activity']),
      endedAt: parseOwnMarks(fields['rekindle'])?.endedAt,
      ours: parseOwnMarks(fields['rekindle']) !== undefined,
      cart: cart.items,
      channel: fields['active_channel'],
      language: fields['language'],
      intent: fields['current_intent'],
      contextTokens: Number(fields['context_tokens'] ?? 0),
      messages:
        whole === undefined
          ? texts.map((text) => messageOf(parseJson(text), text))
          : messagesIn(whole),
      fields,
    };
  }

  async armTouched(users: readonly string[], now: number): Promise<string[]> {
    for (const user of users) {
      const due = this.#touchedDueAt(this.#keys.session(user), now);
      if (due !== undefined && this.#agenda.armAt(user, due)) this.#agenda.armAt(user, now);
    }
    return users.filter((user) => {
      const key = this.#keys.session(user);
      return this.#store.typeOf(key) !== 'hash' || !this.#store.hash(key)?.has('rekindle');
    });
  }

  #touchedDueAt(sessionKey: string, now: number): number | undefined {
    const { thresholdMs, demoteLeadMs } = this.#options;
    const type = this.#store.typeOf(sessionKey);
    if (type !== 'hash')
      return isMessagesType(type) && sessionKey.endsWith(':messages') ? undefined : now;
    const hash = this.#store.hash(sessionKey);
    const text = hash?.get('last_activity');
    const lastActivityAt = parseInstant(text ?? '');
    if (lastActivityAt === undefined) {
      return text === undefined && readMarks(hash?.get('rekindle')) ? undefined : now;
    }
    const countedAt = lastActivityAt > now + FUTURE_TOLERANCE_MS ? now : lastActivityAt;
    const endsAt = this.#store.expiresAt(sessionKey);
    const leftMs = endsAt === undefined ? Number.POSITIVE_INFINITY : endsAt - this.#now();
    const copyAt = now + Math.max(leftMs - demoteLeadMs, leftMs / 2);
    return Math.floor(Math.min(countedAt + thresholdMs, copyAt));
  }

  async scan(): Promise<SessionPage> {
    const users: string[] = [];
    const impossible: ImpossibleUser[] = [];
    for (const key of this.#store.keys()) {
      const user = this.#keys.sessionUser(key);
      const ofSomebodyElse =
        this.#keys.messagesUser(key) !== undefined && isMessagesType(this.#store.typeOf(key));
      if (user === undefined || ofSomebodyElse) continue;
      const named = impossibleUser(Buffer.from(user), this.names.problemOf(user));
      if (named) impossible.push(named);
      else users.push(user);
    }
    return { cursor: undefined, users, impossible };
  }

  async watch(
    onTouched: (user: string, messages: boolean) => void,
    signal: AbortSignal,
    onListening?: () => void,
  ): Promise<void> {
    const listener = (key: string, event: string): void => {
      if (event === 'expired') return;
      for (const user of this.#keys.usersTouched(key, event))
        if (!this.names.problemOf(user))
          onTouched(user, !event.startsWith('h') && user === this.#keys.messagesUser(key));
    };
    if (signal.aborted) return;
    this.#store.listeners.add(listener);
    this.#watchers += 1;
    onListening?.();
    const { promise, resolve } = Promise.withResolvers<undefined>();
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
    await promise;
    this.#watchers -= 1;
    this.#store.listeners.delete(listener);
  }

  async probeNotifications(_timeoutMs: number): Promise<boolean> {
    return this.#watchers > 0;
  }
}

/** As in write.lua. */
function optOutOf(known = '-', channels: readonly string[], at: number): string {
  const [all = '-', ...parts] = known.split(';');
  const kept = parts.filter((part) => !channels.includes(part.slice(0, part.indexOf('='))));
  return [all, ...kept, ...channels.map((channel) => `${channel}=${at}`)].join(';');
}

interface Marks {
  readonly epoch: number;
  ended: number;
  opened: number;
  added: number;
  digest: string;
}

function readMarks(text: string | undefined): Marks | undefined {
  if (parseOwnMarks(text) === undefined) return undefined;
  const [epoch, ended, opened, added, ...digest] = (text ?? '').split(';');
  return {
    epoch: Number(epoch),
    ended: Number(ended),
    opened: Number(opened),
    added: Number(added),
    digest: digest.join(';'),
  };
}

function markCart(marks: Marks, digest: string, ordered: boolean, at: number): void {
  if (ordered || digest === '') {
    marks.opened = -Math.abs(marks.opened);
    marks.added = 0;
  } else if (digestShowsAddition(marks.digest, digest)) {
    if (marks.opened <= 0) marks.opened = Math.max(at, Math.abs(marks.opened) + 1);
    marks.added = Math.max(at, marks.added);
  }
  marks.digest = digest;
}

function tokensOf(text: string): number {
  const counted = /^\{"tokens":(\d+)/.exec(text)?.[1];
  return counted === undefined ? Math.ceil(Buffer.byteLength(text) / 4) : Number(counted);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function messagesIn(text: string): Session['messages'] {
  const value = parseJson(text);
  return Array.isArray(value)
    ? value.map((one: unknown) => messageOf(one, JSON.stringify(one)))
    : [messageOf(value, text)];
}

function messageOf(value: unknown, text: string): Session['messages'][number] {
  const whole =
    typeof value === 'object' && value !== null && 'role' in value && 'content' in value;
  return whole ? (value as Session['messages'][number]) : { role: 'unknown', content: text };
}
