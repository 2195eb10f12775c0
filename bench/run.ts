/** `npm run bench`: see USAGE in options.ts. */
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { DIALOGSUM } from '../eval/dialogsum-file.ts';
import { UsageError, errorMessage } from '../src/model/errors.ts';
import { EXIT, runMain } from '../src/runtime/main.ts';
import { type Figure, type Series, measureFigures, measureSeries } from './harness.ts';
import { machine, today } from './machine.ts';
import { type Options, USAGE, parseOptions } from './options.ts';
import type { Report, Row } from './report.ts';
import { compactionOf } from './rows/compaction.ts';
import { cosmos } from './rows/cosmos.ts';
import { drain } from './rows/drain.ts';
import { hotRecall } from './rows/hot-recall.ts';
import { lateness, latenessOfExpiry } from './rows/lateness.ts';
import { memory } from './rows/memory.ts';
import { million } from './rows/million.ts';
import { recordActivity, recordActivityRaw } from './rows/record-activity.ts';
import { recall } from './rows/recall.ts';
import { serviceBus } from './rows/service-bus.ts';
import { start } from './rows/start.ts';
import { subscriber, subscriberBare } from './rows/subscriber.ts';
import { tiers } from './rows/tiers.ts';
import { warm } from './rows/warm.ts';
import { growthLines, reportLines } from './table.ts';

const FIGURES: readonly Figure[] = [
  lateness,
  latenessOfExpiry,
  drain,
  recordActivity,
  recordActivityRaw,
  memory,
  subscriber,
  subscriberBare,
];

function seriesOf({ dialogsum = DIALOGSUM }: Pick<Options, 'dialogsum'>): readonly Series[] {
  return [
    ...[tiers, cosmos, compactionOf(dialogsum), warm, hotRecall, recall, serviceBus, start],
    million,
  ];
}

const SESSIONS = 100_000;
const GROWTH = [10_000, 100_000, 1_000_000];

/** From here on a run takes minutes, and one does for five of the smaller. */
const MANY_SESSIONS = 1_000_000;
const RUNS_PER_LONG_RUN = 5;

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (options.help) {
    process.stdout.write(`${USAGE}\nFigures:\n${names()}`);
    return EXIT.done;
  }
  const { dialogsum } = options;
  if (dialogsum !== undefined && !existsSync(dialogsum))
    throw new UsageError(`${dialogsum} is not there: --dialogsum names a file`);
  const { rows, leftOut, refused } = await measureAll(options);
  const report: Report = {
    machine: machine(),
    date: today(),
    rows,
    ...(leftOut.length > 0 && { leftOut }),
  };
  if (options.json) process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
  else {
    const lines = options.growth ? growthLines(report) : reportLines(report);
    process.stdout.write(lines.map((line) => `${line}\n`).join(''));
  }
  if (refused) return EXIT.failed;
  if (options.readme) {
    writeFileSync('bench/last.json', `${JSON.stringify(report, undefined, 2)}\n`);
    execFileSync(process.execPath, ['scripts/readme-bench.ts']);
  }
  return EXIT.done;
}

async function measureAll(
  options: Options,
): Promise<{ rows: Row[]; leftOut: string[]; refused: boolean }> {
  const figures = FIGURES.filter(({ name }) => isWanted(options, name));
  const wanted = seriesOf(options).filter((one) => seriesWanted(options, one));
  const lacking = wanted.map((one) => ({ one, lacks: one.lacks?.() }));
  const series = lacking.flatMap(({ one, lacks }) => (lacks === undefined ? one : []));
  const leftOut = lacking.flatMap(({ one: { name }, lacks }) =>
    lacks === undefined ? [] : `${name}: ${lacks}`,
  );
  if (figures.length + wanted.length === 0)
    throw new UsageError(`no figure has that in its name; there are:\n${names()}`);
  // Nothing is left to measure.
  if (figures.length + series.length === 0) throw new UsageError(leftOut.join('\n'));
  const rows: Row[] = [];
  let refused = false;
  const attempt = async (name: string, measure: () => Promise<Row[]>): Promise<void> => {
    try {
      const measured = await measure();
      rows.push(...measured.filter((row) => isWanted(options, name, row.name)));
    } catch (error) {
      // The others are worth having all the same.
      process.stderr.write(`${name}: no figure: ${errorMessage(error)}\n`);
      refused = true;
    }
  };
  const sizes = options.growth ? GROWTH : [options.sessions ?? SESSIONS];
  for (const sessions of sizes) {
    for (const [first, ...others] of Map.groupBy(figures, ({ ours }) => ours).values()) {
      if (!first) continue;
      await attempt(first.name, () =>
        measureFigures([first, ...others], termsFor(sessions, options)),
      );
    }
  }
  for (const one of series) {
    const own = options.growth ? (one.growth ?? []) : [options.sessions ?? one.sessions];
    for (const sessions of own)
      await attempt(one.name, () => measureSeries(one, termsFor(sessions, options, one.many)));
  }
  return { rows, leftOut, refused };
}

function termsFor(sessions: number, { runs }: Options, many = MANY_SESSIONS) {
  return {
    sessions,
    runs: sessions >= many ? Math.ceil(runs / RUNS_PER_LONG_RUN) : runs,
    onSample: (text: string) => {
      if (process.stderr.isTTY) process.stderr.write(`${text}\n`);
    },
  };
}

/** True if all, or one of the names, is asked for. */
function isWanted({ only }: Options, ...some: readonly string[]): boolean {
  return (
    only.length === 0 || only.some((part) => some.some((name) => name.toLowerCase().includes(part)))
  );
}

function seriesWanted(options: Options, { name, apart, figures, growth }: Series): boolean {
  if (options.growth && !growth) return false;
  if (options.only.length === 0) return options.all || !apart;
  return isWanted(options, name, ...figures.map((figure) => figure.name));
}

function names(): string {
  const series = seriesOf({ dialogsum: undefined }).map(({ name, apart, figures }) => {
    const parts = figures.map((figure) => `\n    ${figure.name}`).join('');
    return `${name}${apart ? ', with --all or --only' : ''}:${parts}`;
  });
  return [...FIGURES.map(({ name }) => name), ...series].map((name) => `  ${name}\n`).join('');
}

await runMain(() => main(process.argv.slice(2)));
// What failed may have left connections open.
if (process.exitCode !== EXIT.done) process.exit();
