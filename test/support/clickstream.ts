/**
 * A shop's month of activity, made up: for measuring, and for tests that need more than a handful of events. The same
 * seed gives the same file.
 *
 *   node test/support/clickstream.ts FILE [EVENTS] [VISITORS] [--shuffled]
 */
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

export interface ClickstreamOptions {
  readonly events: number;
  readonly visitors: number;
  readonly seed?: number;
  /** Rows in no order of time. */
  readonly shuffled?: boolean;
}

const START_MS = Date.UTC(2022, 7, 1);
const SPAN_MS = 28 * 24 * 3_600_000;

/** Shares as in published clickstreams: most people look, one event in ten is an addition to a cart. */
const KINDS = [
  ['view', 0.8],
  ['addtocart', 0.93],
  ['removefromcart', 0.95],
  ['purchase', 0.975],
  ['fav', 0.99],
  ['message', 1],
] as const;

/** Writes the file; gzipped if its name ends in `.gz`. */
export async function writeClickstream(path: string, options: ClickstreamOptions): Promise<void> {
  const out = createWriteStream(path);
  const source = rows(options);
  if (path.endsWith('.gz')) await pipeline(source, createGzip({ level: 6 }), out);
  else await pipeline(source, out);
}

function* rows({
  events,
  visitors,
  seed = 1,
  shuffled = false,
}: ClickstreamOptions): Generator<string> {
  const random = mulberry32(seed);
  yield 'ts_ms,visitor_id,event,item_id,category_id,session_id,price\n';
  let piece = '';
  // What each visitor touched last: so that a removal or a purchase mostly finds its item in the cart.
  const latestItem = new Uint32Array(visitors);
  for (let index = 0; index < events; index += 1) {
    const place = shuffled ? random() : (index + random()) / events;
    const at = START_MS + Math.floor(place * SPAN_MS);
    const visitor = pickVisitor(random, visitors, place);
    const share = random();
    const kind = KINDS.find(([, upTo]) => share < upTo)?.[0] ?? 'view';
    const takesOut = kind === 'removefromcart' || kind === 'purchase';
    const item = takesOut && random() < 0.8 ? latestItem[visitor]! : Math.floor(random() * 1e6);
    if (kind === 'addtocart') latestItem[visitor] = item;
    const price = kind === 'message' ? '' : (1 + Math.floor(random() * 20_000) / 100).toFixed(2);
    const row = [at, `v${visitor.toString(36).padStart(11, '0')}`, kind];
    piece += `${row.join(',')},${kind === 'message' ? '' : item},${item % 1_000},${visitor},${price}\n`;
    if (piece.length > 65_536) {
      yield piece;
      piece = '';
    }
  }
  yield piece;
}

/** Visitors come for some days of the month; at any time those of the moment share the events, a few taking most. */
function pickVisitor(random: () => number, visitors: number, place: number): number {
  const share = random() ** 2 * 0.2;
  const first = Math.floor(place * 0.8 * visitors);
  return Math.min(visitors - 1, first + Math.floor(share * visitors));
}

function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

if (import.meta.main) {
  const [path, events = '1000000', visitors = '280000'] = process.argv
    .slice(2)
    .filter((argument) => !argument.startsWith('--'));
  if (path === undefined) throw new Error('say which file to write');
  await writeClickstream(path, {
    events: Number(events),
    visitors: Number(visitors),
    shuffled: process.argv.includes('--shuffled'),
  });
}
