import { Command } from 'commander';
import { ENV_FILE } from '../compose-config.ts';
import { describeConfig, settingsTable } from '../config.ts';
import { columns, printJson, printLines, settingFlags, withSettings } from './context.ts';

/** `rekindle config` */
export function configCommand(): Command {
  const command = new Command('config')
    .description('Print the settings in force and where each comes from; secrets are masked.')
    .option('--json', 'print JSON')
    .option('--defaults', 'print every setting with its default and meaning instead')
    .addHelpText('after', () => `\nSettings, by environment, ${ENV_FILE} or flag:\n${tableText()}`)
    .addHelpText('after', '\nExample:\n  REKINDLE_STAGES=10m,2h rekindle config --json');
  withSettings(command);
  return command.action(({ json, defaults }: { json?: boolean; defaults?: boolean }) => {
    if (defaults) {
      if (json) printJson({ settings: settingsTable() });
      else printLines([tableText()]);
      return;
    }
    const rows = describeConfig(process.env, { envFile: ENV_FILE, flags: settingFlags(command) });
    if (json) printJson({ settings: rows });
    else printLines(columns(rows.map(({ name, value, source }) => [name, value, source])));
  });
}

function tableText(): string {
  const rows = settingsTable().map((row) => [`  ${row.name}`, row.flag, row.default, row.means]);
  return columns(rows).join('\n');
}
