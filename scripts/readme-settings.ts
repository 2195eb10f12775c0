// Writes the table of settings into README.md, from the settings themselves (`--check` only looks).
import { settingsTable } from '../src/config.ts';
import { writeSection } from './readme-section.ts';

writeSection('settings', table(), 'The settings in README.md are not those of the code.');

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
