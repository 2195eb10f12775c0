// Writes the last measured figures into README.md, from what `npm run bench -- --readme` kept (`--check` only looks).
import { existsSync, readFileSync } from 'node:fs';
import { parseReport } from '../bench/report.ts';
import { markdownTable } from '../bench/table.ts';
import { writeSection } from './readme-section.ts';

const KEPT = 'bench/last.json';

const text = existsSync(KEPT)
  ? markdownTable(parseReport(readFileSync(KEPT, 'utf8')))
  : 'None yet: `npm run bench -- --readme` measures and keeps one.';
writeSection('bench', text, `The figures in README.md are not those of ${KEPT}.`);
