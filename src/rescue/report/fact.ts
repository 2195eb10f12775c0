import { z } from 'zod';
import { EVENT_TYPES, type EventType } from '../../model/event.ts';
import type { RescueFact } from '../../ports/rescue-log.ts';

/** Groups of the report are named by channels; a longer name is somebody's mistake. */
const CHANNEL_MAX = 64;

const instant = z
  .string()
  .transform((text) => Date.parse(text))
  .pipe(z.int());
const channel = z.string().transform((text) => text.slice(0, CHANNEL_MAX));
const user = z.string().min(1);
const stage = z.int().min(0);

/** Of each type what the report is made of: the events' schemas say more. */
const DATA = {
  'cart.abandoned': z.object({
    user,
    episode: instant,
    stage,
    channel: channel.nullable(),
    contact: z.object({ allowed: z.enum(['yes', 'no', 'unknown']), basis: z.string() }),
  }),
  'cart.rescue_cancelled': z.object({
    user,
    episode: instant,
    reason: z.enum(['resumed', 'ordered', 'emptied', 'opted_out', 'ended']),
    announcement_id: z.string(),
  }),
  'cart.touched': z.object({
    user,
    episode: instant,
    announcement_id: z.string(),
    channel,
    at: instant,
  }),
  'cart.recovered': z.object({
    user,
    episode: instant,
    announcement_id: z.string(),
    class: z.enum(['direct', 'assisted', 'organic']),
    ordered_at: instant,
    value: z.number(),
  }),
  'user.erased': z.object({ user, erased_at: instant }),
} satisfies Record<EventType, z.ZodType>;

/** What of an event came from the bus, which others may write to. */
export interface ReceivedFromBus {
  readonly id: string;
  readonly type: string;
  readonly time: string;
  readonly data: unknown;
}

/**
 * What the report keeps of an event; undefined if its type is none of the report's.
 * @throws ZodError when it is no event of its type
 */
export function factOf({ id, type, time, data }: ReceivedFromBus): RescueFact | undefined {
  const known = EVENT_TYPES.find((one) => one === type);
  if (known === undefined) return undefined;
  if (known === 'user.erased') {
    const erased = DATA[known].parse(data);
    return { kind: 'erased', user: erased.user, erasedAt: erased.erased_at };
  }
  const decidedAt = instant.parse(time);
  const base = (one: { readonly user: string; readonly episode: number }) => ({
    ...{ id, user: one.user },
    ...{ episodeAt: one.episode, decidedAt },
  });
  switch (known) {
    case 'cart.abandoned': {
      const { contact, ...said } = DATA[known].parse(data);
      const heldOut = contact.allowed === 'no' && contact.basis === 'holdout';
      return {
        kind: 'announced',
        ...base(said),
        stage: said.stage,
        channel: said.channel,
        allowed: heldOut ? 'holdout' : contact.allowed,
      };
    }
    case 'cart.rescue_cancelled': {
      const said = DATA[known].parse(data);
      const { reason, announcement_id: announcement } = said;
      return { kind: 'cancelled', ...base(said), announcement, at: decidedAt, reason };
    }
    case 'cart.touched': {
      const said = DATA[known].parse(data);
      const { at, announcement_id: announcement } = said;
      return { kind: 'touched', ...base(said), announcement, at, channel: said.channel };
    }
    case 'cart.recovered': {
      const said = DATA[known].parse(data);
      const { value, ordered_at: at, announcement_id: announcement } = said;
      return { kind: 'recovered', ...base(said), announcement, at, class: said.class, value };
    }
  }
}
