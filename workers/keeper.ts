/** Demoter, compactor and reporter in one process: for the one host, or pod, that has the files of ours. */
import { runDaemon } from '../src/compose-daemon.ts';
import { loadConfig } from '../src/config.ts';
import { runMain } from '../src/runtime/main.ts';

await runMain(() =>
  runDaemon(loadConfig(process.env, { envFile: '.env' }), ['demoter', 'compactor', 'reporter']),
);
