import type { Redis } from 'ioredis';
import type { LeaseStore } from '../../../runtime/lease.ts';
import type { Keys } from './keys.ts';
import { Script } from './script.ts';

const renewScript = new Script<number>('lease-renew.lua');
const releaseScript = new Script<number>('lease-release.lua');

/** Leases as keys with a TTL that hold their holder's token. */
export class RedisLeaseStore implements LeaseStore {
  readonly #redis: Redis;
  readonly #keys: Keys;

  constructor(redis: Redis, keys: Keys) {
    this.#redis = redis;
    this.#keys = keys;
  }

  async acquire(name: string, token: string, ttlMs: number): Promise<boolean> {
    return (await this.#redis.set(this.#keys.lease(name), token, 'PX', ttlMs, 'NX')) === 'OK';
  }

  async renew(name: string, token: string, ttlMs: number): Promise<boolean> {
    return (await renewScript.run(this.#redis, [this.#keys.lease(name)], [token, ttlMs])) === 1;
  }

  async release(name: string, token: string): Promise<boolean> {
    return (await releaseScript.run(this.#redis, [this.#keys.lease(name)], [token])) === 1;
  }
}
