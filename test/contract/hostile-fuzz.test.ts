import { inspect } from 'node:util';
import type { Redis } from 'ioredis';
import { beforeEach, expect, test } from 'vitest';
import { HOUR_MS, MINUTE_MS } from '../../src/model/duration.ts';
import { fuzzedSessions } from '../support/fuzzed-sessions.ts';
import { isImpossible, userOf } from '../support/hostile-outcomes.ts';
import { type HostileSession, hashOf } from '../support/hostile-session.ts';
import { LookWorld, START } from '../support/look-world.ts';
import { redisHot } from '../support/redis-hot.ts';
import { testRedis } from '../support/redis-server.ts';
import { type Verdict, verdictOf } from '../support/session-oracle.ts';
import { keyOf, writeSession } from '../support/write-session.ts';

const FUZZED = 10_000;
const HEALTHY = 500;

/** Others are drawn each time; to draw the same again, give the number that was printed. */
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31);

type Verdicts = ReadonlyMap<HostileSession, Verdict>;

const redis = testRedis();

let world: LookWorld;
let client: Redis;
beforeEach(() => {
  world = new LookWorld(redisHot(redis));
  client = redis.client();
});

test('of 10,000 fuzzed sessions none is lost in silence, disturbs another, or stays when it is mended', async () => {
  process.stdout.write(`fuzz: FUZZ_SEED=${SEED}\n`);
  const sessions = withHealthy(fuzzedSessions(FUZZED, SEED, START));
  expect(new Set(sessions.map(userOf)).size).toBe(FUZZED + HEALTHY);
  await inBatches(sessions, write);
  const verdicts = new Map(
    sessions.map((session): [HostileSession, Verdict] => [session, verdictOf(session, START)]),
  );

  // Half of them are heard of, the others found.
  const users = sessions.filter((session) => !isImpossible(session)).map(userOf);
  await inBatches(users.slice(0, users.length / 2), (some) =>
    world.hot.sessions.armTouched(some, world.now),
  );
  await world.runFor(0);
  await world.reconcile();
  await world.runFor(0);
  expect(await astray(verdicts)).toEqual([]);

  // Whoever waited is announced within the first threshold, however far ahead the clock of the writer was.
  const atOnce = world.bus.heard.length;
  await world.runFor(36 * MINUTE_MS);
  for (const [session, { outcome }] of verdicts)
    if (outcome === 'waits') verdicts.set(session, { outcome: 'announced' });
  expect(await astray(verdicts)).toEqual([]);
  report(verdicts, atOnce);

  const broken = [...verdicts].filter(([, { outcome }]) => outcome === 'quarantined');
  await inBatches(broken, (some) =>
    Promise.all(
      some.map(async ([session]) => {
        verdicts.delete(session);
        const gone: Verdict = { outcome: 'nothing', why: 'gone' };
        const mended = await mend(session);
        verdicts.set(mended, isImpossible(session) ? gone : { outcome: 'announced' });
      }),
    ),
  );
  await world.reconcile();
  await world.runFor(0);
  // Whose ledger was spoilt is released by the next one.
  await world.reconcile();
  expect(await astray(verdicts)).toEqual([]);
  expect((await world.hot.ledgers.quarantined(1)).total).toBe(0);
  expect(world.faults).toEqual([]);
}, 240_000);

/** Healthy sessions among the others, so that they are looked at together. */
function withHealthy(fuzzed: readonly HostileSession[]): HostileSession[] {
  const every = FUZZED / HEALTHY;
  return fuzzed.flatMap((session, index) =>
    index % every === 0 ? [session, validSession(`healthy ${index}`, START)] : [session],
  );
}

function validSession(name: string, now: number): HostileSession {
  const session = hashOf(name, now - HOUR_MS, { session_id: name });
  return { name, user: name, session, expected: 'announced' };
}

const BATCH = 250;

async function inBatches<T>(
  all: readonly T[],
  work: (some: readonly T[]) => Promise<unknown>,
): Promise<void> {
  for (let from = 0; from < all.length; from += BATCH) await work(all.slice(from, from + BATCH));
}

async function write(sessions: readonly HostileSession[]): Promise<void> {
  await Promise.all(sessions.map((session) => writeSession(client, world.hot.keys, session)));
}

/** @returns the session as its program has written it anew; of who is no user nothing is left */
async function mend(session: HostileSession): Promise<HostileSession> {
  const { keys } = world.hot;
  const user = userOf(session);
  await client.del(keyOf(session.user), keys.ledger(user));
  await client.hdel(keys.optouts, user);
  if (isImpossible(session)) return session;
  const mended = { ...validSession(session.name, world.now), user: session.user };
  await write([mended]);
  return mended;
}

/** Some of those of whom something else became than should have, and what. */
async function astray(verdicts: Verdicts): Promise<string[]> {
  const { agenda, ledgers } = world.hot;
  const heard = Map.groupBy(world.bus.heard, ({ data }) => data.user);
  const { entries } = await ledgers.quarantined(FUZZED);
  const reasons = new Map(entries.map(({ user, reason }) => [user, reason]));
  const wrong = [...verdicts].map(async ([session, verdict]): Promise<string[]> => {
    const user = userOf(session);
    const { dueAt } = await agenda.inspect(user);
    const found = { events: heard.get(user) ?? [], reason: reasons.get(user), dueAt };
    if (isAsItShould(session, verdict, found)) return [];
    const shown = { verdict, found, session };
    return [inspect(shown, { depth: 6, maxStringLength: 200, maxArrayLength: 20 })];
  });
  return (await Promise.all(wrong)).flat().slice(0, 3);
}

interface Found {
  readonly events: LookWorld['bus']['heard'];
  readonly reason: string | undefined;
  readonly dueAt: number | undefined;
}

function isAsItShould(session: HostileSession, verdict: Verdict, found: Found): boolean {
  const { events, reason, dueAt = Number.POSITIVE_INFINITY } = found;
  if (verdict.outcome === 'quarantined')
    return events.length === 0 && [...verdict.reasons].some((one) => one === reason);
  if (reason !== undefined) return false;
  if (verdict.outcome !== 'announced')
    return events.length === 0 && (verdict.outcome === 'nothing' || dueAt <= verdict.until);
  // By and by the next stage too; nothing that is another's.
  const own = fieldOf(session, 'session_id');
  return (
    events.length > 0 &&
    events.every(({ type, data }) => type === 'cart.abandoned' && data.session_id === own)
  );
}

function fieldOf({ session }: HostileSession, wanted: string): string | null {
  if (!('hash' in session)) return null;
  const value = session.hash.findLast(([name]) => String(name) === wanted)?.[1];
  return value === undefined ? null : String(value);
}

function report(verdicts: Verdicts, atOnce: number): void {
  const fuzzed = [...verdicts].filter(([{ name }]) => !name.startsWith('healthy'));
  const count = (wanted: Verdict['outcome']): number =>
    fuzzed.filter(([, { outcome }]) => outcome === wanted).length;
  const reasons = Map.groupBy(
    fuzzed.flatMap(([, verdict]) => (verdict.outcome === 'nothing' ? [verdict.why] : [])),
    (why) => why,
  );
  const why = [...reasons].map(([reason, { length }]) => `${length} ${reason}`).join(', ');
  process.stdout.write(
    `fuzz: ${fuzzed.length} sessions: ${atOnce - HEALTHY} announced at once and ` +
      `${count('announced') - atOnce + HEALTHY} later, ${count('quarantined')} in quarantine until mended, ` +
      `${count('nothing')} with nothing to tell (${why}); ${HEALTHY} healthy ones among them\n`,
  );
}
