import type { Logger } from '../../../runtime/logger.ts';
import { decodeEvent } from '../../../model/decode-event.ts';
import type { EventType } from '../../../model/event.ts';
import { StreamDelivery } from './delivery.ts';
import { fieldOf } from './entry.ts';
import type { Claim, GroupMember } from './group-member.ts';

/** What a subscription asks for. */
export interface Terms {
  readonly types: readonly EventType[] | undefined;
  readonly claimMs: number;
  readonly maxDeliveries: number;
  readonly log: Pick<Logger, 'info' | 'warn'>;
}

export interface FoundClaim {
  readonly claim: Claim;
  /** The entry's field `type`, which spares reading the event of one that is not wanted. */
  readonly type: string | undefined;
}

/** The first delivery of an entry. One without the field `event` is somebody else's: its fields stand in for it. */
export function claimOf(id: string, fields: readonly string[]): FoundClaim {
  const body = fieldOf(fields, 'event') ?? fields.join(' ');
  return { claim: { id, body, attempt: 1, token: '' }, type: fieldOf(fields, 'type') };
}

/** Settles types that are not wanted, puts aside what is no event, and makes deliveries of the rest. */
export async function sift(
  found: readonly FoundClaim[],
  member: GroupMember,
  terms: Terms,
): Promise<StreamDelivery[]> {
  const deliveries: StreamDelivery[] = [];
  const unwanted: string[] = [];
  const unreadable: Claim[] = [];
  const wanted = terms.types as readonly string[] | undefined;
  for (const { claim, type } of found) {
    if (wanted && type !== undefined && !wanted.includes(type)) {
      unwanted.push(claim.id);
      continue;
    }
    const event = decodeEvent(claim.body);
    if (!event) unreadable.push(claim);
    else if (wanted && !wanted.includes(event.type)) unwanted.push(claim.id);
    else deliveries.push(new StreamDelivery(member, claim, event, terms));
  }
  try {
    if (unwanted.length > 0) await member.doneAll(unwanted);
    for (const claim of unreadable) {
      await member.deadLetter(
        claim,
        'not an event: no CloudEvents JSON of ours in the field event',
      );
      terms.log.warn({ group: member.group, entry: claim.id }, 'an entry is no event');
    }
  } catch (error) {
    // They come round again, with the next takeover; the others are not to wait for that.
    if (deliveries.length === 0) throw error;
  }
  return deliveries;
}
