import type { Redis } from 'ioredis';
import type { AnyEvent } from '../../src/model/event.ts';

/** Everything on the wire, repeats included, while nothing is trimmed. */
export async function readWire(redis: Redis, stream = 'rekindle:events'): Promise<AnyEvent[]> {
  const entries = await redis.xrange(stream, '-', '+');
  return entries.map(([, fields]) => JSON.parse(fields[fields.indexOf('event') + 1]!) as AnyEvent);
}

/** Each event once: what happened in effect. */
export function inEffect<E extends AnyEvent>(wire: readonly E[]): E[] {
  return [...new Map(wire.map((event) => [event.id, event])).values()];
}

/** What each user was told of in effect, in the order of its sequence: `announced 0`, `cancelled 0: resumed`. */
export function told(wire: readonly AnyEvent[]): Record<string, string[]> {
  const byUser: Record<string, string[]> = {};
  for (const event of inEffect(wire).toSorted((a, b) => (a.sequence < b.sequence ? -1 : 1)))
    (byUser[event.data.user] ??= []).push(inWords(event));
  return byUser;
}

function inWords({ type, data }: AnyEvent): string {
  switch (type) {
    case 'cart.abandoned':
      return `announced ${data.stage}`;
    case 'cart.rescue_cancelled':
      return `cancelled ${data.stage}: ${data.reason}`;
    case 'cart.touched':
      return `touched ${data.stage}: ${data.channel}`;
    case 'cart.recovered':
      return `recovered ${data.stage}: ${data.class}`;
    case 'user.erased':
      return 'erased';
  }
}
