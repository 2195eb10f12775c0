import { Command } from 'commander';
import { openBus, openHot } from '../compose.ts';
import { columns, configOf, printJson, printLines, withSettings } from './context.ts';

/** `rekindle doctor` */
export function doctorCommand(): Command {
  const command = new Command('doctor')
    .description('Check the settings and the services they name, and say what to change.')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExits with 1 if the daemon would refuse to start.')
    .addHelpText('after', '\nExample:\n  rekindle doctor');
  withSettings(command);
  return command.action(async ({ json }: { json?: boolean }) => {
    const config = configOf(command);
    const hot = await openHot(config);
    const bus = await openBus(config);
    try {
      const findings = await hot.interrogate(true);
      const groups = await bus.groups();
      findings.push(
        groups.length === 0
          ? {
              level: 'warn',
              what: 'no consumer group reads the bus',
              change: 'start a subscriber: rekindle subscribe',
            }
          : {
              level: 'ok',
              what: `consumer groups: ${groups.map(({ group, behind }) => `${group} (${String(behind)} behind)`).join(', ')}`,
            },
      );
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
    } finally {
      await bus.close();
      await hot.close();
    }
  });
}
