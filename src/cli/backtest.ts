import { type FileHandle, open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { Command } from 'commander';
import { createLogUpdate } from 'log-update';
import { duration } from '../config/forms.ts';
import { UsageError, errorMessage } from '../model/errors.ts';
import { isoInstant } from '../model/instant.ts';
import { type Announcement, type BacktestRow, backtest } from '../replay/backtest.ts';
import { describeBadRows, openEventFile } from '../replay/event-file.ts';
import { acceptedHeaders } from '../replay/event-formats.ts';
import { SortOnDisk } from '../replay/sort-on-disk.ts';
import { columns, configOf, printJson, printLines } from './context.ts';

interface BacktestFlags {
  readonly events: string;
  readonly idle: string;
  readonly json?: boolean;
  readonly announcements?: string;
}

const HELP = `
Columns:
  runs                 runs of a visitor's events in which every gap is shorter than the threshold
  runs_closed          of these, runs that were over before the end of the file
  idle_with_cart       closed runs that end with something in the cart
  idle_with_new_items  of these, runs in which something was added to the cart
  announced            carts that would have been announced, with the threshold as the only stage
  returned_24h         of idle_with_cart, visitors who came back by themselves within 24 hours

Event files are CSV, plain or gzipped; ${acceptedHeaders()}

Example:
  rekindle backtest --events clicks.csv --idle 10m,30m,1h`;

/** `rekindle backtest --events FILE --idle 10m,30m,1h` */
export function backtestCommand(): Command {
  const command = new Command('backtest')
    .description('Tell what would have been announced, had Rekindle watched this shop.')
    .requiredOption('--events <file>', 'CSV file of events, plain or .gz')
    .requiredOption('--idle <durations>', 'thresholds of inactivity to compare, such as 10m,30m,1h')
    .option('--json', 'print the rows as JSON')
    .option('--announcements <file>', 'write each announcement as a line of JSON, by time')
    .addHelpText('after', HELP);
  return command.action(async (flags: BacktestFlags) => {
    keepMemorySmall();
    const thresholds = readThresholds(flags.idle);
    const progress = progressOnTerminal();
    const file = await openEventFile(flags.events, {
      onProgress: (read, total) => progress.show('reading', read, total),
    });
    const out =
      flags.announcements === undefined
        ? undefined
        : await create(flags.announcements, flags.events);
    try {
      using announcements = new SortOnDisk<Announcement>(
        (one, other) => one.at - other.at || compareTexts(one.user, other.user),
      );
      const rows = await backtest(file.inFileOrder(), {
        idleMs: [...thresholds.values()],
        onProgress: (judged, events) => progress.show('judging', judged, events),
        // Ids are those that `replay` and the daemon would give, and those hold the prefix of the keys.
        ...(out && {
          prefix: (await configOf(command)).prefix,
          onAnnouncement: (announcement: Announcement) => announcements.add(announcement),
        }),
      });
      progress.clear();
      await out?.writeFile(announcementLines(announcements.take(), thresholds));
      for (const line of describeBadRows(flags.events, file.report)) warn(line);
      const { badRows, late } = file.report;
      if (late > 0) {
        warn(
          `${flags.events}: ${late} events stand after later ones; they were taken by their time`,
        );
      }
      const printed = rows.map((row, index) =>
        printedRow([...thresholds.keys()][index] ?? '', row),
      );
      if (flags.json) printJson({ rows: printed, bad_rows: badRows, late_events: late });
      else printLines(table(printed));
    } finally {
      progress.clear();
      await out?.close();
    }
  });
}

/**
 * V8 lets its young generation grow to 100 MB where there is much memory, though events only pass through. Kept small,
 * a million events take 215 MB instead of 340, and no longer; where the flag is unknown, nothing changes.
 */
function keepMemorySmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

/** The thresholds in milliseconds, by what they were called. */
function readThresholds(text: string): ReadonlyMap<string, number> {
  const { schema, accepts } = duration(1);
  return new Map(
    text.split(',').map((part) => {
      const name = part.trim();
      const read = schema.safeParse(name);
      if (!read.success) {
        throw new UsageError(
          `--idle: "${name}" is no duration; it takes ${accepts}, or several with commas`,
        );
      }
      return [name, read.data];
    }),
  );
}

async function create(path: string, input: string): Promise<FileHandle> {
  if (resolve(path) === resolve(input)) throw new UsageError(`${path} is the file to be read`);
  try {
    return await open(path, 'w');
  } catch (error) {
    throw new UsageError(`${path} cannot be written: ${errorMessage(error)}`, { cause: error });
  }
}

function* announcementLines(
  announcements: Iterable<Announcement>,
  thresholds: ReadonlyMap<string, number>,
): Generator<string> {
  const names = new Map([...thresholds].map(([name, idleMs]) => [idleMs, name]));
  for (const { idleMs, user, episode, stage, at, id } of announcements) {
    const line = {
      idle: names.get(idleMs),
      user,
      episode: isoInstant(episode),
      stage,
      at: isoInstant(at),
      id,
    };
    yield `${JSON.stringify(line)}\n`;
  }
}

function printedRow(idle: string, row: BacktestRow) {
  return {
    idle,
    events: row.events,
    visitors: row.visitors,
    runs: row.runs,
    runs_closed: row.runsClosed,
    idle_with_cart: row.idleWithCart,
    idle_with_new_items: row.idleWithNewItems,
    announced: row.announced,
    returned_24h: row.returned24h,
  };
}

/** Numbers stand flush right below their names. */
function table(rows: readonly ReturnType<typeof printedRow>[]): string[] {
  const names = Object.keys(rows[0] ?? {});
  const cells = [names, ...rows.map((row) => Object.values(row).map(String))];
  const widths = names.map((_, column) =>
    Math.max(...cells.map((row) => row[column]?.length ?? 0)),
  );
  return columns(cells.map((row) => row.map((cell, column) => cell.padStart(widths[column] ?? 0))));
}

const BAR_WIDTH = 30;

/** A bar on the standard error where that is a terminal; otherwise silent. */
function progressOnTerminal(): {
  show: (what: string, done: number, of: number) => void;
  clear: () => void;
} {
  if (!process.stderr.isTTY) return { show: () => undefined, clear: () => undefined };
  const live = createLogUpdate(process.stderr);
  let shown = '';
  return {
    show(what, done, of) {
      const share = of > 0 ? Math.min(1, done / of) : 1;
      const bar = '█'.repeat(Math.round(share * BAR_WIDTH)).padEnd(BAR_WIDTH, '░');
      const line = `${what} ${bar} ${Math.floor(share * 100)} %`;
      if (line !== shown) live(line);
      shown = line;
    },
    clear() {
      live.clear();
      live.done();
    },
  };
}

function warn(line: string): void {
  process.stderr.write(`${line}\n`);
}

function compareTexts(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
