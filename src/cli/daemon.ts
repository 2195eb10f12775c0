import { Command } from 'commander';
import { runDaemon } from '../compose-daemon.ts';
import { configOf, withSettings } from './context.ts';

/** `rekindle daemon` */
export function daemonCommand(): Command {
  const command = new Command('daemon')
    .description(
      'Watch activity, look at due users, announce, and take sessions to warm, until stopped.',
    )
    .addHelpText('after', '\nSIGTERM or SIGINT stops it in good order, a second one at once.')
    .addHelpText('after', '\nExample:\n  REDIS_URL=redis://cache:6379 rekindle daemon');
  withSettings(command);
  return command.action(async () => {
    process.exitCode = await runDaemon(await configOf(command));
  });
}
