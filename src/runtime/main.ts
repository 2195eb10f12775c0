import { UsageError, errorMessage } from '../model/errors.ts';
import { printableLines } from './printable.ts';

/** Exit codes of every program here. */
export const EXIT = { done: 0, failed: 1, wrongUsage: 2 } as const;

/** Runs the whole of a program: sets the exit code, and tells an error in words on the standard error. */
export async function runMain(main: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await main();
  } catch (error) {
    process.stderr.write(`rekindle: ${printableLines(errorMessage(error))}\n`);
    process.exitCode = error instanceof UsageError ? EXIT.wrongUsage : EXIT.failed;
  }
}
