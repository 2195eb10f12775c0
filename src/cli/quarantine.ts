import { Command } from 'commander';
import { openHot } from '../compose.ts';
import { isoInstant } from '../model/instant.ts';
import { columns, configOf, printJson, printLines, withSettings } from './context.ts';
import { positiveInteger } from './options.ts';

/** `rekindle quarantine` */
export function quarantineCommand(): Command {
  const command = new Command('quarantine')
    .description(
      'List sessions that cannot be understood, latest first; each leaves when it is mended.',
    )
    .option('--limit <count>', 'show at most so many', positiveInteger, 100)
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  rekindle quarantine --limit 20');
  withSettings(command);
  return command.action(async ({ limit, json }: { limit: number; json?: boolean }) => {
    const hot = await openHot(await configOf(command));
    try {
      const { total, entries } = await hot.ledgers.quarantined(limit);
      const rows = entries.map((entry) => ({ ...entry, at: isoInstant(entry.at) }));
      if (json) printJson({ total, entries: rows });
      else {
        printLines(
          columns(
            rows.map(({ at, key, reason, detail }) => [at, JSON.stringify(key), reason, detail]),
          ),
        );
        printLines([`${String(total)} in quarantine`]);
      }
    } finally {
      await hot.close();
    }
  });
}
