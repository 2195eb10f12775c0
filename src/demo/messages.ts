/** What people do about the rescue messages that they are sent. */
import type { RekindleEvent } from '../model/event.ts';
import type { Shopper } from './shoppers.ts';
import type { Act } from './story.ts';

type Announcement = RekindleEvent<'cart.abandoned'>;

/** The messages that the shop's people are sent; without it nobody is. */
export interface Messages {
  /** The announcement of the latest one to a user. */
  readonly latestTo: (user: string) => Announcement | undefined;
  readonly recordReply: (event: Announcement, at: number) => Promise<unknown>;
}

/** What a deed owes to a rescue message: the ids of announcements. */
export interface Owing {
  /** Of the message by whose link an order came. */
  readonly ref?: string;
  /** Of the message that it answers. */
  readonly answers?: string;
}

export const NOTHING: Owing = {};

/** They answer the message that they were sent, if they were. */
export async function answer(user: string, at: number, sent: Messages | undefined): Promise<Owing> {
  const announcement = sent?.latestTo(user);
  if (!announcement) return NOTHING;
  await sent?.recordReply(announcement, at);
  return { answers: announcement.id };
}

/** Some order by the link in the message that they were sent: it names the announcement. */
export function byLink(
  user: string,
  act: Extract<Act, { does: 'orders' }>,
  sent: Messages | undefined,
): Owing {
  const ref = act.byLink ? sent?.latestTo(user)?.id : undefined;
  return ref === undefined ? NOTHING : { ref };
}

/** Whom a message should have brought, and who was sent none, does not come. */
export function isLeftOut(
  { user, foreign }: Shopper,
  act: Act,
  sent: Messages | undefined,
): boolean {
  if (act.does !== 'orders' || !act.byLink || foreign || !sent) return false;
  return sent.latestTo(user) === undefined;
}
