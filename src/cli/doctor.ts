import { Command } from 'commander';
import { examineCold } from '../compose-cold.ts';
import { examineWarm } from '../compose-warm.ts';
import { examineBus, openBus, openHot } from '../compose.ts';
import { examineReport } from '../compose-report.ts';
import type { Diagnosis } from '../model/diagnosis.ts';
import { BusUnavailableError } from '../model/errors.ts';
import type { Bus } from '../ports/bus.ts';
import { REPORT_GROUP } from '../rescue/report/reporter.ts';
import { configOf, withSettings } from './context.ts';
import { printDiagnoses } from './diagnoses.ts';

/** `rekindle doctor` */
export function doctorCommand(): Command {
  const command = new Command('doctor')
    .description('Check the settings and the services they name, and say what to change.')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExits with 1 if the daemon would refuse to start.')
    .addHelpText('after', '\nExample:\n  rekindle doctor');
  withSettings(command);
  return command.action(async ({ json }: { json?: boolean }) => {
    const config = await configOf(command);
    await using opened = new AsyncDisposableStack();
    const hot = await openHot(config);
    opened.defer(() => hot.close());
    const bus = await openBus(config);
    opened.defer(() => bus.close());
    const findings = await hot.interrogate(true);
    findings.push(
      ...(await examineWarm(config, hot.clock)),
      ...(await examineCold(config, hot.clock)),
      ...(await examineReport(config)),
      ...(await examineBus(config)),
      await readers(bus),
    );
    printDiagnoses(findings, json === true);
  });
}

async function readers(bus: Bus): Promise<Diagnosis> {
  try {
    const groups = await bus.groups();
    // The report's own acts on nothing.
    if (groups.some(({ group }) => group !== REPORT_GROUP)) {
      const each = groups.map(({ group, behind }) => `${group} (${String(behind)} behind)`);
      return { level: 'ok', what: `consumer groups: ${each.join(', ')}` };
    }
    return {
      level: 'warn',
      what: 'no consumer group reads the bus',
      change: 'start a subscriber: rekindle subscribe',
    };
  } catch (error) {
    // The daemon starts without its bus.
    if (!(error instanceof BusUnavailableError)) throw error;
    return { level: 'warn', what: error.message };
  }
}
