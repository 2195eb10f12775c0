import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteWarm } from '../../src/adapters/warm/sqlite/sqlite-warm.ts';
import { warmFile } from '../../src/compose-warm.ts';
import { tierCrashes } from './tiers.ts';

tierCrashes('SQLite and files', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'rekindle-tiers-'));
  return {
    settings: { REKINDLE_DATA_DIR: dataDir },
    openWarm: (clock) => new SqliteWarm(warmFile({ dataDir }), clock),
    [Symbol.asyncDispose]: () => rm(dataDir, { recursive: true }),
  };
});
