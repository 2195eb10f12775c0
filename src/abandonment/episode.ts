/** Opening and closing the episode of a user's cart. */
import { digestShowsAddition } from '../model/cart.ts';
import { SECOND_MS } from '../model/duration.ts';
import { FUTURE_TOLERANCE_MS, LATEST_ISO_MS, latestMeant } from '../model/instant.ts';
import type { CloseReason, Episode } from '../model/ledger.ts';
import type { CancelReason, Look } from './decision.ts';
import type { Facts } from './facts.ts';

/** The library's own notes on the cart, unless another program changed the cart since. */
function cartLife(
  facts: Facts,
): { openedAt: number | undefined; addedAt: number | undefined } | undefined {
  const { marks } = facts;
  if (marks?.cartDigest !== facts.cartDigest) return undefined;
  return { openedAt: marks.cartOpenedAt, addedAt: marks.cartAddedAt };
}

export function closeEpisode(look: Look): void {
  const { facts, draft, now, activityAt } = look;
  const { episode } = draft;
  if (!episode) return;
  const closesAt = episode.closesAt ?? Number.POSITIVE_INFINITY;
  // The cool-down's end came first: whatever the user did afterwards cancels nothing.
  if (closesAt <= Math.min(now, activityAt)) {
    close(look, episode, 'cooled_down');
    return;
  }
  const reason = reasonToClose(look, episode);
  if (reason) {
    close(look, episode, reason);
    return;
  }
  const life = cartLife(facts);
  if (life?.openedAt !== undefined) episode.life = life.openedAt;
  if (episode.outstanding && activityAt > episode.outstanding.activityAt)
    cancel(look, episode, 'resumed');
  else if (channelLeft(facts, episode)) cancel(look, episode, 'opted_out');
  if (closesAt <= now) close(look, episode, 'cooled_down');
}

/** The user opted out of the channel that the outstanding announcement was for, since it was due. */
function channelLeft({ optedOutOf, fields }: Facts, { outstanding, stages }: Episode): boolean {
  const optedOutAt = optedOutOf.get(fields.active_channel?.toLowerCase() ?? '');
  const stage = stages.find(({ n }) => n === outstanding?.n);
  return optedOutAt !== undefined && stage !== undefined && optedOutAt > stage.at;
}

function reasonToClose(
  { facts, draft, now, orderCame }: Look,
  episode: Episode,
): Exclude<CloseReason, 'cooled_down'> | undefined {
  if (facts.optedOut) return 'opted_out';
  if (!facts.present) {
    const expired = draft.expiresAt !== undefined && now >= draft.expiresAt - SECOND_MS;
    // After the last stage nothing of it is needed any more: it waits for the end of the cool-down.
    return expired && (draft.snapshot || episode.closesAt !== undefined) ? undefined : 'ended';
  }
  if (facts.marks?.endedAt !== undefined) return 'ended';
  if (orderCame) return 'ordered';
  const life = cartLife(facts);
  const refilled =
    life !== undefined && episode.life !== undefined && life.openedAt !== episode.life;
  return facts.cart.length === 0 || refilled ? 'emptied' : undefined;
}

export function close(look: Look, episode: Episode, why: CloseReason): void {
  if (why !== 'cooled_down') cancel(look, episode, why);
  if (why === 'ordered') recover(look, episode);
  look.draft.closed = {
    at: closedAt(look, episode, why),
    why,
    ...(episode.life !== undefined && { life: episode.life }),
  };
  delete look.draft.episode;
}

/** An addition from this instant on opens the next episode, even if both are seen by the same look. */
function closedAt({ facts, now }: Look, episode: Episode, why: CloseReason): number {
  if (why === 'cooled_down') return episode.closesAt ?? now;
  return why === 'ordered' && facts.orderAt !== undefined
    ? Math.min(latestMeant(facts.orderAt) + 1, now)
    : now;
}

/** One cancellation an announcement: whatever happens next, the rescue agent has been called back. */
function cancel(look: Look, episode: Episode, reason: CancelReason): void {
  if (!episode.outstanding) return;
  look.events.push({
    type: 'cart.rescue_cancelled',
    episode: episode.openedAt,
    stage: episode.outstanding.n,
    sequence: nextSequence(look),
    activityAt: look.activityAt,
    reason,
  });
  delete episode.outstanding;
}

/** Whatever became of the announcement meanwhile: what the order is owed to is told once, with its episode. */
function recover(look: Look, episode: Episode): void {
  const announced = episode.stages.filter(({ as }) => as === 'a').map(({ n }) => n);
  const { fields, orderAt } = look.facts;
  if (announced.length === 0 || orderAt === undefined) return;
  const told = Number.parseFloat(fields.order_value ?? '');
  look.events.push({
    type: 'cart.recovered',
    episode: episode.openedAt,
    sequence: nextSequence(look),
    evidence: {
      orderedAt: Math.min(orderAt, LATEST_ISO_MS),
      orderId: fields.order_id === '' ? undefined : fields.order_id,
      value: told >= 0 && told < Infinity ? told : (episode.value ?? 0),
      recoveryRef: fields.recovery_ref === '' ? undefined : fields.recovery_ref,
      announced,
      touches: episode.touches ?? [],
      repliedAt: episode.repliedAt,
    },
  });
}

/** Starts from the time, so that it grows even if a ledger is lost. */
export function nextSequence({ draft, now }: Pick<Look, 'draft' | 'now'>): number {
  draft.sequence = Math.max(draft.sequence + 1, now);
  return draft.sequence;
}

export function openEpisode(look: Look): void {
  const { facts, draft, activityAt } = look;
  if (draft.episode || !facts.present || facts.cart.length === 0 || activityAt === 0) return;
  if (facts.optedOut || facts.marks?.endedAt !== undefined) return;
  const openedAt = additionSince(look);
  if (openedAt === undefined) return;
  const life = cartLife(facts)?.openedAt;
  // Identities never restart: a closed episode's is never given again, whatever the clocks say.
  const identity = Math.max(openedAt, (draft.lastEpisode ?? 0) + 1);
  draft.lastEpisode = identity;
  draft.episode = { openedAt: identity, stages: [], ...(life !== undefined && { life }) };
}

/** The instant of an addition to the cart that no episode and no order covers, or undefined. */
function additionSince({
  facts,
  draft,
  firstSight,
  orderCame,
  activityAt,
  now,
}: Look): number | undefined {
  const life = cartLife(facts);
  const { closed } = draft;
  const seenAddition = firstSight || digestShowsAddition(draft.cart, facts.cartDigest);
  if (life) {
    if (life.openedAt === undefined) return undefined;
    // An order that another program noted: the library's own ends the life of the cart.
    const { orderAt = 0 } = facts;
    if (life.openedAt < orderAt && (life.addedAt ?? 0) <= latestMeant(orderAt)) {
      // One from the future came all the same; but what came after it is not for its instant to tell, or it would
      // cover every cart until then.
      const fromFuture = orderAt > now + FUTURE_TOLERANCE_MS;
      return fromFuture && seenAddition && !orderCame ? activityAt : undefined;
    }
    if (closed?.life !== life.openedAt) return life.openedAt;
    // Not the addition's instant: only the latest is noted, and a look in between would have seen an earlier one.
    if (life.addedAt !== undefined && life.addedAt >= closed.at) return closed.at;
    // The library saw no addition where another program emptied the cart in between.
    return closed.why === 'emptied' && seenAddition ? activityAt : undefined;
  }
  // Others leave no notes: a cart first seen after an order counts as left behind, else what was not seen before is new.
  if (orderCame) return undefined;
  return seenAddition ? activityAt : undefined;
}
