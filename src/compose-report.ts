/** Opens the report's file, and says whether it can be used. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Config } from './config.ts';
import type { Diagnosis } from './model/diagnosis.ts';
import { errorMessage } from './model/errors.ts';
import type { RescueLog } from './ports/rescue-log.ts';

/** Where the report of the settings lies. */
export function reportFile(config: Pick<Config, 'dataDir'>): string {
  return resolve(join(config.dataDir, 'report.sqlite'));
}

/**
 * Opens the report, and makes it if need be.
 * @throws UnsuitableStoreError when what stands there is damaged, another program's, or of a newer version
 */
export async function openReport(
  config: Pick<Config, 'dataDir'>,
  file = reportFile(config),
): Promise<RescueLog> {
  const { SqliteRescueLog } = await import('./adapters/report/sqlite/sqlite-rescue-log.ts');
  return new SqliteRescueLog(file);
}

/** Opens the report to be read, if there is one; changes nothing. @throws as `openReport` does */
export async function openStandingReport(
  config: Pick<Config, 'dataDir'>,
): Promise<RescueLog | undefined> {
  const file = reportFile(config);
  if (!existsSync(file)) return undefined;
  const { SqliteRescueLog } = await import('./adapters/report/sqlite/sqlite-rescue-log.ts');
  return new SqliteRescueLog(file, { readOnly: true });
}

/** Says whether a reporter could use the report's file; nothing of one that is not there yet. */
export async function examineReport(config: Pick<Config, 'dataDir'>): Promise<Diagnosis[]> {
  try {
    const report = await openStandingReport(config);
    await report?.close();
    return report ? [{ level: 'ok', what: `report: ${reportFile(config)} can be used` }] : [];
  } catch (error) {
    return [{ level: 'refuse', what: `report: ${errorMessage(error)}` }];
  }
}
