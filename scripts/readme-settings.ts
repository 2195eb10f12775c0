// Writes the table of settings into README.md, from the settings themselves (`--check` only looks).
import { readFileSync, writeFileSync } from 'node:fs';
import { settingsTable } from '../src/config.ts';

const FILE = 'README.md';
const BEGIN = '<!-- settings -->';
const END = '<!-- /settings -->';

const readme = readFileSync(FILE, 'utf8');
const from = readme.indexOf(BEGIN);
const to = readme.indexOf(END);
if (from < 0 || to < from) throw new Error(`${FILE} has no ${BEGIN} … ${END}`);
const current = `${readme.slice(0, from + BEGIN.length)}\n${table()}\n${readme.slice(to)}`;

if (!process.argv.includes('--check')) {
  writeFileSync(FILE, current);
} else if (current !== readme) {
  process.stderr.write(
    `The settings in ${FILE} are not those of the code. Run \`npm run readme\`.\n`,
  );
  process.exitCode = 1;
}

function table(): string {
  const rows = settingsTable().map((row) => [
    code(row.name),
    row.default === '' ? '–' : code(row.default),
    cell(row.means),
    cell(row.accepts),
  ]);
  const head = ['setting', 'default', 'what it means', 'what it may be'];
  const lines = [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`);
  return lines.join('\n');
}

function code(text: string): string {
  return `\`${withoutBars(text)}\``;
}

/** What stands in angle brackets would be taken for HTML, except in code. */
function cell(text: string): string {
  const parts = withoutBars(text).split('`');
  return parts
    .map((part, index) => (index % 2 === 0 ? part.replaceAll('<', '&lt;') : part))
    .join('`');
}

/** A bar would end the cell. */
function withoutBars(text: string): string {
  return text.replaceAll('|', '\\|');
}
