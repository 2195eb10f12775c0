// Checks the rules of .dependency-cruiser.cjs, and that the tool saw what it was to check: a
// configuration that matches no file finds no fault either.
import { globSync } from 'node:fs';
import { cruise, format } from 'dependency-cruiser';
import extractOptions from 'dependency-cruiser/config-utl/extract-depcruise-options';
import extractTsConfig from 'dependency-cruiser/config-utl/extract-ts-config';

const ROOTS = ['src', 'workers'];

/** Fewer would mean that it ran in the wrong folder, not that the project has shrunk. */
const LEAST_MODULES = 10;

const { output: result } = await cruise(
  ROOTS,
  await extractOptions('./.dependency-cruiser.cjs'),
  undefined,
  { tsConfig: extractTsConfig('./tsconfig.json') },
);
if (typeof result === 'string') throw new Error(`dependency-cruiser answered with text: ${result}`);

const seen = new Set(result.modules.map((module) => module.source));
const unseen = globSync(ROOTS.map((root) => `${root}/**/*.ts`)).filter((file) => !seen.has(file));
const report = await format(result, { outputType: 'err' });
process.stdout.write(report.output as string);

if (
  unseen.length > 0 ||
  seen.size < LEAST_MODULES ||
  result.summary.totalDependenciesCruised === 0
) {
  process.stderr.write(`The boundaries were not checked for: ${unseen.join(', ') || 'anything'}\n`);
  process.exitCode = 1;
} else {
  process.exitCode = report.exitCode === 0 ? 0 : 1;
}
