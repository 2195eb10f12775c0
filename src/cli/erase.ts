import { Command } from 'commander';
import { openTiers } from '../compose-tiers.ts';
import { openHot } from '../compose.ts';
import { UsageError } from '../model/errors.ts';
import { isoInstant } from '../model/instant.ts';
import { userIdProblem } from '../model/user-id.ts';
import { EXIT } from '../runtime/main.ts';
import { columns, configOf, printJson, printLines, withSettings } from './context.ts';

/** `rekindle erase USER` */
export function eraseCommand(): Command {
  const command = new Command('erase')
    .description('Erase a user from every tier, queue and record. There is no way back.')
    .argument('<user>', 'the user id, as in the session key')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nWhat other programs keep of the user is theirs to erase. An opt-out stays, unnamed.' +
        '\nExit code 1: something was written at this very moment; erase once more.',
    )
    .addHelpText('after', '\nExample:\n  rekindle erase 4711');
  withSettings(command);
  return command.action(async (user: string, { json }: { json?: boolean }) => {
    const impossible = userIdProblem(user);
    if (impossible) throw new UsageError(impossible.detail);
    const config = await configOf(command);
    await using opened = new AsyncDisposableStack();
    const hot = await openHot(config);
    opened.defer(() => hot.close());
    const tiers = opened.use(await openTiers(config, hot));
    const { erasedAt, removed, remains } = await tiers.erase(user);
    const left = Object.values(remains).reduce((sum, count) => sum + count, 0);
    if (json) printJson({ user, erased_at: isoInstant(erasedAt), removed, remains });
    else
      printLines([
        ...columns([
          ['place', 'removed', 'remains'],
          ...Object.entries(removed).map(([place, count]) => [
            place,
            String(count),
            String(remains[place] ?? 0),
          ]),
        ]),
        left === 0 ? 'a second scan found nothing' : 'somebody wrote meanwhile: erase once more',
      ]);
    if (left > 0) process.exitCode = EXIT.failed;
  });
}
