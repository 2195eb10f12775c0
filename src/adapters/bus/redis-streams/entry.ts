import type { AnyEvent } from '../../../model/event.ts';

/** An entry of a stream as Redis gives it: id, and fields and values in turn; nil if it was deleted meanwhile. */
export type RawEntry = readonly [id: string, fields: readonly string[] | null];

export function fieldOf(fields: readonly string[], name: string): string | undefined {
  for (let i = 0; i + 1 < fields.length; i += 2) if (fields[i] === name) return fields[i + 1];
  return undefined;
}

/** Reads an event's JSON; undefined if it is none: others may write to the stream too. */
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
