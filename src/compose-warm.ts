/** Opens the warm tier, and says whether it can be used. */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Config } from './config.ts';
import type { Diagnosis } from './model/diagnosis.ts';
import { UnsuitableStoreError, errorMessage } from './model/errors.ts';
import type { Clock } from './ports/clock.ts';
import type { WarmStore } from './ports/warm.ts';
import type { Telemetry } from './runtime/telemetry.ts';

/** Where the warm tier of the settings lies, if it is a file. */
export function warmFile(config: Pick<Config, 'dataDir'>): string {
  return join(config.dataDir, 'warm.sqlite');
}

/** Where the warm tier of the settings lies, in words. */
export function warmPlace(config: Config): string {
  const { warm, cosmosAccountUri, cosmosDatabase, cosmosContainer } = config;
  if (warm === 'sqlite') return warmFile(config);
  return `${cosmosDatabase}/${cosmosContainer} at ${cosmosAccountUri ?? ''}`;
}

/**
 * Opens the warm tier.
 * @param telemetry told what it costs, where that is counted
 * @throws UnsuitableStoreError when what stands there is damaged, another program's, or of a newer version
 */
export async function openWarm(
  config: Config,
  clock: Clock,
  telemetry?: Telemetry,
): Promise<WarmStore> {
  if (config.warm === 'cosmos')
    return (await import('./compose-azure.ts')).openCosmosWarm(config, clock, telemetry);
  return openWarmFile(warmFile(config), clock);
}

/** Opens a warm tier in a file, or in memory (`:memory:`). @throws as `openWarm` does */
export async function openWarmFile(file: string, clock: Clock): Promise<WarmStore> {
  const { ThreadedWarm } = await import('./adapters/warm/sqlite/threaded-warm.ts');
  return ThreadedWarm.open(file, clock);
}

/** Opens the warm tier if there is one: whoever only looks makes no folder and no file. @throws as `openWarm` does */
export async function openStandingWarm(
  config: Config,
  clock: Clock,
): Promise<WarmStore | undefined> {
  if (config.warm !== 'sqlite') return openWarm(config, clock);
  return (await stands(warmFile(config))) ? openWarm(config, clock) : undefined;
}

/** Says whether a demoter could use the warm tier of these settings. */
export async function examineWarm(config: Config, clock: Clock): Promise<Diagnosis[]> {
  if (config.warm === 'cosmos') return (await import('./compose-azure.ts')).examineCosmos(config);
  return examineFile(config, clock);
}

async function examineFile(config: Config, clock: Clock): Promise<Diagnosis[]> {
  const file = resolve(warmFile(config));
  const folder = await standingFolder(dirname(file));
  const findings: Diagnosis[] = [];
  const place = folder === dirname(file) ? folder : `${dirname(file)}, to be made in ${folder},`;
  // SQLite keeps files of its own beside the one.
  if (await mayWrite(folder, constants.X_OK))
    findings.push({ level: 'ok', what: `data folder: ${place} may be written to` });
  else findings.push(refusal(`data folder: ${place} may not be written to`, WRITABLE));
  if (!(await stands(file)))
    return [...findings, { level: 'ok', what: `warm tier: ${file} is not there yet` }];
  if (!(await mayWrite(file)))
    return [...findings, refusal(`warm tier: ${file} may not be written to`, WRITABLE)];
  try {
    const warm = await openWarm(config, clock);
    await warm.count('rekindle').finally(() => warm.close());
    return [...findings, { level: 'ok', what: `warm tier: ${file} can be used` }];
  } catch (error) {
    const what = `warm tier: ${errorMessage(error)}`;
    // Of the others the message says what to do.
    const change = error instanceof UnsuitableStoreError ? undefined : WRITABLE;
    return [...findings, refusal(what, change)];
  }
}

const WRITABLE =
  'give the folder of REKINDLE_DATA_DIR and what is in it to the user that the daemon runs as';

function refusal(what: string, change?: string): Diagnosis {
  return { level: 'refuse', what, ...(change !== undefined && { change }) };
}

/** The folder, or the nearest above it that is there. */
async function standingFolder(folder: string): Promise<string> {
  const above = dirname(folder);
  return above === folder || (await stands(folder)) ? folder : standingFolder(above);
}

async function stands(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function mayWrite(path: string, more = 0): Promise<boolean> {
  return access(path, constants.W_OK | more).then(
    () => true,
    () => false,
  );
}
