import { styleText } from 'node:util';
import { createLogUpdate } from 'log-update';
import { cartValue } from '../model/cart.ts';
import type { RescueEvent } from '../model/event.ts';
import type { CompactionWatch } from './compaction-watch.ts';
import type { Reason } from './expectations.ts';
import { type Heard, type Listener, percentile } from './listener.ts';
import type { Shop } from './shop.ts';
import type { RescueDesk } from './rescue-desk.ts';
import type { SinkWatch } from './sink-watch.ts';

/** Calm to look at, and quick enough for a clock. */
const FRAME_MS = 125;

/** Lines of the picture that are no events. */
const FRAME_LINES = 17;
const EVENTS_MAX = 12;
const BAR_WIDTH = 30;

const REASONS: readonly Reason[] = ['resumed', 'ordered', 'emptied', 'opted_out', 'ended'];

type Style = Parameters<typeof styleText>[0];

/** A text and how it looks; a line is cut to the terminal's width before it is styled. */
type Part = readonly [text: string, style?: Style];
type Line = readonly Part[];

export interface Scene {
  readonly shop: Shop;
  readonly listener: Listener;
  readonly sinking: SinkWatch;
  readonly compacting: CompactionWatch;
  readonly desk: RescueDesk;
  readonly stagesMs: readonly number[];
  readonly startAt: number;
  readonly endAt: number;
  readonly now: () => number;
}

/** Shows the demo on a terminal as it runs. */
export class Display {
  readonly #terminal: NodeJS.WriteStream;
  readonly #update: ReturnType<typeof createLogUpdate>;
  #timer: NodeJS.Timeout | undefined;

  constructor(terminal: NodeJS.WriteStream) {
    this.#terminal = terminal;
    this.#update = createLogUpdate(terminal);
  }

  /** One line, until there is something to see. */
  say(text: string): void {
    this.#draw([[], [['  '], [text, 'dim']]]);
  }

  show(scene: Scene): void {
    this.#timer = setInterval(() => this.#draw(picture(scene, this.#eventLines())), FRAME_MS);
  }

  /** Leaves the terminal as it was. */
  close(): void {
    clearInterval(this.#timer);
    this.#update.clear();
    this.#update.done();
  }

  #eventLines(): number {
    return Math.max(1, Math.min(EVENTS_MAX, this.#terminal.rows - FRAME_LINES));
  }

  #draw(lines: readonly Line[]): void {
    const width = this.#terminal.columns - 1;
    this.#update(lines.map((line) => styled(line, width, this.#terminal)).join('\n'));
  }
}

function styled(line: Line, width: number, stream: NodeJS.WriteStream): string {
  let left = width;
  let text = '';
  for (const [part, style] of line) {
    const cut = part.slice(0, left);
    left -= cut.length;
    text += style && cut !== '' ? styleText(style, cut, { stream }) : cut;
  }
  return text;
}

function picture(scene: Scene, eventLines: number): Line[] {
  const { shop, listener, sinking, compacting, desk, stagesMs, startAt, endAt } = scene;
  const now = Math.min(scene.now(), endAt);
  const here = shop.visits.filter(({ deeds }) => deeds.length > 0);
  const lastOf = here.flatMap(({ deeds }) => deeds.at(-1) ?? []);
  const silent = lastOf.filter(({ at }) => now - at >= (stagesMs[0] ?? 0));
  const quiet = silent.filter(({ cart, did }) => cart.length > 0 && did !== 'opted out').length;
  const orders = here.flatMap(({ deeds }) => deeds.filter(({ did }) => did === 'ordered')).length;
  const { announced, cancelled, latenessMs } = listener;
  const stages = stagesMs.map((ms, n) => `${announced[n] ?? 0} after ${ms / 1_000} s`).join('   ');
  const reasons = REASONS.flatMap((why) => {
    const count = cancelled.get(why);
    return count ? [`${count} ${why.replace('_', ' ')}`] : [];
  });
  const late = (p: number): string => `${percentile(latenessMs, p) ?? '–'} ms`;
  return [
    [],
    [['  Rekindle  ', 'bold'], ...progress(now - startAt, endAt - startAt)],
    [],
    row('active', lastOf.length - silent.length, 'green', `of ${here.length} sessions`),
    row('quiet', quiet, 'yellow', 'with something in the cart'),
    row('announced', sum(announced), 'magenta', stages),
    row(
      'written to',
      desk.written.length,
      'magenta',
      `of those announced   ${listener.recovered.length} orders of announced carts`,
    ),
    row('returned', sum([...cancelled.values()]), 'cyan', reasons.join('   ')),
    row(
      'sank',
      sinking.sunk.length,
      'blue',
      `to warm   ${shop.returns.length} back where they stopped`,
    ),
    row(
      'compacted',
      compacting.compacted.length,
      'blue',
      `conversations to cold   ${sum(compacting.compacted.map(({ insights }) => insights))} insights   ${shop.recollections.length} recalled`,
    ),
    row('ordered', orders, 'green', `${shop.messages} messages so far`),
    [],
    [['  lateness', 'dim'], [`     p50 ${late(0.5)}   p95 ${late(0.95)}   max ${late(1)}`]],
    [],
    ...happenings(scene, eventLines),
  ];
}

/** The latest of what was heard and seen; of those who had something in their cart. */
function happenings({ listener, shop, sinking, compacting }: Scene, lines: number): Line[] {
  const latest = [
    ...listener.heard.slice(-lines).map((heard) => ({ at: heard.at, line: eventLine(heard) })),
    ...sinking.sunk
      .filter(({ items }) => items > 0)
      .slice(-lines)
      .map(({ user, at, messages, items }) => ({
        at,
        line: happening(user, at, ['sank to warm ', 'blue'], belongings(messages, items)),
      })),
    ...compacting.compacted.slice(-lines).map(({ user, at, messages, insights }) => ({
      at,
      line: happening(
        user,
        at,
        ['compacted     ', 'blue'],
        `${counted(messages, 'message')} to cold, ${counted(insights, 'insight')} learned`,
      ),
    })),
    ...shop.recollections.slice(-lines).map(({ user, at, recalled }) => ({
      at,
      line: happening(
        user,
        at,
        ['recalled      ', 'green'],
        `${counted(recalled.relevant.length, 'message')} and ${counted(recalled.insights.length, 'insight')} of earlier, in ${recalled.tokens} tokens`,
      ),
    })),
    ...shop.returns.slice(-lines).map(({ user, at, from, messages, items }) => ({
      at,
      line: happening(user, at, [`back from ${from} `, 'green'], belongings(messages, items)),
    })),
  ]
    .sort((a, b) => a.at - b.at)
    .slice(-lines)
    .map(({ line }) => line);
  return [...latest, ...Array.from({ length: Math.max(0, lines - latest.length) }, () => [])];
}

function belongings(messages: number, items: number): string {
  return `${counted(messages, 'message')} and ${counted(items, 'item')} in the cart`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function progress(passedMs: number, spanMs: number): Part[] {
  const share = Math.min(1, Math.max(0, passedMs / spanMs));
  const done = Math.round(share * BAR_WIDTH);
  const seconds = (ms: number): string => String(Math.round(ms / 1_000));
  return [
    ['━'.repeat(done), 'cyan'],
    ['━'.repeat(BAR_WIDTH - done), 'dim'],
    [`  ${seconds(share * spanMs).padStart(2)} of ${seconds(spanMs)} s`, 'dim'],
  ];
}

function row(name: string, count: number, style: Style, detail: string): Line {
  return [
    ['  ●', style],
    [` ${name.padEnd(10)}`],
    [String(count).padStart(6), 'bold'],
    [`   ${detail}`, 'dim'],
  ];
}

function eventLine({ event, at }: Heard): Line {
  return happening(event.data.user, at, ...what(event));
}

function happening(user: string, at: number, ...parts: readonly (Part | string)[]): Line {
  const local = new Date(at);
  const time = `${local.toTimeString().slice(0, 8)}.${String(Math.floor(at) % 1_000).padStart(3, '0')}`;
  const said = parts.map((part): Part => (typeof part === 'string' ? [part, 'dim'] : part));
  return [[`  ${time}  `, 'dim'], [user.padEnd(12)], ...said];
}

function what({ type, data }: RescueEvent): Part[] {
  if (type === 'cart.rescue_cancelled')
    return [
      ['back off     ', 'cyan'],
      [data.reason.replace('_', ' '), 'dim'],
    ];
  const { cart, stage, stages, channel, language } = data;
  const value = `₹${(cart.items ? cartValue(cart.items) : cart.value).toFixed(2)}`;
  return [
    [`announced ${stage + 1} of ${stages}  `, 'magenta'],
    [`${cart.count} ${cart.count === 1 ? 'item ' : 'items'} ${value.padStart(10)}  `],
    [`${channel ?? ''} ${language ?? ''}`, 'dim'],
  ];
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
