import { COLD_PAGE_MAX, type ColdStore } from '../ports/cold.ts';
import { parseTranscript } from '../tiers/cold-records.ts';
import { insightsOf } from '../tiers/current-insights.ts';
import type { Visit } from './shop.ts';

/** What cold holds of one user. */
export interface ColdShare {
  /** Their transcripts. */
  readonly conversations: number;
  /** The ids of all messages in them. */
  readonly messages: readonly string[];
  /** Insights that hold now. */
  readonly insights: number;
}

/** @throws DamagedObjectError when something there is not what was written */
export async function coldShare(cold: ColdStore, user: string): Promise<ColdShare> {
  const names = await cold.names(user, 'transcripts', { limit: COLD_PAGE_MAX });
  if (names.length === COLD_PAGE_MAX)
    throw new Error(`${user} has said more than the demo can count`);
  const messages: string[] = [];
  for (const name of names) {
    const text = (await cold.get(user, 'transcripts', name)) ?? '';
    messages.push(
      ...parseTranscript(name, text).messages.map(({ message, raw }) => message.id ?? raw),
    );
  }
  const insights = (await insightsOf(cold, user)).length;
  return { conversations: names.length, messages, insights };
}

/** What cold holds of several users together. */
export type ColdHeld = Readonly<
  Record<'users' | 'conversations' | 'messages' | 'insights', number>
>;

/** Of all who have been here before; nobody else's conversations are old enough. */
export async function inCold(cold: ColdStore, visits: readonly Visit[]): Promise<ColdHeld> {
  const held = { users: 0, conversations: 0, messages: 0, insights: 0 };
  for (const { shopper } of visits) {
    if (!shopper.past) continue;
    const { conversations, messages, insights } = await coldShare(cold, shopper.user);
    if (conversations > 0) held.users += 1;
    held.conversations += conversations;
    held.messages += messages.length;
    held.insights += insights;
  }
  return held;
}
