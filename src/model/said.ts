/** Messages as they stand in the hot tier, and which of them are known already. */
import { parseInstant } from './instant.ts';
import type { Message } from './message.ts';
import { shortDigest } from './short-digest.ts';

/** A message as the hot tier holds it, whoever wrote it there. */
export interface Said {
  /** The text as it stands in the list, byte for byte. */
  readonly raw: string;
  /** Equal for what is the same message: its id and what it says, or without an id all of its text. */
  readonly identity: string;
  /** It has an id of its own: whatever has the same identity is a repeat of it, wherever it stands. */
  readonly named: boolean;
  readonly message: Message;
  /** Unix milliseconds; undefined where it does not say. */
  readonly at: number | undefined;
}

/** Understands one element of a list of messages. What is no message is one of role `unknown`. */
export function said(raw: string): Said {
  const message = messageOf(raw);
  const named = typeof message.id === 'string' && message.id !== '';
  return {
    raw,
    message,
    named,
    identity: named
      ? shortDigest(`${message.id}\0${message.role}\0${contentOf(message)}`)
      : shortDigest(raw),
    at: instantOf(message.at ?? message['timestamp']),
  };
}

/** Understands what others put in the place of the list: one text that holds a JSON array, or anything. */
export function saidInOneText(text: string): Said[] {
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value)) return value.map((one: unknown) => said(JSON.stringify(one)));
  } catch {
    // One message, as it stands.
  }
  return text === '' ? [] : [said(text)];
}

/** What others write may be no message: it is shown as what it is rather than lost. */
function messageOf(raw: string): Message {
  try {
    const value: unknown = JSON.parse(raw);
    const whole =
      typeof value === 'object' && value !== null && 'role' in value && 'content' in value;
    if (whole && typeof value.role === 'string' && isContent(value.content))
      return value as Message;
  } catch {
    // Said below.
  }
  return { role: 'unknown', content: raw };
}

function isContent(content: unknown): content is Message['content'] {
  if (typeof content === 'string') return true;
  return (
    Array.isArray(content) && content.every((part) => typeof part === 'object' && part !== null)
  );
}

function contentOf({ content }: Message): string {
  return typeof content === 'string' ? content : JSON.stringify(content);
}

function instantOf(value: unknown): number | undefined {
  return typeof value === 'number' || typeof value === 'string'
    ? parseInstant(String(value))
    : undefined;
}

/**
 * Those of `seen` that are not among `known`: what follows the longest end of `known` with which `seen` begins. So a
 * list that others trim or grow is taken up where it was left, and a word that was said twice stands twice. A named
 * message is known wherever it stands.
 *
 * @param known identities in the order in which they were said, of the latest at the least as many as `seen` has
 */
export function unknownOf(known: readonly string[], seen: readonly Said[]): Said[] {
  const overlap = overlapOf(
    known,
    seen.map(({ identity }) => identity),
  );
  const names = new Set(known);
  const fresh: Said[] = [];
  for (const one of seen.slice(overlap)) {
    if (one.named && names.has(one.identity)) continue;
    names.add(one.identity);
    fresh.push(one);
  }
  return fresh;
}

/** Length of the longest end of `known` with which `seen` begins, by the prefix function of Knuth, Morris and Pratt. */
function overlapOf(known: readonly string[], seen: readonly string[]): number {
  const borders: number[] = [0];
  const extend = (length: number, next: string | undefined): number => {
    let matched = length;
    while (matched > 0 && seen[matched] !== next) matched = borders[matched - 1] ?? 0;
    return seen[matched] === next ? matched + 1 : 0;
  };
  for (let i = 1; i < seen.length; i += 1) borders.push(extend(borders[i - 1] ?? 0, seen[i]));
  let matched = 0;
  for (const identity of seen.length > 0 ? known : []) {
    if (matched === seen.length) matched = borders[matched - 1] ?? 0;
    matched = extend(matched, identity);
  }
  return matched;
}
