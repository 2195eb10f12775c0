import type { Redis } from 'ioredis';
import type { Agenda, Claim, NextLook } from '../../../ports/agenda.ts';
import type { Keys } from './keys.ts';
import { Script } from './script.ts';

const claimScript = new Script<[users: string[], nextDueAt: string | null]>('claim.lua');
const settleScript = new Script<number>('settle.lua');

/** The agenda as two sorted sets: `agenda` (score: next look) and `leased` (score: end of the lease). */
export class RedisAgenda implements Agenda {
  readonly #redis: Redis;
  readonly #keys: Keys;
  readonly #leaseMs: number;

  constructor(redis: Redis, keys: Keys, options: { readonly leaseMs: number }) {
    this.#redis = redis;
    this.#keys = keys;
    this.#leaseMs = options.leaseMs;
  }

  async claim(now: number, limit: number): Promise<Claim> {
    const leasedUntil = now + this.#leaseMs;
    const [users, nextDueAt] = await claimScript.run(
      this.#redis,
      [this.#keys.agenda, this.#keys.leased],
      [now, leasedUntil, limit],
    );
    return { users, leasedUntil, nextDueAt: nextDueAt === null ? undefined : Number(nextDueAt) };
  }

  async settle(claim: Claim, next: readonly NextLook[]): Promise<number> {
    if (next.length === 0) return 0;
    const keys = [this.#keys.agenda, this.#keys.leased];
    const args: (string | number)[] = [claim.leasedUntil, next.length];
    for (const { user, at } of next) args.push(user, at ?? '');
    for (const { user, published } of next) {
      if (!published || published.length === 0) continue;
      keys.push(this.#keys.ledger(user));
      args.push(published.length, ...published);
    }
    return settleScript.run(this.#redis, keys, args);
  }

  async arm(looks: readonly { readonly user: string; readonly at: number }[]): Promise<void> {
    if (looks.length === 0) return;
    await this.#redis.zadd(this.#keys.agenda, 'LT', ...looks.flatMap(({ user, at }) => [at, user]));
  }

  async inspect(
    user: string,
  ): Promise<{ dueAt: number | undefined; leasedUntil: number | undefined }> {
    const [due, leased] = await Promise.all([
      this.#redis.zscore(this.#keys.agenda, user),
      this.#redis.zscore(this.#keys.leased, user),
    ]);
    return {
      dueAt: due === null ? undefined : Number(due),
      leasedUntil: leased === null ? undefined : Number(leased),
    };
  }

  async counts(now: number): Promise<{ armed: number; due: number; leased: number }> {
    const [armed, due, leased] = await Promise.all([
      this.#redis.zcard(this.#keys.agenda),
      this.#redis.zcount(this.#keys.agenda, '-inf', now),
      this.#redis.zcard(this.#keys.leased),
    ]);
    return { armed, due, leased };
  }
}
