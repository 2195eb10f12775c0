import { MINUTE_MS } from '../src/model/duration.ts';
import type { AnyEvent } from '../src/model/event.ts';
import { type Bench, userIds } from './harness.ts';
import { Pipeline } from './pipeline.ts';

/**
 * An announcement as it lies on the stream, its fields and values in turn: made by the real pipeline, so that what a
 * peer appends weighs what ours does, whatever becomes of events. Leaves Redis empty.
 */
export async function announcement(bench: Bench): Promise<string[]> {
  await using pipeline = await Pipeline.open(bench);
  await pipeline.leaveCarts(['user00000000'], () => pipeline.now());
  await pipeline.drain();
  pipeline.shift(30 * MINUTE_MS);
  await pipeline.drain();
  const [entry] = await bench.redis.xrange(`${bench.config.prefix}:events`, '-', '+');
  if (!entry) throw new Error('nothing was announced');
  await bench.redis.flushall();
  return entry[1];
}

/** The same as events, once for each user. */
export async function announcements(bench: Bench): Promise<AnyEvent[]> {
  const entry = await announcement(bench);
  const event = JSON.parse(entry[entry.indexOf('event') + 1] ?? '') as AnyEvent;
  return userIds(bench.sessions).map(
    (user) =>
      ({
        ...event,
        id: `${event.id.slice(0, -12)}${user}`,
        subject: user,
        data: { ...event.data, user },
      }) as AnyEvent,
  );
}
