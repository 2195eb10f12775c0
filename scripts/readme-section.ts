import { readFileSync, writeFileSync } from 'node:fs';

const FILE = 'README.md';

/**
 * Puts a text between `<!-- name -->` and `<!-- /name -->` of README.md; with `--check` among the arguments it only
 * looks, and fails with `complaint` where another stands there.
 */
export function writeSection(name: string, text: string, complaint: string): void {
  const begin = `<!-- ${name} -->`;
  const readme = readFileSync(FILE, 'utf8');
  const from = readme.indexOf(begin);
  const to = readme.indexOf(`<!-- /${name} -->`);
  if (from < 0 || to < from) throw new Error(`${FILE} has no ${begin} … <!-- /${name} -->`);
  const current = `${readme.slice(0, from + begin.length)}\n${text}\n${readme.slice(to)}`;
  if (!process.argv.includes('--check')) {
    writeFileSync(FILE, current);
  } else if (current !== readme) {
    process.stderr.write(`${complaint} Run \`npm run readme\`.\n`);
    process.exitCode = 1;
  }
}
