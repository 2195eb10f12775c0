/**
 * Who the visitors of an event file might be: a file says nothing of channel, language, time zone and consent, without
 * which no agent may do anything. All of it is made up, from the visitor's id alone, so it is the same every time.
 */
import { hash } from 'node:crypto';

/** Each as often as it stands here. */
const CHANNELS = ['whatsapp', 'whatsapp', 'whatsapp', 'email', 'email'] as const;
const LANGUAGES = ['en', 'en', 'hi', 'hi-en'] as const;
const TIMEZONES = ['Asia/Kolkata', 'Asia/Kolkata', 'Europe/Berlin', 'America/New_York'] as const;

/**
 * In seven of ten cases a yes, in two nobody asked, in one a yes to another channel only. A plain no would be an opt-out:
 * no cart of that visitor were announced, and the announcements not those of `backtest`.
 */
const CONSENTS = [...Array<'yes'>(7).fill('yes'), 'unknown', 'unknown', 'elsewhere'] as const;

/** The fields of a visitor's session that no event file holds. */
export function profileOf(visitor: string): Readonly<Record<string, string>> {
  const channel = drawn(visitor, 'channel', CHANNELS);
  const consent = drawn(visitor, 'consent', CONSENTS);
  return {
    active_channel: channel,
    language: drawn(visitor, 'language', LANGUAGES),
    timezone: drawn(visitor, 'timezone', TIMEZONES),
    consent: JSON.stringify(
      consent === 'elsewhere'
        ? { status: 'yes', basis: 'opt-in', scope: ['sms'] }
        : { status: consent, ...(consent === 'yes' && { basis: 'opt-in' }) },
    ),
  };
}

/** Each trait is drawn apart from the others. */
function drawn<T>(visitor: string, trait: string, choices: readonly T[]): T {
  const number = Number.parseInt(hash('sha256', `${trait}\0${visitor}`, 'hex').slice(0, 12), 16);
  const choice = choices[number % choices.length];
  if (choice === undefined) throw new RangeError('there is nothing to choose from');
  return choice;
}
