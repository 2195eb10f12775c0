import { MINUTE_MS } from '../src/model/duration.ts';
import type { Bench } from './harness.ts';
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
