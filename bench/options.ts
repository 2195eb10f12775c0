import { parseArgs } from 'node:util';
import { DIALOGSUM } from '../eval/dialogsum-file.ts';
import { UsageError, errorMessage } from '../src/model/errors.ts';

export interface Options {
  readonly help: boolean;
  readonly json: boolean;
  readonly all: boolean;
  readonly growth: boolean;
  readonly readme: boolean;
  /** Parts of names, in small letters; empty: what is measured without a word. */
  readonly only: readonly string[];
  readonly sessions: number | undefined;
  readonly runs: number;
  /** File of dialogues to compact. */
  readonly dialogsum: string | undefined;
}

/** No figure depends on a single run. */
const RUNS = 5;

export const USAGE = `Measures ours beside its peers, each on a fresh Redis without persistence: medians, ratios, targets.

npm run bench -- [options]
  --only NAME     only figures with NAME in their name; may be given more than once
  --all           also those that take minutes
  --runs N        measure each side N times, ${RUNS} by default
  --sessions N    so many sessions, or of what else a figure counts; each has a number of its own by default
  --growth        with numbers that show how figures grow, one column each
  --dialogsum FILE
                  dialogues to compact, in the form of DialogSum;
                  ${DIALOGSUM} by default
  --json          print {machine, date, rows}; see bench/report.ts
  --readme        keep the result in bench/last.json and show it in README.md
  --help

Example:
  npm run bench -- --only drained --only memory --runs 1
`;

/** Reads the flags. @throws UsageError for what cannot be understood, or does not go together */
export function parseOptions(args: readonly string[]): Options {
  const { only, sessions, runs, dialogsum, ...flags } = parse(args);
  const options = {
    ...flags,
    only: only.map((part) => part.toLowerCase()),
    sessions: sessions === undefined ? undefined : positive('--sessions', sessions),
    runs: positive('--runs', runs),
    dialogsum,
  };
  const { growth, readme, all } = options;
  if (growth && options.sessions !== undefined) throw clash('--growth', '--sessions');
  if (readme && growth) throw clash('--readme', '--growth');
  if (all && growth) throw clash('--all', '--growth');
  // A table of some figures on one day and others on another would say neither.
  if (readme && only.length > 0) throw clash('--readme', '--only');
  return options;
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        help: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        all: { type: 'boolean', default: false },
        growth: { type: 'boolean', default: false },
        readme: { type: 'boolean', default: false },
        only: { type: 'string', multiple: true, default: [] },
        sessions: { type: 'string' },
        runs: { type: 'string', default: String(RUNS) },
        dialogsum: { type: 'string' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${errorMessage(error)}\n\n${USAGE}`);
  }
}

function positive(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new UsageError(`${flag} takes a whole number from 1; got ${text}`);
  return value;
}

function clash(one: string, other: string): UsageError {
  return new UsageError(`${one} and ${other} do not go together`);
}
