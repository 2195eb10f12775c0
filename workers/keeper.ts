/** Demoter, compactor and reporter in one process: for the one host, or pod, that has the files of ours. */
import { openOwnConfig } from '../src/compose-config.ts';
import { runDaemon } from '../src/compose-daemon.ts';
import { runMain } from '../src/runtime/main.ts';

await runMain(async () => runDaemon(await openOwnConfig(), ['demoter', 'compactor', 'reporter']));
