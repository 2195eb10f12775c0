import { cartDigest } from '../../src/model/cart.ts';
import { HOUR_MS, MINUTE_MS } from '../../src/model/duration.ts';
import { type Draft, type HostileSession, MEGABYTES_5, cartOf, hashOf } from './hostile-session.ts';

/** Instants of every kind. */
export function hostileActivities({ now, ofField }: Draft): HostileSession[] {
  const missing = ofField('last_activity', 'quarantined: last_activity_missing');
  const invalid = ofField('last_activity', 'quarantined: last_activity_invalid');
  const understood = ofField('last_activity', 'announced');
  const seconds = String(Math.floor(now / 1_000) - 10);
  return [
    missing('missing', undefined),
    missing('empty', ''),
    ...Object.entries({
      'a space': ' ',
      'a word': 'yesterday',
      negative: `-${seconds}`,
      'with a sign': `+${seconds}`,
      zero: '0',
      'next to nothing': '0.0001',
      NaN: 'NaN',
      'a Lua nan': 'nan',
      Infinity: 'Infinity',
      hexadecimal: '0x6553f100',
      'with an exponent': '1.8e9',
      'a date': '2026-01-01T00:00:00Z',
      'a JSON null': 'null',
      'with a comma': `${seconds},5`,
      'in nanoseconds': `${now}000000`,
      'of seventeen digits': '1'.repeat(17),
      'in wide digits': '１７６７２２５６００',
      'with a NUL': `${seconds}\0`,
      'of a byte 1': '\u0001',
      'of two lines': `${seconds}\n${seconds}`,
      'of 4,096 digits and a letter': `${'1'.repeat(4_095)}x`,
    }).map(([what, value]) => invalid(what, value, { mend: { last_activity: seconds } })),
    // Longer than any field is read.
    ofField('last_activity', 'quarantined: field_too_large')(
      'of 500,000 digits and a letter',
      `${'1'.repeat(500_000)}x`,
    ),
    understood('in whole seconds', seconds),
    understood('in seconds with a fraction', `${seconds}.123456`),
    understood('in milliseconds', `${seconds}000`),
    understood('in milliseconds with a fraction', `${seconds}000.75`),
    understood('between spaces', ` ${seconds} \n`),
    ofField('last_activity', 'waits')('four minutes ahead', String((now + 4 * MINUTE_MS) / 1_000)),
    understood('an hour ahead', String((now + HOUR_MS) / 1_000)),
    understood('in the year 9999', '253402300799'),
    understood('in the year 9999, in milliseconds', '253402300799999'),
    understood('in microseconds', `${now}000`),
    ofField('last_activity', 'nothing')('of 1970', '5'),
  ];
}

export function hostileConsents({ ofField }: Draft): HostileSession[] {
  const invalid = ofField('consent', 'quarantined: consent_invalid');
  const again = { mend: { consent: '{"status":"unknown"}' } };
  return [
    invalid('cut off', '{"status":"yes"', again),
    invalid('null', 'null', again),
    invalid('a number', '1', again),
    invalid('a byte 1', '\u0001', again),
    invalid('an array', '["yes"]', again),
    invalid('in another word', '{"status":"maybe"}', again),
    invalid('with a scope of numbers', '{"status":"yes","scope":[1]}', again),
    invalid('at no time', '{"status":"yes","at":{}}', again),
    ofField('consent', 'quarantined: field_too_large')('of 5 MB', MEGABYTES_5, again),
    ofField('consent', 'nothing')('withdrawn', '{"status":"no"}'),
    ofField('consent', 'announced')('empty', ''),
    ofField('consent', 'announced')(
      'of odd types',
      '{"status":"yes","basis":"","at":"never","__proto__":{}}',
      { tells: { contact: { allowed: 'yes', basis: 'none' } } },
    ),
  ];
}

/** All the fields that are neither activity, cart nor consent, and those that are nobody's. */
export function hostileOthers({ now, valid, ofField }: Draft): HostileSession[] {
  const order = ofField('last_order_at', 'quarantined: last_order_at_invalid');
  const tooLarge = (of: string): HostileSession =>
    ofField(of, 'quarantined: field_too_large')('of 5 MB', MEGABYTES_5, { mend: { [of]: 'x' } });
  const inbound = (at: string): HostileSession =>
    valid(
      `last_inbound_at ${at} on whatsapp`,
      { last_inbound_at: at, active_channel: 'whatsapp' },
      { tells: { contact: { service_window_expires_at: null } } },
    );
  const notes = (
    name: string,
    opened: number,
    more: Partial<HostileSession> = {},
  ): HostileSession =>
    valid(
      name,
      { rekindle: `${now};0;${opened};${Math.abs(opened)};${cartDigest(cartOf(name))}` },
      more,
    );
  const extra = Array.from({ length: 10_000 }, (_none, index): [string, string] => [
    `extra ${index}`,
    'x',
  ]);
  return [
    order('in words', 'last week', { mend: { last_order_at: '' } }),
    order('NaN', 'NaN', { mend: { last_order_at: '' } }),
    order('negative', '-5', { mend: { last_order_at: '' } }),
    ofField('last_order_at', 'announced')('empty', ''),
    ofField('last_order_at', 'nothing')(
      'beside a cart that was never seen',
      String(now / 1_000 - 60),
    ),
    ofField('last_order_at', 'nothing')('in the year 9999', '253402300799'),
    ...['session_id', 'active_channel', 'timezone', 'phone', 'recovery_ref', 'rekindle'].map(
      tooLarge,
    ),
    // Nobody reads it.
    ofField('topic', 'announced')('of 5 MB', MEGABYTES_5),
    ...['-1', 'NaN', '1e999', '\0'].map((value) =>
      ofField('order_value', 'announced')(JSON.stringify(value), value),
    ),
    ofField('language', 'quarantined: field_too_large')('of 4,097 bytes', 'é'.repeat(2_048) + 'x'),
    ofField('language', 'announced')('of 4,096 bytes', 'é'.repeat(2_048), {
      tells: { language: 'é'.repeat(2_048) },
    }),
    ofField('session_id', 'announced')('of 4,096 bytes', 'x'.repeat(4_096), {
      tells: { session_id: 'x'.repeat(4_096) },
    }),
    ...['session_id', 'language'].map((field) =>
      ofField(field, 'announced')('of a byte 1', '\u0001', { tells: { [field]: '\u0001' } }),
    ),
    order('of a byte 1', '\u0001', { mend: { last_order_at: '' } }),
    ofField('active_channel', 'announced')('with a newline', 'web\nforged', {
      tells: { channel: 'web\nforged' },
    }),
    ofField('current_intent', 'announced')('for a terminal', '\u001b[2J', {
      tells: { intent: '\u001b[2J' },
    }),
    ...['Mars/Olympus', '__proto__', '+99:99', '\0', ''].map((zone) =>
      ofField('timezone', 'announced')(JSON.stringify(zone), zone),
    ),
    ofField('phone', 'announced')('of nonsense', '☎\0'),
    ...['soon', '-1', '253402300799', '8640000000000000', 'NaN'].map(inbound),
    ofField('rekindle', 'announced')('forged: a word', 'hello'),
    ofField('rekindle', 'announced')('forged: of another cart', `${now};0;${now};${now};Zk3a0Q1`),
    ofField('rekindle', 'announced')('forged: endless digits', `${'9'.repeat(400)};0;1;1;`),
    // Ours by its marks: it waits for its end, or to be taken to warm.
    ofField('rekindle', 'waits')('forged: ended', `1;${now};1;1;`),
    notes('rekindle forged: a cart of the year 275760', 8_640_000_000_000_000),
    notes('rekindle forged: a cart of the year 9999', 253_402_300_799_999),
    notes('rekindle forged: a cart beyond all numbers', 1e22),
    notes('rekindle forged: a cart that is over', -5, { expected: 'waits' }),
    valid(
      'rekindle forged: no activity',
      { rekindle: '1;0;1;1;', last_activity: undefined },
      { expected: 'waits' },
    ),
    {
      ...valid('10,000 more fields', {}),
      session: { hash: [...hashOf('10,000 more fields', now).hash, ...extra] },
    },
    {
      ...valid('fields of odd names', {}),
      session: {
        hash: [
          ...hashOf('fields of odd names', now).hash,
          ['', 'x'],
          ['__proto__', 'x'],
          [Buffer.from([0xff]), 'x'],
          ['cart\0', '['],
          ['CART', '['],
        ],
      },
    },
    valid('a field of 5 MB that nobody reads', { more: MEGABYTES_5 }),
    {
      ...valid('no field that anybody knows', {}),
      session: { hash: [['x', 'y']] },
      expected: 'quarantined: last_activity_missing',
    },
  ];
}
