import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/model/duration.ts';
import { POLICY } from './watched-user.ts';

/** By which the histories of the whole way to a message are judged. */
export const RESCUE_SETTINGS = {
  ...POLICY,
  // Two tell as much as three, and cost less.
  stagesMs: [30 * MINUTE_MS, 20 * HOUR_MS],
  cooldownMs: 3 * DAY_MS,
  attribution: { chat: DAY_MS, email: 5 * DAY_MS },
  quietHours: { fromMinute: 21 * 60, toMinute: 8 * 60 },
  timezone: 'UTC',
  frequencyCap: { count: 2, windowMs: 5 * DAY_MS },
  holdout: 0.3,
  holdoutSalt: 'lift',
  prefix: 'rekindle',
  manageTtlMs: undefined,
};

/** The longest that a message that is allowed may wait: quiet hours, with the clocks set back, and what retries take. */
export const CALM_MS = 12.5 * HOUR_MS;
