import type { Timing } from './timing.ts';

/** The settings of the demo, by their environment names. @param keys first part of every key */
export function demoSettings(
  keys: string,
  { stagesMs, spanMs, hotLifeMs }: Required<Timing>,
): Record<string, string> {
  return {
    // Not below the prefix: what is there is no session.
    REKINDLE_SESSION_KEY: `${keys}:session:<user_id>`,
    REKINDLE_PREFIX: `${keys}:own`,
    REKINDLE_STAGES: stagesMs.map((ms) => `${ms}ms`).join(','),
    REKINDLE_HOT_TTL: `${hotLifeMs}ms`,
    REKINDLE_DEMOTE_LEAD: `${Math.round(hotLifeMs / 4)}ms`,
    // Longer than anybody is here.
    REKINDLE_COOLDOWN: `${2 * spanMs}ms`,
    // The demo is the same at any hour of the day.
    REKINDLE_QUIET_HOURS: 'off',
    REKINDLE_TIMEZONE: 'Asia/Kolkata',
    REKINDLE_HOLDOUT: '0.1',
    REKINDLE_RECONCILE_EVERY: '2s',
    REKINDLE_LEASE: '5s',
    REKINDLE_HTTP: 'off',
  };
}

/** The environment without anybody's settings of Rekindle. */
export function inherited(): Record<string, string | undefined> {
  const ours = /^(REKINDLE_|REDIS_|SERVICEBUS_|COSMOS_|BLOB_|KEY_VAULT_URL$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)));
}
