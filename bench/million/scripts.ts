import { Announcer } from '../../src/abandonment/announce.ts';
import { Looker } from '../../src/abandonment/look.ts';
import { lookSettings } from '../../src/compose.ts';
import { MINUTE_MS } from '../../src/model/duration.ts';
import type { Clock } from '../../src/ports/clock.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { NO_JOBS } from '../pipeline.ts';
import { type Sample, percentile, userIds } from '../harness.ts';
import { schedulingOf } from '../proc.ts';
import type { World } from './world.ts';

const ROUNDS = 100;

/** As src/abandonment/watch.ts and the library send them. */
const TOUCHED_BATCH = 250;
const WRITE_BATCH = 100;

/**
 * What each of our calls costs Redis in time of its CPU, one call after the other: whatever else the machine does is
 * not in it.
 */
export async function timeScripts({ bench, pipeline }: World): Promise<Sample> {
  const { hot, bus } = pipeline;
  const times = new Map<string, number[]>();
  const timed = <P extends object>(port: P, name: string): P =>
    timedPort(port, name, bench.server.pid, times);
  const clock: Clock = {
    now: () => hot.clock.now() + 30 * MINUTE_MS,
    sleep: (ms, signal) => hot.clock.sleep(ms, signal),
  };
  const ledgers = timed(hot.ledgers, 'ledgers');
  const sessions = timed(hot.sessions, 'sessions');
  const agenda = timed(hot.agenda, 'agenda');
  const observe = (): void => undefined;
  const looker = new Looker(
    { clock, agenda, ledgers, sessions, jobs: NO_JOBS },
    new Announcer(timed(bus, 'bus'), clock, observe),
    lookSettings(bench.config, hot),
    observe,
    (user, error) => {
      throw new Error(`${user} could not be judged`, { cause: error });
    },
  );
  const users = userIds(bench.sessions);
  let ledgerCursor: string | undefined = '';
  let sessionCursor: string | undefined = '';
  for (let round = 0; round < ROUNDS; round += 1) {
    await looker.lookOnce();
    sessionCursor = (await sessions.scan(sessionCursor ?? '')).cursor;
    ledgerCursor = (await ledgers.scan(ledgerCursor ?? '')).cursor;
    const some = users.slice(round * TOUCHED_BATCH, (round + 1) * TOUCHED_BATCH);
    await sessions.armTouched(some, hot.clock.now());
    const at = hot.clock.now();
    const writes = timed(
      {
        batch: (batch: readonly string[]) =>
          Promise.all(batch.map((user) => hot.sessions.write({ user, at, activity: true }))),
      },
      'sessions.write',
    );
    await writes.batch(some.slice(0, WRITE_BATCH));
  }
  const worst = [...times]
    .map(([name, ms]) => ({ name, p50: percentile(ms, 0.5), most: Math.max(...ms) }))
    .sort((one, other) => other.most - one.most);
  const told = worst.map(
    ({ name, p50, most }) => `${name} ${most.toFixed(1)} (half within ${p50.toFixed(1)})`,
  );
  return { value: worst[0]?.most ?? NaN, note: told.join(', ') };
}

/** Measures each call of a port, which must be the only one under way. */
function timedPort<P extends object>(
  port: P,
  name: string,
  pid: number,
  times: Map<string, number[]>,
): P {
  return new Proxy(port, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key, target);
      if (typeof member !== 'function') return member;
      return async (...args: unknown[]): Promise<unknown> => {
        const before = schedulingOf(pid).ranMs;
        const result: unknown = await (member as (...all: unknown[]) => unknown).apply(
          target,
          args,
        );
        // Linux brings the figure up to date when Redis goes to sleep, which is after its answer.
        await sleep(1);
        const method = `${name}.${String(key)}`;
        times.set(method, [...(times.get(method) ?? []), schedulingOf(pid).ranMs - before]);
        return result;
      };
    },
  });
}
