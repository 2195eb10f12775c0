import { Command } from 'commander';
import { reconcile } from '../abandonment/reconcile.ts';
import { lookSettings, openHot } from '../compose.ts';
import { UsageError } from '../model/errors.ts';
import { configOf, printJson, printLines, withSettings } from './context.ts';

/** `rekindle reconcile --once` */
export function reconcileCommand(): Command {
  const command = new Command('reconcile')
    .description(
      'Go over all sessions and ledgers once, at full speed, and arm what the agenda missed.',
    )
    .option('--once', 'one pass, then stop (a daemon does it regularly by itself)')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  rekindle reconcile --once');
  withSettings(command);
  return command.action(async ({ once, json }: { once?: boolean; json?: boolean }) => {
    if (!once) throw new UsageError('say --once: a running daemon reconciles regularly by itself');
    const config = await configOf(command);
    const hot = await openHot(config);
    const stop = new AbortController();
    process.once('SIGINT', () => {
      stop.abort();
    });
    try {
      const report = await reconcile(hot, lookSettings(config, hot), () => undefined, {
        fullSpeed: true,
        signal: stop.signal,
      });
      if (json) printJson({ users: report.users, armed: report.armed, took_ms: report.tookMs });
      else
        printLines([
          `${String(report.users)} users seen, ${String(report.armed)} armed, ${String(report.tookMs)} ms`,
        ]);
    } finally {
      await hot.close();
    }
  });
}
