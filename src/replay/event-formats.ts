import { LATEST_ISO_MS } from '../model/instant.ts';
import { userIdProblem } from '../model/user-id.ts';
import type { ShopEvent, ShopEventKind } from './shop-event.ts';

/** A dialect of event files, told by its header. */
interface Format {
  /** What the header holds as published; other columns may be missing or there as well. */
  readonly header: string;
  readonly at: string;
  readonly user: string;
  readonly kind: string;
  readonly item: string;
  readonly price: string;
  readonly kinds: ReadonlyMap<string, ShopEventKind>;
  readonly readTime: (text: string) => number | undefined;
}

function readMilliseconds(text: string): number | undefined {
  if (!/^\d{1,15}$/.test(text)) return undefined;
  return withinReason(Number(text));
}

const CALENDAR =
  /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?: ?(?:UTC|GMT|Z|\+00:?00))?$/;

/** UTC, with or without saying so. */
function readCalendarTime(text: string): number | undefined {
  const match = CALENDAR.exec(text);
  if (!match) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1, 7)
    .map(Number);
  const milliseconds = Math.floor(Number(`0.${match[7] ?? '0'}`) * 1_000);
  const atMs = Date.UTC(year, month - 1, day, hour, minute, second, milliseconds);
  // Date.UTC carries over what does not exist: 31 April would be 1 May.
  const exists = new Date(atMs)
    .toISOString()
    .startsWith(`${text.slice(0, 10)}T${text.slice(11, 19)}`);
  return exists ? withinReason(atMs) : undefined;
}

function withinReason(atMs: number): number | undefined {
  return atMs > 0 && atMs <= LATEST_ISO_MS ? atMs : undefined;
}

const FORMATS: readonly Format[] = [
  {
    header: 'ts_ms,visitor_id,event,item_id,category_id,session_id,price',
    at: 'ts_ms',
    user: 'visitor_id',
    kind: 'event',
    item: 'item_id',
    price: 'price',
    kinds: new Map([
      ['view', 'view'],
      ['fav', 'fav'],
      ['addtocart', 'addtocart'],
      ['removefromcart', 'removefromcart'],
      ['purchase', 'purchase'],
      ['message', 'message'],
    ]),
    readTime: readMilliseconds,
  },
  {
    header:
      'event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session',
    at: 'event_time',
    user: 'user_id',
    kind: 'event_type',
    item: 'product_id',
    price: 'price',
    kinds: new Map([
      ['view', 'view'],
      ['cart', 'addtocart'],
      ['remove_from_cart', 'removefromcart'],
      ['purchase', 'purchase'],
    ]),
    readTime: readCalendarTime,
  },
];

/** The headers that are understood, for a person to see. */
export function acceptedHeaders(): string {
  const lines = FORMATS.map(({ header, at, user, kind, item, kinds }) => {
    const events = [...kinds.keys()].join(', ');
    return `  ${header}\n    needed: ${[at, user, kind, item].join(', ')}; ${kind} is one of ${events}`;
  });
  return ['accepted headers (columns in any order, others are ignored):', ...lines].join('\n');
}

/** Reads the fields of one row, or says in a few words what is wrong with it. */
export type RowReader = (fields: readonly string[]) => ShopEvent | string;

/** Undefined if the header is none of ours. */
export function rowReaderFor(header: readonly string[]): RowReader | undefined {
  const names = header.map((name) => name.trim());
  const format = FORMATS.find(({ at, user, kind, item }) =>
    [at, user, kind, item].every((name) => names.includes(name)),
  );
  return format && readerOf(format, names);
}

function readerOf(format: Format, names: readonly string[]): RowReader {
  const columns = names.length;
  const at = names.indexOf(format.at);
  const user = names.indexOf(format.user);
  const kind = names.indexOf(format.kind);
  const item = names.indexOf(format.item);
  const price = names.indexOf(format.price);
  const readTime = remembering(format.readTime);

  return (fields) => {
    if (fields.length !== columns) return `expected ${columns} columns, found ${fields.length}`;
    const atMs = readTime(fields[at] ?? '');
    if (atMs === undefined) return `unreadable ${format.at} ${shown(fields[at])}`;
    const what = format.kinds.get(fields[kind] ?? '');
    if (what === undefined) return `unknown ${format.kind} ${shown(fields[kind])}`;
    const who = fields[user] ?? '';
    if (who === '') return `${format.user} is missing`;
    const problem = userIdProblem(who);
    if (problem) return `${format.user}: ${problem.detail}`;
    const which = fields[item] ?? '';
    if (which === '' && touchesCart(what)) return `${format.item} is missing`;
    return {
      at: atMs,
      user: who,
      kind: what,
      item: which === '' ? undefined : which,
      price: price < 0 ? undefined : readPrice(fields[price] ?? ''),
    };
  };
}

function touchesCart(kind: ShopEventKind): boolean {
  return kind === 'addtocart' || kind === 'removefromcart' || kind === 'purchase';
}

/** A price is a help, not a need: one that cannot be read is none. */
function readPrice(text: string): number | undefined {
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}

/** Neighbouring rows often have the same time, and reading one by the calendar is slow. */
function remembering(
  read: (text: string) => number | undefined,
): (text: string) => number | undefined {
  let lastText: string | undefined;
  let lastAt: number | undefined;
  return (text) => {
    if (text !== lastText) {
      lastAt = read(text);
      lastText = text;
    }
    return lastAt;
  };
}

/** A value that may hold anything, made safe and short for a terminal. */
function shown(value = ''): string {
  return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
}
