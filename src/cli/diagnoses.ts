import type { Diagnosis } from '../model/diagnosis.ts';
import { columns, printJson, printLines } from './context.ts';

/** Prints what was found; the command fails where something is refused. */
export function printDiagnoses(findings: readonly Diagnosis[], json: boolean): void {
  if (json) printJson({ findings });
  else
    printLines(
      columns(
        findings.map(({ level, what, change }) => [
          level,
          change ? `${what}; to change it: ${change}` : what,
        ]),
      ),
    );
  if (findings.some(({ level }) => level === 'refuse')) process.exitCode = 1;
}
