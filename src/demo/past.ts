/** The past of those who have been here before: two visits, of which one is old enough to be compacted. */
import type { Activity } from '../abandonment/activity.ts';
import { DAY_MS, SECOND_MS } from '../model/duration.ts';
import { PHRASES } from './phrases.ts';
import { type Visit, consentAt } from './shop.ts';
import type { Exchange } from './talks.ts';

/** Older than REKINDLE_WARM_AGE by default, and younger. */
const FIRST_VISIT_MS = 10 * DAY_MS;
const SECOND_VISIT_MS = 3 * DAY_MS;

/** Between what somebody says and the answer to it. */
const PAUSE_MS = 20 * SECOND_MS;

/**
 * Lets them live through it before the shop opens: their messages are written through the library, as said then.
 * @param windowMessages the later visit fills it with small talk: what was said first in it, only warm knows
 */
export async function livePast(
  visits: readonly Visit[],
  activity: Activity,
  now: number,
  windowMessages: number,
): Promise<void> {
  await Promise.all(
    visits.map(async ({ shopper: { user, language, channel, consents, past }, said }) => {
      if (!past) return;
      const fields = consents ? { consent: consentAt(now - FIRST_VISIT_MS) } : {};
      const talk = async (exchanges: readonly Exchange[], from: number): Promise<number> => {
        let at = from;
        for (const [asked, answered] of exchanges) {
          for (const [role, content] of [
            ['user', asked],
            ['assistant', answered],
          ] as const) {
            const details = { at, channel, language, fields };
            said.push(await activity.appendMessage(user, { role, content }, details));
            at += PAUSE_MS;
          }
        }
        return at;
      };
      const at = await talk(past.first, now - FIRST_VISIT_MS);
      if (past.ordered) await activity.placeOrder(user, { at, orderId: `${user}-0` });
      const { asks, reply } = PHRASES[language];
      const smallTalk = Array.from(
        { length: Math.ceil(windowMessages / 2) },
        (_none, index): Exchange => [
          asks[index % asks.length] ?? asks[0],
          reply[index % reply.length] ?? reply[0],
        ],
      );
      await talk([...past.second, ...smallTalk], now - SECOND_VISIT_MS);
    }),
  );
}
