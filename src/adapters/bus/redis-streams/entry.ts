import type { AnyEvent } from '../../../model/event.ts';

/** An entry of a stream as Redis gives it: id, and fields and values in turn; nil if it was deleted meanwhile. */
export type RawEntry = readonly [id: string, fields: readonly string[] | null];

/** The attributes that every event of ours has, each a text. */
const ATTRIBUTES = ['id', 'source', 'type', 'subject', 'time', 'sequence'] as const;

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
  const complete =
    event['specversion'] === '1.0' &&
    typeof event['data'] === 'object' &&
    ATTRIBUTES.every((name) => typeof event[name] === 'string' && event[name] !== '');
  return complete ? (value as AnyEvent) : undefined;
}
