import type { RawStore } from './raw-store.ts';

type Value =
  | { readonly kind: 'hash'; readonly fields: Map<string, string> }
  | { readonly kind: 'list'; readonly items: string[] }
  | { readonly kind: 'string'; readonly text: string };

type Entry = Value & { expiresAt: number };

/** Called after a change of a key, with the name that a keyspace notification would have. */
export type Notified = (key: string, event: string) => void;

/** As much of Redis' keyspace as the hot tier stands on, in memory; synchronous, on a clock that is given. */
export class TinyStore {
  readonly #entries = new Map<string, Entry>();
  readonly #now: () => number;
  readonly listeners = new Set<Notified>();

  constructor(now: () => number) {
    this.#now = now;
  }

  typeOf(key: string): 'none' | Value['kind'] {
    return this.#entry(key)?.kind ?? 'none';
  }

  *keys(): Generator<string> {
    for (const key of this.#entries.keys()) if (this.#entry(key)) yield key;
  }

  hash(key: string): ReadonlyMap<string, string> | undefined {
    const entry = this.#entry(key);
    if (entry && entry.kind !== 'hash') throw wrongType();
    return entry?.fields;
  }

  list(key: string): readonly string[] {
    const entry = this.#entry(key);
    if (entry && entry.kind !== 'list') throw wrongType();
    return entry?.items ?? [];
  }

  text(key: string): string | undefined {
    const entry = this.#entry(key);
    if (entry && entry.kind !== 'string') throw wrongType();
    return entry?.text;
  }

  /** Undefined: never, or there is no key. */
  expiresAt(key: string): number | undefined {
    const at = this.#entry(key)?.expiresAt;
    return at === undefined || at === Number.POSITIVE_INFINITY ? undefined : at;
  }

  hset(key: string, fields: Iterable<readonly [name: string, value: string]>): void {
    const known = this.#entry(key);
    if (known && known.kind !== 'hash') throw wrongType();
    const entry = known ?? {
      kind: 'hash',
      fields: new Map<string, string>(),
      expiresAt: Number.POSITIVE_INFINITY,
    };
    for (const [name, value] of fields) entry.fields.set(name, value);
    this.#entries.set(key, entry);
    this.#notify(key, 'hset');
  }

  hdel(key: string, names: Iterable<string>): number {
    const entry = this.#entry(key);
    if (entry && entry.kind !== 'hash') throw wrongType();
    let gone = 0;
    for (const name of names) gone += Number(entry?.fields.delete(name) ?? false);
    if (entry?.fields.size === 0) this.#entries.delete(key);
    if (gone > 0) this.#notify(key, 'hdel');
    return gone;
  }

  rpush(key: string, items: readonly string[]): number {
    const known = this.#entry(key);
    if (known && known.kind !== 'list') throw wrongType();
    const entry = known ?? {
      kind: 'list',
      items: [] as string[],
      expiresAt: Number.POSITIVE_INFINITY,
    };
    for (const item of items) entry.items.push(item);
    if (entry.items.length > 0) this.#entries.set(key, entry);
    this.#notify(key, 'rpush');
    return entry.items.length;
  }

  /** Takes items from the front. */
  lpop(key: string, count: number): string[] {
    const entry = this.#entry(key);
    if (entry && entry.kind !== 'list') throw wrongType();
    const taken = entry?.items.splice(0, count) ?? [];
    if (entry?.items.length === 0) this.#entries.delete(key);
    if (taken.length > 0) this.#notify(key, 'lpop');
    return taken;
  }

  /** Replaces whatever was there; `ttlMs` undefined: for ever. */
  set(key: string, text: string, ttlMs = Number.POSITIVE_INFINITY): void {
    this.#entries.set(key, { kind: 'string', text, expiresAt: this.#now() + ttlMs });
    this.#notify(key, 'set');
  }

  /** Changes a text in place: its TTL stays. */
  replace(key: string, text: string): void {
    const entry = this.#entry(key);
    if (entry) this.#entries.set(key, { kind: 'string', text, expiresAt: entry.expiresAt });
  }

  del(key: string): void {
    if (this.#entry(key) && this.#entries.delete(key)) this.#notify(key, 'del');
  }

  pexpire(key: string, ms: number): void {
    const entry = this.#entry(key);
    if (!entry) return;
    entry.expiresAt = this.#now() + ms;
    this.#notify(key, 'expire');
  }

  copy(from: string, to: string, ttlMs: number): void {
    const entry = this.#entry(from);
    if (entry) this.#entries.set(to, { ...structuredClone(entry), expiresAt: this.#now() + ttlMs });
  }

  /** What is left is what is alive: an expired key is gone for whoever asks. */
  #entry(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (!entry || entry.expiresAt > this.#now()) return entry;
    this.#entries.delete(key);
    this.#notify(key, 'expired');
    return undefined;
  }

  #notify(key: string, event: string): void {
    for (const listener of this.listeners) listener(key, event);
  }
}

/** As another program sees it. */
export function rawTiny(store: TinyStore, now: () => number): RawStore {
  return {
    hset: async (key, fields) => store.hset(key, Object.entries(fields)),
    hdel: async (key, ...names) => void store.hdel(key, names),
    hgetall: async (key) => Object.fromEntries(store.hash(key) ?? []),
    rpush: async (key, ...items) => void store.rpush(key, items),
    lrange: async (key) => [...store.list(key)],
    set: async (key, text) => store.set(key, text),
    get: async (key) => store.text(key),
    del: async (...keys) => {
      for (const key of keys) store.del(key);
    },
    pexpire: async (key, ms) => store.pexpire(key, ms),
    pttl: async (key) => {
      if (store.typeOf(key) === 'none') return undefined;
      return (store.expiresAt(key) ?? Number.POSITIVE_INFINITY) - now();
    },
  };
}

function wrongType(): Error {
  return new Error('WRONGTYPE Operation against a key holding the wrong kind of value');
}
