import { Command } from 'commander';
import { drainDemotions } from '../compose-once.ts';
import { UsageError } from '../model/errors.ts';
import { EXIT } from '../runtime/main.ts';
import { configOf, printJson, printLines, withSettings } from './context.ts';

interface DemoteFlags {
  readonly once?: boolean;
  readonly replay?: boolean;
  readonly json?: boolean;
}

/** `rekindle demote --once` */
export function demoteCommand(): Command {
  const command = new Command('demote')
    .description('Take to warm what the watcher has queued, then stop.')
    .option('--once', 'until the queue is empty (a daemon does it all the time)')
    .option('--replay', 'also what has failed for good')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExit code 1: a demotion failed and waits for its next attempt.')
    .addHelpText('after', '\nExample:\n  rekindle demote --once --data-dir /var/lib/rekindle');
  withSettings(command);
  return command.action(async ({ once, replay, json }: DemoteFlags) => {
    if (!once) throw new UsageError('say --once: a running daemon demotes by itself');
    const stop = new AbortController();
    process.once('SIGINT', () => {
      stop.abort();
    });
    const { copied, sunk, nothing, messages, failed, dead } = await drainDemotions(
      await configOf(command),
      stop.signal,
      replay === true,
    );
    if (json) printJson({ copied, sunk, nothing, messages, failed, dead });
    else
      printLines([
        `${copied} copied, ${sunk} sunk, ${nothing} found nothing, ${messages} messages; ${failed} failed, ${dead} dead`,
      ]);
    if (failed > 0) process.exitCode = EXIT.failed;
  });
}
