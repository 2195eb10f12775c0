import type { AnyEvent } from './event.ts';

/** Reads an event's JSON; undefined if it is none: others may write to the bus too. */
export function decodeEvent(body: string): AnyEvent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const event = value as Readonly<Record<string, unknown>>;
  // The attributes that every event of ours has. One by one, for every event that is read comes by here.
  const complete =
    event['specversion'] === '1.0' &&
    typeof event['data'] === 'object' &&
    isText(event['id']) &&
    isText(event['source']) &&
    isText(event['type']) &&
    isText(event['subject']) &&
    isText(event['time']) &&
    isText(event['sequence']);
  return complete ? (value as AnyEvent) : undefined;
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}
