import { ofSession, parseHeader, parseSegment } from '../model/conversation.ts';
import { LATEST_ISO_MS, isoInstant } from '../model/instant.ts';
import { messageText } from '../model/message.ts';
import type { Said } from '../model/said.ts';
import type { SessionName } from '../model/session-names.ts';
import type { StoredEntry, WarmStore } from '../ports/warm.ts';

/** A message without what was said, unless that was asked for. */
export interface MessageView {
  readonly id: string | null;
  readonly role: string;
  readonly at: string | null;
  readonly session_id?: string;
  readonly text?: string;
}

/** What the warm tier holds of a user, or why nobody can tell. */
export type WarmView =
  | { readonly place: string; readonly problem: string }
  | {
      readonly place: string;
      readonly entries: number;
      readonly segments: number;
      readonly messages: readonly MessageView[];
      /** Latest first. */
      readonly sessions: readonly SessionView[];
      readonly latest: string | null;
    };

interface SessionView {
  readonly epoch: string;
  readonly session_id?: string;
  readonly ours: boolean;
  readonly messages: number;
  readonly hash: string;
  readonly cart: { readonly items: number; readonly value: number } | null;
  readonly latest: string;
  readonly expires_at: string | null;
}

const PAGE = 100;

/** Reads all that the warm tier holds of a user, or of one of several sessions. */
export async function lookIntoWarm(
  name: SessionName,
  place: string,
  warm: WarmStore,
  text: boolean,
): Promise<WarmView> {
  const sessions: SessionView[] = [];
  for await (const { entry } of all(warm, name, 'session')) sessions.unshift(sessionOf(entry));
  const messages: MessageView[] = [];
  let segments = 0;
  for await (const { entry } of all(warm, name, 'segment')) {
    segments += 1;
    const segment = parseSegment(entry);
    messages.push(...segment.messages.map((one) => messageOf(one, text, segment)));
  }
  const entries = await warm.count(name.user);
  return { place, entries, segments, messages, sessions, latest: sessions[0]?.latest ?? null };
}

/** Shows a message. */
export function messageOf(
  { message, at }: Said,
  text: boolean,
  { session }: Partial<SessionName> = {},
): MessageView {
  return {
    ...(session !== undefined && { session_id: session }),
    id: message.id ?? null,
    role: message.role,
    at: at === undefined ? null : instantOf(at),
    ...(text && { text: messageText(message) }),
  };
}

function sessionOf(entry: StoredEntry['entry']): SessionView {
  const { session, epoch, ours, messages, chain, latestAt, expiresAt } = parseHeader(entry);
  const { cart_items: items, cart_value: value } = entry.attributes;
  return {
    epoch: instantOf(epoch),
    ...(session !== undefined && { session_id: session }),
    ours,
    messages,
    hash: chain,
    cart: items === undefined ? null : { items: Number(items), value: Number(value) },
    latest: instantOf(latestAt),
    expires_at: expiresAt === undefined ? null : instantOf(expiresAt),
  };
}

async function* all(
  warm: WarmStore,
  name: SessionName,
  memoryType: 'session' | 'segment',
): AsyncGenerator<StoredEntry> {
  const order = memoryType === 'segment' ? 'step' : 'oldest';
  let cursor: string | undefined;
  do {
    const page = await warm.find(name.user, ofSession(memoryType, name), order, {
      limit: PAGE,
      cursor,
    });
    yield* page.items;
    cursor = page.cursor;
  } while (cursor !== undefined);
}

/** Somebody may have written there what is no date. */
export function instantOf(at: number): string {
  return Math.abs(at) <= LATEST_ISO_MS ? isoInstant(at) : String(at);
}
