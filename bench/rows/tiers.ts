import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteWarm } from '../../src/adapters/warm/sqlite/sqlite-warm.ts';
import { openWarmFile } from '../../src/compose-warm.ts';
import { DAY_MS } from '../../src/model/duration.ts';
import type { Entry } from '../../src/model/entry.ts';
import type { WarmStore } from '../../src/ports/warm.ts';
import { Demoter } from '../../src/tiers/demote.ts';
import { Promoter } from '../../src/tiers/promote.ts';
import {
  type Bench,
  type Head,
  type Sample,
  type Series,
  assertDone,
  inFlight,
  percentile,
  rate,
  userIds,
} from '../harness.ts';
import { Pipeline } from '../pipeline.ts';
import { Inserts } from '../warm/load.ts';

export const MESSAGES = 10;

/** Rows that the peer writes in one transaction. */
const BATCH = 500;

/** Users who come back, one after the other. */
const PROMOTIONS = 500;

const demotions: Head = {
  name: 'demotions of sessions with 10 messages',
  unit: '1/s',
  target: '>= 0.5 x plain batched inserts of the same rows',
  met: (ours, peer) => ours >= 0.5 * peer,
};
const p50: Head = { name: 'promotion, p50', unit: 'ms' };
const p99: Head = { name: 'promotion, p99', unit: 'ms' };

/** The way down to a file, and back up. */
export const tiers: Series = {
  name: 'tiers',
  // Of 10,000 a third of the time is the first second, in which a new thread of the file compiles its code.
  sessions: 50_000,
  growth: [10_000, 100_000],
  apart: false,
  figures: [demotions, p50, p99],
  measure,
};

async function measure(bench: Bench): Promise<ReadonlyMap<string, Sample>> {
  const folder = mkdtempSync(join(tmpdir(), 'rekindle-bench-'));
  const queued: string[] = [];
  try {
    await using pipeline = await Pipeline.open(bench, {
      add: async (_queue, users) => void queued.push(...users),
    });
    const { hot, clock } = pipeline;
    const users = userIds(bench.sessions);
    await talk(pipeline, users);
    pipeline.shift(2 * DAY_MS);
    await pipeline.drain();
    assertDone(queued.length, users.length, 'demotions were queued');

    const warm = await openWarmFile(join(folder, 'ours.sqlite'), clock);
    const written = new Map<string, Entry>();
    const ports = { ...hot, clock, warm: remembering(warm, written) };
    const demoter = new Demoter(ports, bench.config);
    const startedAt = performance.now();
    await Promise.all(
      Array.from({ length: bench.config.demoteConcurrency }, async () => {
        for (let user = queued.pop(); user !== undefined; user = queued.pop())
          await demoter.demote(user);
      }),
    );
    const perSecond = rate(users.length, startedAt);
    let sunk = 0;
    await inFlight(users, 1_000, async (user) => {
      if (!(await hot.sessions.read(user))) sunk += 1;
    });
    assertDone(sunk, users.length, 'sessions were sunk');

    const promoter = new Promoter(ports, demoter, bench.config);
    const times: number[] = [];
    for (const user of users.slice(0, PROMOTIONS)) {
      const beganAt = performance.now();
      const from = await promoter.resume(user, clock.now());
      times.push(performance.now() - beganAt);
      assertDone(from === 'warm' ? 1 : 0, 1, 'sessions came back from warm');
    }
    await warm.close();
    const peer = await insertAll(join(folder, 'peer.sqlite'), [...written.values()]);
    return new Map([
      [demotions.name, { value: perSecond, peer: (peer * users.length) / written.size }],
      [p50.name, { value: percentile(times, 0.5) }],
      [p99.name, { value: percentile(times, 0.99) }],
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Conversations of ten turns, as the library writes them. */
export async function talk({ hot, clock }: Pipeline, users: readonly string[]): Promise<void> {
  const at = clock.now();
  await inFlight(users, 1_000, (user) =>
    hot.sessions.write({ user, at, activity: true, messages: turnsOf(user, at) }),
  );
}

export function turnsOf(user: string, at: number): string[] {
  return Array.from({ length: MESSAGES }, (_none, n) =>
    JSON.stringify({
      tokens: 18,
      role: n % 2 === 0 ? 'user' : 'assistant',
      content: `turn ${n} of ${user}: is the blue one there in a larger size, and when would it come?`,
      id: `${user}-${n}`,
      at,
    }),
  );
}

/** Keeps what was written at last, for the peer. */
function remembering(warm: WarmStore, written: Map<string, Entry>): WarmStore {
  return new Proxy(warm, {
    get: (store, name) => {
      const member: unknown = Reflect.get(store, name);
      if (typeof member !== 'function') return member;
      const call = member.bind(store) as (...args: unknown[]) => unknown;
      if (name !== 'put') return call;
      return (...[owner, writes, how]: Parameters<WarmStore['put']>) => {
        for (const { entry } of writes) written.set(`${owner} ${entry.memoryId}`, entry);
        return call(owner, writes, how);
      };
    },
  });
}

/** @returns rows a second, durable on the disk */
async function insertAll(file: string, entries: readonly Entry[]): Promise<number> {
  await new SqliteWarm(file, { now: Date.now, sleep: () => Promise.resolve() }).close();
  const insert = new Inserts(file, 'FULL');
  const startedAt = performance.now();
  for (const [index, entry] of entries.entries()) {
    insert.one(entry);
    if (index % BATCH === BATCH - 1) insert.commit();
  }
  insert.close();
  return rate(entries.length, startedAt);
}
