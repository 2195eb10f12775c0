/** `npm run eval`: see USAGE. */
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { UsageError, errorMessage } from '../src/model/errors.ts';
import { remembered } from '../src/recall/remembered.ts';
import { EXIT, runMain } from '../src/runtime/main.ts';
import { DIALOGSUM } from './dialogsum-file.ts';
import { locomoRows } from './locomo.ts';
import type { Row } from './row.ts';
import { summaryRows } from './summaries.ts';

const LOCOMO = '../shared/data/locomo/locomo_dev5.json';

const USAGE = `Measures what recall finds, and what summaries keep, beside what simple methods do with the same conversations.

npm run eval -- [options]
  --locomo FILE       conversations in the form of LoCoMo; ${LOCOMO} by default
  --dialogsum FILE    dialogues with a summary, in the form of DialogSum;
                      ${DIALOGSUM} by default
  --json              print {rows: [{name, k?, ours, baseline, met}]}
  --help

Example:
  npm run eval -- --locomo locomo10.json --json
`;

interface Options {
  readonly help: boolean;
  readonly json: boolean;
  readonly locomo: string;
  readonly dialogsum: string;
}

function parseOptions(args: readonly string[]): Options {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        help: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        locomo: { type: 'string', default: LOCOMO },
        dialogsum: { type: 'string', default: DIALOGSUM },
      },
    });
    return values;
  } catch (error) {
    throw new UsageError(`${errorMessage(error)}\n\n${USAGE}`);
  }
}

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (options.help) {
    process.stdout.write(USAGE);
    return EXIT.done;
  }
  for (const name of ['locomo', 'dialogsum'] as const)
    if (!existsSync(options[name]))
      throw new UsageError(`${options[name]} is not there: name a file with --${name}`);
  const rows: Row[] = await locomoRows(options.locomo, remembered(countTokens), progress);
  rows.push(...(await summaryRows(options.dialogsum)));
  process.stdout.write(
    options.json ? `${JSON.stringify({ rows }, undefined, 2)}\n` : linesOf(rows),
  );
  return EXIT.done;
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`${text}\n`);
}

function linesOf(rows: readonly Row[]): string {
  const width = Math.max(...rows.map(({ name }) => name.length));
  const cell = (value: number | string): string => String(value).padStart(9);
  const head = `${''.padEnd(width)}${['k', 'ours', 'baseline', 'met'].map(cell).join('')}`;
  const lines = rows.map(
    ({ name, k, ours, baseline, met }) =>
      `${name.padEnd(width)}${[k ?? '', ours, baseline, met ? 'yes' : 'no'].map(cell).join('')}`,
  );
  return `${[head, ...lines].join('\n')}\n`;
}

await runMain(() => main(process.argv.slice(2)));
