import { parseArgs } from 'node:util';
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
}

/** No figure depends on a single run. */
const RUNS = 5;

export const USAGE = `Measures ours beside its peers, each on a fresh Redis without persistence: medians, ratios, targets.

npm run bench -- [options]
  --only NAME     only figures with NAME in their name; may be given more than once
  --all           also those that take minutes
  --runs N        measure each side N times, ${RUNS} by default
  --sessions N    watched sessions, or entries of others in the warm tier; 100000 by default
  --growth        with 10,000, 100,000 and 1,000,000 watched sessions, one column each; the warm tier
                  with 100,000 and 1,000,000 entries of others
  --json          print {machine, date, rows}; see bench/report.ts
  --readme        keep the result in bench/last.json and show it in README.md
  --help

Example:
  npm run bench -- --only drained --only memory --runs 1
`;

/** Reads the flags. @throws UsageError for what cannot be understood, or does not go together */
export function parseOptions(args: readonly string[]): Options {
  const { only, sessions, runs, ...flags } = parse(args);
  const options = {
    ...flags,
    only: only.map((part) => part.toLowerCase()),
    sessions: sessions === undefined ? undefined : positive('--sessions', sessions),
    runs: positive('--runs', runs),
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
