/** The warm tier as it is found by those who only look: they make no folder and no file. */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type Hot, openWarm, warmFile } from './compose.ts';
import type { Config } from './config.ts';
import { UnsuitableStoreError, errorMessage } from './model/errors.ts';
import type { WarmStore } from './ports/warm.ts';

type Finding = Awaited<ReturnType<Hot['interrogate']>>[number];

/** Opens the warm tier if there is one. @throws as `openWarm` does */
export async function openStandingWarm(
  config: Config,
  clock: Hot['clock'],
): Promise<WarmStore | undefined> {
  return (await stands(warmFile(config))) ? openWarm(config, clock) : undefined;
}

/** Says whether a demoter could use the warm tier of these settings. */
export async function examineWarm(config: Config, clock: Hot['clock']): Promise<Finding[]> {
  const file = resolve(warmFile(config));
  const folder = await standingFolder(dirname(file));
  const findings: Finding[] = [];
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

function refusal(what: string, change?: string): Finding {
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
