import { type Draft, type HostileSession, MEGABYTES_5 } from './hostile-session.ts';

/** Carts of every kind. */
export function hostileCarts({ ofField }: Draft): HostileSession[] {
  const noJson = ofField('cart', 'quarantined: cart_not_json');
  const noArray = ofField('cart', 'quarantined: cart_not_array');
  const noItem = ofField('cart', 'quarantined: cart_item_invalid');
  const nothing = ofField('cart', 'nothing');
  const told = ofField('cart', 'announced');
  const items = (...cart: object[]): Partial<HostileSession> => ({
    tells: { cart: { items: cart } },
  });
  const frame = JSON.stringify([{ product_id: 'wide', x: '' }]);
  const wide = (bytes: number): string =>
    frame.replace('""', `"${'x'.repeat(bytes - frame.length)}"`);
  const deep = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
  return [
    noJson('a word', 'nothing'),
    noJson('a byte 1', '\u0001'),
    noJson('undefined', 'undefined'),
    noJson('cut off', '[{"product_id":"a"'),
    noJson('with a byte order mark', '\u{FEFF}[{"product_id":"a"}]'),
    noJson('with single quotes', "[{'product_id':'a'}]"),
    noJson('with a raw newline', '[{"product_id":"a\nb"}]'),
    noJson('of bytes', Buffer.from([0xff, 0x00, 0xfe])),
    noArray('null', 'null'),
    noArray('an object', '{"product_id":"a"}'),
    noArray('a number', '5'),
    noArray('a text', '"[]"'),
    noItem('of null', '[null]'),
    noItem('of arrays', '[[]]'),
    noItem('without a product', '[{"quantity":1}]'),
    noItem('with an empty product', '[{"product_id":""}]'),
    noItem('with a product that is a truth', '[{"product_id":true}]'),
    noItem('with an infinite product', '[{"product_id":1e400}]'),
    noItem('with a negative quantity', '[{"product_id":"a","quantity":-1}]'),
    noItem('with an infinite price', '[{"product_id":"a","price":1e400}]'),
    noItem('with an absurd price', '[{"product_id":"a","price":1e300,"quantity":2}]'),
    noItem('with a price in words', '[{"product_id":"a","price":"free"}]'),
    noItem('with a size that is an object', '[{"product_id":"a","size":{}}]'),
    noItem('30,000 levels deep', deep(30_000)),
    noItem('65 levels deep in an item', `[{"product_id":"a","x":${deep(63)}}]`),
    ofField('cart', 'quarantined: cart_too_large')('of 5 MB', `[{"product_id":"${MEGABYTES_5}"}]`),
    ofField('cart', 'quarantined: cart_too_large')('a byte too large', wide(65_537)),
    nothing('missing', undefined),
    nothing('of no text', ''),
    nothing('with nothing in it', '[ ]'),
    nothing('with none of something', '[{"product_id":"a","quantity":0}]'),
    told('as large as may be', wide(65_536), {
      tells: { cart: { count: 1, session_key: 'session:cart as large as may be' } },
    }),
    told('64 levels deep', `[{"product_id":"a","x":${deep(62)}}]`, items({ product_id: 'a' })),
    told(
      'with brackets in a text',
      `[{"product_id":"${'[{'.repeat(200)}"}]`,
      items({ product_id: '[{'.repeat(200) }),
    ),
    told(
      'with ids beyond 2^53',
      '[{"product_id":9007199254740993},{"product_id":9007199254740992}]',
      items({ product_id: '9007199254740993' }, { product_id: '9007199254740992' }),
    ),
    told(
      'with an item called __proto__',
      '[{"product_id":"__proto__","__proto__":{"price":1},"constructor":null}]',
      items({ product_id: '__proto__', constructor: null }),
    ),
    told(
      'with half a surrogate pair',
      String.raw`[{"product_id":"\ud800"}]`,
      items({ product_id: '\ud800' }),
    ),
    told(
      'in Latin-1',
      Buffer.from('[{"product_id":"caf\xe9"}]', 'latin1'),
      items({ product_id: 'caf\u{FFFD}' }),
    ),
    told(
      'with escapes for a terminal',
      String.raw`[{"product_id":"\u001b[2J\r\n"}]`,
      items({ product_id: '\u001b[2J\r\n' }),
    ),
    told(
      'of 1,000 items',
      JSON.stringify(Array.from({ length: 1_000 }, (_none, index) => ({ product_id: index }))),
      { tells: { cart: { count: 1_000, session_key: 'session:cart of 1,000 items' } } },
    ),
  ];
}
