import { Command } from 'commander';
import { createLogUpdate } from 'log-update';
import { compactOnce } from '../compose-once.ts';
import { UsageError } from '../model/errors.ts';
import { EXIT } from '../runtime/main.ts';
import { configOf, printJson, printLines, withSettings } from './context.ts';

/** `rekindle compact --once` */
export function compactCommand(): Command {
  const command = new Command('compact')
    .description('Compact the conversations that have aged, then stop: for a cron of your own.')
    .option('--once', 'until no user waits (a daemon does it at the hours of its cron)')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExit code 1: a compaction failed; its conversations stay in warm.')
    .addHelpText('after', '\nExample:\n  rekindle compact --once --warm-age 7d');
  withSettings(command);
  return command.action(async ({ once, json }: { once?: boolean; json?: boolean }) => {
    if (!once) throw new UsageError('say --once: a running daemon compacts by itself');
    const live = process.stderr.isTTY ? createLogUpdate(process.stderr) : undefined;
    const stop = new AbortController();
    process.once('SIGINT', () => {
      stop.abort();
    });
    const { users, conversations, messages, failed, dead } = await compactOnce(
      await configOf(command),
      stop.signal,
      (done, of) => live?.(`compact  ${String(done)} of ${String(of)} users`),
    );
    live?.clear();
    if (json) printJson({ users, conversations, messages, failed, dead });
    else
      printLines([
        `${users} users, ${conversations} conversations, ${messages} messages compacted; ${failed} failed, ${dead} dead`,
      ]);
    if (failed > 0) process.exitCode = EXIT.failed;
  });
}
