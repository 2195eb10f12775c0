import { Command } from 'commander';
import { setUp } from '../compose-setup.ts';
import { UsageError } from '../model/errors.ts';
import { configOf, withSettings } from './context.ts';
import { printDiagnoses } from './diagnoses.ts';

interface Flags {
  readonly check?: boolean;
  readonly apply?: boolean;
  readonly json?: boolean;
}

/** `rekindle setup` */
export function setupCommand(): Command {
  const command = new Command('setup')
    .description('Make topic, subscriptions and containers of Azure that the settings name.')
    .option('--check', 'only say what is missing, or differs')
    .option('--apply', 'make it')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExits with 1 if something is missing, or cannot be made.')
    .addHelpText('after', '\nExample:\n  rekindle setup --check');
  withSettings(command);
  return command.action(async ({ check, apply, json }: Flags) => {
    if (Boolean(check) === Boolean(apply))
      throw new UsageError('say what to do: rekindle setup --check, or rekindle setup --apply');
    const config = await configOf(command);
    printDiagnoses(await setUp(config, { apply: apply === true }), json === true);
  });
}
